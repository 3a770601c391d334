import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { freePort } from "./port.ts";
import { ServerProcess } from "./server_process.ts";

function command(port: number, code: string) {
  return {
    command: Deno.execPath(),
    args: ["eval", `const port = ${port}; ${code}`],
    env: { NO_COLOR: "1" },
    probe: () => fetch(`http://127.0.0.1:${port}`).then((response) => response.text()),
  };
}

const SERVE = "Deno.serve({ port, hostname: '127.0.0.1' }, () => new Response('here'))";

Deno.test("a server answers once it is started, and is gone once it is killed", async () => {
  const wanted = command(freePort(), SERVE);
  await using server = await ServerProcess.start(wanted);
  assertEquals(await wanted.probe(), "here");
  await server.kill();
  await server.kill();
  await assertRejects(() => wanted.probe());
  await server.start();
  assertEquals(await wanted.probe(), "here");
  server.freeze();
  const answer = wanted.probe();
  server.thaw();
  assertEquals(await answer, "here");
});

Deno.test("a frozen server can be killed", async () => {
  const wanted = command(freePort(), SERVE);
  await using server = await ServerProcess.start(wanted);
  server.freeze();
  await server.kill();
  await assertRejects(() => wanted.probe());
});

Deno.test("a server that ends at its start is an error with what it printed", async () => {
  const wanted = command(freePort(), "console.error('no licence'); Deno.exit(3)");
  const error = await assertRejects(() => ServerProcess.start(wanted), Error);
  assertStringIncludes(error.message, "no licence");
  assertStringIncludes(String(error.cause), "code 3");
});
