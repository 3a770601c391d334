import { assert, assertMatch } from "@std/assert";
import { deadline } from "@std/async";
import { ROOT } from "../../scripts/project.ts";
import { launchChromium } from "./chromium.ts";
import { readPort } from "./demo.ts";

Deno.test("the smallest server and page have at most 20 lines", () => {
  const folder = `${ROOT}/examples/minimal`;
  let lines = 0;
  for (const { name } of Deno.readDirSync(folder)) {
    lines += Deno.readTextFileSync(`${folder}/${name}`).trimEnd().split("\n").length;
  }
  assert(lines > 0 && lines <= 20, `${lines} lines`);
});

Deno.test("the smallest page's clock ticks, started as README.md says", async () => {
  const readme = await Deno.readTextFile(`${ROOT}/README.md`);
  const args = /^deno (run .*examples\/minimal\/main\.ts)$/m.exec(readme)?.[1]?.split(" ");
  assert(args !== undefined, "README.md says how to run it");
  await using server = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { PORT: "0" },
    stdin: "null",
    stdout: "null",
    // This is where Deno says that it listens.
    stderr: "piped",
  }).spawn();
  const port = await deadline(readPort(server.stderr), 60_000);
  await using browser = await launchChromium();
  const page = await browser.newPage();
  await page.goto(`http://localhost:${port}`);
  const first = await page.locator("h1:not(:empty)").textContent() ?? "";
  assertMatch(first, /\d\d:\d\d:\d\d/);
  await page.locator("h1:not(:empty)", { hasNotText: first }).waitFor();
});
