import { deadline } from "@std/async";
import { launchChromium } from "../e2e/chromium.ts";

/** Also a busy machine has run the module by then; one that never ends is one that failed. */
const TIMEOUT_MS = 120_000;

/** Runs a module in a worker of Chromium, and gives the text that it left as the global `result`. */
export async function runInWorker(path: string): Promise<string> {
  const code = await Deno.readTextFile(path);
  const answers = new Map([
    ["/", ["text/html", "<!doctype html>"]],
    ["/worker.js", ["text/javascript", `import "/code.js"; postMessage(globalThis.result);`]],
    ["/code.js", ["text/javascript", code]],
  ]);
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
    const [type = "", body] = answers.get(new URL(url).pathname) ?? [];
    return new Response(body, { headers: { "content-type": type } });
  });
  await using browser = await launchChromium();
  const page = await browser.newPage();
  await page.goto(`http://localhost:${server.addr.port}/`);
  const result = page.evaluate(() =>
    new Promise<string>((resolve, reject) => {
      const worker = new Worker("/worker.js", { type: "module" });
      worker.onmessage = ({ data }) => resolve(String(data));
      worker.onerror = ({ message }) => reject(new Error(message));
    })
  );
  return await deadline(result, TIMEOUT_MS);
}
