/**
 * Checks everything that must hold before a commit, two things at a time: one line each, the whole
 * output of what failed, and the line `N passed, N failed` at the end; the exit code tells too.
 *
 * @module
 */
import { closingLine } from "./counts.ts";
import { runDeno } from "./deno.ts";
import { existing, EXPORTS, GUIDES, PAGES } from "./project.ts";
import { SUITES } from "./suites.ts";

/** The arguments of `deno` for every check, by name. */
const CHECKS: Readonly<Record<string, readonly string[]>> = {
  "format": ["fmt", "--check"],
  "lint": ["lint"],
  "lock file": ["install", "--frozen"],
  "types": ["check", "mod.ts", "testing", "tests", "scripts", ...existing(["bench"])],
  // On their own: pages bring the types of a browser, and those hold for a whole program.
  "types in examples": ["check", "examples"],
  "types in a browser": [
    "check",
    "--config",
    "scripts/browser.deno.json",
    "client.ts",
    "protocol/mod.ts",
  ],
  "documentation": ["doc", "--lint", ...EXPORTS],
  "module graph": ["test", "-A", "tests/module_graph_test.ts"],
  "unit tests": SUITES.unit.args,
  "examples in doc comments": SUITES.doc.args,
  // Not run: what a page shows is a server that goes on for ever, or needs a browser.
  "examples in pages": ["check", "--doc-only", ...PAGES, ...GUIDES],
  // Also refuses what Node 20 does not have.
  "npm build": ["task", "build:npm"],
  "publish": ["publish", "--dry-run", "--allow-dirty"],
};

const waiting = Object.entries(CHECKS);
const failed: string[] = [];

async function work(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const [name, args] = next;
    const startedAt = performance.now();
    const { success, output } = await runDeno(args);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    console.log(`${success ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
    if (success) continue;
    failed.push(name);
    console.log(`\n> deno ${args.join(" ")}\n${output}`);
  }
}

await Promise.all([work(), work()]);

if (failed.length > 0) console.log(`\nFailed: ${failed.join(", ")}`);
const passed = Object.keys(CHECKS).length - failed.length;
console.log(closingLine({ passed, failed: failed.length }));
Deno.exit(failed.length === 0 ? 0 : 1);
