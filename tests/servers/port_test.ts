import { assert, assertEquals } from "@std/assert";
import { freePort } from "./port.ts";

Deno.test("each port is handed out once, and those of another worker are not among them", async () => {
  const here = Array.from({ length: 20 }, freePort);
  const code = `import { freePort } from ${JSON.stringify(import.meta.resolve("./port.ts"))};
    postMessage(Array.from({ length: 20 }, freePort));`;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(code)}`, { type: "module" });
  const there: number[] = await new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = reject;
  });
  worker.terminate();
  assertEquals(new Set([...here, ...there]).size, 40);
  const [least, most] = [Math.min(...here), Math.max(...here)];
  assert(there.every((port) => port < least || port > most), "they are of one block");
});

Deno.test("a port on which somebody listens is not handed out", () => {
  const port = freePort();
  using _listener = Deno.listen({ hostname: "127.0.0.1", port: port + 1 });
  assertEquals(freePort(), port + 2);
});
