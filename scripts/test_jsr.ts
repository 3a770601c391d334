/**
 * Runs the unit tests, the demo's start and the npm build with the modules of JSR themselves, in a
 * copy of the project without stand-ins. Ends with the line `N passed, N failed`; needs a network
 * that has JSR.
 *
 * @module
 */
import { closingLine, type Counts, readCounts, sum } from "./counts.ts";
import { type Run, showDeno } from "./deno.ts";
import { ROOT } from "./project.ts";

const REGISTRY = Deno.env.get("JSR_URL") ?? "https://jsr.io";
const REACH_TIMEOUT_MS = 10_000;

/** What is not ours, or is made, or stands in; the lock file knows the stand-ins only. */
const LEFT_OUT = [".git", "deno.lock", "links", "node_modules", "npm"];

/** Starts the demo as its task does, and asks for its page. */
const START_DEMO = `
  import { Demo } from "./tests/e2e/demo.ts";
  await using demo = await Demo.start();
  const { ok, body } = await fetch(demo.url);
  await body.cancel();
  if (!ok) throw new Error("The demo has no page");
`;

async function main(): Promise<Counts> {
  await reachRegistry();
  const folder = await Deno.makeTempDir({ prefix: "airwave-jsr-" });
  try {
    await copy(ROOT, folder);
    await forgetStandIns(`${folder}/deno.json`);
    const unit = await run("The unit tests", folder, ["task", "test:unit"]);
    const demo = await run("The demo's start", folder, ["eval", START_DEMO]);
    const build = await run("The npm build", folder, ["task", "build:npm"]);
    return sum([
      readCounts(unit.output, unit.success),
      ...[demo, build].map(({ success }) => ({ passed: +success, failed: +!success })),
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Without this the first import would fail, with a message about one module of many. */
async function reachRegistry(): Promise<void> {
  try {
    const response = await fetch(`${REGISTRY}/@std/assert/meta.json`, {
      signal: AbortSignal.timeout(REACH_TIMEOUT_MS),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`It answered ${response.status}`);
  } catch (error) {
    console.error(
      `Cannot reach JSR at ${REGISTRY}: ${error instanceof Error ? error.message : error}\n` +
        "This task runs what every other task runs with the stand-ins in links/, with the modules " +
        "that those stand for. Run it on a network that has JSR, or set JSR_URL to a mirror.",
    );
    console.log(closingLine({ passed: 0, failed: 1 }));
    Deno.exit(1);
  }
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (LEFT_OUT.includes(name)) continue;
    if (isDirectory) await copy(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

/** The imports of deno.json name the real modules; only its workspace prefers others. */
async function forgetStandIns(path: string): Promise<void> {
  const { workspace: _, ...config } = JSON.parse(await Deno.readTextFile(path));
  await Deno.writeTextFile(path, JSON.stringify(config, undefined, 2));
}

function run(what: string, folder: string, args: readonly string[]): Promise<Run> {
  console.log(`\n${what}, with the modules of ${REGISTRY}`);
  return showDeno(args, { folder });
}

const counts = await main();
console.log(closingLine(counts));
Deno.exit(counts.failed === 0 ? 0 : 1);
