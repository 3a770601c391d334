import { assert } from "@std/assert";
import { build, buildSync, type Plugin, stop } from "esbuild";
import config from "../../deno.json" with { type: "json" };
import { ROOT } from "../../scripts/project.ts";
import { DRIVER_SUITE_NAMES, DRIVER_SUITES, type DriverSuiteName } from "./driver_suites.ts";
import { run } from "./scratch.ts";

/** Where the tests are that are no matter of one runtime. */
const FOLDERS = ["client", "core", "drivers", "gateway", "protocol", "testing"];

/** Those that stay on Deno, and why. */
const DENO_ONLY: Readonly<Record<string, string>> = {
  "client/sse_client_test.ts": "its gateways take turns on one Deno.serve",
  "client/sse_test.ts": "its servers are scripts on Deno.serve",
  "gateway/node_heap_test.ts": "it measures the heap of V8 after a collection",
  "gateway/soak_test.ts": "it measures the heap of V8 after a collection",
  "drivers/memory_heap_test.ts": "it measures a process of Deno",
  "drivers/own_driver_test.ts": "it holds an example for Deno",
};

/** Single tests that Bun cannot run, and why. */
export const NOT_ON_BUN: Readonly<Record<string, string>> = {
  "over real sockets: who answers is gone at once, who does not holds a drain up to its deadline (Bun.serve)":
    "Bun tells of a close before the peer has answered, and waits for the answer by itself",
};

/** Those that no browser can run: they listen, read files, or need the server's packages. */
const SERVER_ONLY =
  /^gateway\/|^client\/(?:members|tokens_on_gateway)_|^core\/types|^drivers\/redis|^protocol\/(?:sessions|sse_session)_test/;

/** What the tests import, as npm installs it. */
export const SUITE_PACKAGES: readonly string[] = [
  ...(["fast-check", "eventsource-parser"] as const).map((name) =>
    config.imports[name].slice("npm:".length)
  ),
  // Node's own assertions, for a browser.
  "assert@^2",
];

/** What came of the tests on a runtime. */
export interface SuiteOutcome {
  readonly count: number;
  /** Names of those that did not run. */
  readonly leftOut: readonly string[];
  readonly failures: readonly string[];
}

/** Takes what `runTests` gave, as JSON, for what it is. */
export function parseOutcome(json: string): SuiteOutcome {
  const outcome: unknown = JSON.parse(json);
  assert(typeof outcome === "object" && outcome !== null);
  assert("count" in outcome && typeof outcome.count === "number");
  assert("leftOut" in outcome && isTexts(outcome.leftOut));
  assert("failures" in outcome && isTexts(outcome.failures));
  return { count: outcome.count, leftOut: outcome.leftOut, failures: outcome.failures };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}

const HERE = import.meta.filename ?? "";
const RUNNER = `${import.meta.dirname}/suite_runner.js`;
const STANDINS = `${import.meta.dirname}/server_standins.js`;

/** Bundles all suites, in a process of its own: esbuild leaves one whose end nobody can wait for. */
export async function makeSuites(project: string): Promise<void> {
  await run(Deno.execPath(), ["run", "-A", "--no-check", HERE, project], ROOT);
}

/** The module of a suite. */
export function pathOf(project: string, name: SuiteName): string {
  return `${project}/suite.${name.replaceAll(" ", "_")}.js`;
}

/** What tests use of `Deno` anywhere. */
const ANYWHERE = {
  "Deno.test": "registerTest",
  "Deno.env.get": "getVariable",
  "global": "globalThis",
};

/** Packages that are loaded as an application loads them. */
const PEERS = ["ioredis", "postgres"];

/** What tests use of it where there are Node's own modules. */
const ON_SERVER = Object.fromEntries(
  [
    ...["chmod", "chown", "Command", "connect", "errors", "inspect", "kill", "listen"],
    ...[
      "makeTempDir",
      "makeTempFile",
      "mkdir",
      "readDirSync",
      "readTextFile",
      "readTextFileSync",
      "realPathSync",
      "remove",
    ],
    ...["removeSync", "rename", "stat", "statSync", "truncate", "uid", "writeTextFile"],
  ].map((member) => [`Deno.${member}`, `denoOrStandIn.${member}`]),
);

/**
 * The tests for a browser, those for a runtime with Node's modules, or those of a driver; and the
 * program that those of drivers start as their nodes.
 */
export type SuiteName = "browser" | "server" | DriverSuiteName | "node";

/**
 * Bundles tests, as they are, into one module that runs them against the package a project has
 * installed, and then says what came of it as JSON.
 */
async function bundleSuite(project: string, name: SuiteName): Promise<void> {
  await build({
    stdin: { contents: entry(name), resolveDir: `${ROOT}/tests`, loader: "ts" },
    outfile: pathOf(project, name),
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2022",
    // Deno cannot read such an escape behind half a surrogate pair.
    supported: { "unicode-escapes": false },
    plugins: [installed(project)],
    ...name !== "browser"
      ? {
        inject: [RUNNER, STANDINS],
        define: {
          ...ANYWHERE,
          ...ON_SERVER,
          "import.meta.url": JSON.stringify(`file://${ROOT}/tests/npm/suite.ts`),
          // Only asked for the project's own folder.
          "import.meta.dirname": JSON.stringify(`${ROOT}/scripts`),
        },
        external: ["node:*", ...PEERS],
      }
      : {
        inject: [RUNNER],
        define: ANYWHERE,
        alias: { "node:assert": `${project}/node_modules/assert/build/assert.js` },
        banner: { js: "globalThis.process ??= { env: {} };" },
      },
    logLevel: "silent",
  });
}

/** Bundles an export of the package into a script that leaves it as the global `entry`. */
export function bundleEntry(name: string, project: string): string {
  const outfile = `${project}/entry.js`;
  buildSync({
    stdin: { contents: `export * from ${JSON.stringify(name)};`, resolveDir: project },
    outfile,
    bundle: true,
    format: "iife",
    globalName: "entry",
    platform: "neutral",
    external: ["node:*", ...PEERS],
  });
  return outfile;
}

function entry(name: SuiteName): string {
  if (name === "node") return `import "./nodes/main.ts";`;
  const tests = [...testsOf(name)].sort();
  return [
    `import { runTests } from ${JSON.stringify(RUNNER)};`,
    ...tests.map((path) => `import "./${path}";`),
    `const out = "Bun" in globalThis ? ${JSON.stringify(Object.keys(NOT_ON_BUN))} : [];`,
    `const result = await runTests(out);`,
    `globalThis.result = JSON.stringify(result);`,
    `console.log(globalThis.result);`,
    // What failed may have left anything open; what passed leaves nothing, and the process ends.
    `if (result.failures.length > 0) globalThis.process?.exit?.();`,
  ].join("\n");
}

function testsOf(name: Exclude<SuiteName, "node">): string[] {
  if (name !== "browser" && name !== "server") {
    return DRIVER_SUITES[name].files.map((file) => `drivers_on_servers/${file}`);
  }
  return FOLDERS.flatMap((folder) =>
    [...Deno.readDirSync(`${ROOT}/tests/${folder}`)].map(({ name }) => `${folder}/${name}`)
  ).filter((path) =>
    path.endsWith("_test.ts") && !Object.hasOwn(DENO_ONLY, path) &&
    (name === "server" || !SERVER_ONLY.test(path))
  );
}

/** Brings every import of our own modules to those of the installed package. */
function installed(project: string): Plugin {
  const modules = `${project}/node_modules/${config.name}/esm`;
  return {
    name: "installed",
    setup({ onResolve, resolve }) {
      onResolve({ filter: /^@std\// }, ({ path }) => ({
        path: `${ROOT}/links/${path.slice(1).replace("/", "-")}/mod.ts`,
      }));
      // By its file, for Bun has one of its own behind the name.
      onResolve({ filter: /^ws$/ }, () => ({
        path: "./node_modules/ws/wrapper.mjs",
        external: true,
      }));
      onResolve(
        { filter: /^@airwave\/|^fast-check$|^eventsource/ },
        ({ path, kind, pluginData }) => {
          if (pluginData === "resolved") return;
          return resolve(path, { kind, resolveDir: project, pluginData: "resolved" });
        },
      );
      onResolve({ filter: /^\.\.\/\.\.\// }, ({ path, resolveDir }) => {
        const root = new URL(`file://${ROOT}/`).href;
        const target = new URL(path, `file://${resolveDir}/`).href.slice(root.length);
        const isPublished = /^(?:protocol|core|drivers|gateway|client|testing)\/|^[a-z]+\.ts$/;
        if (!isPublished.test(target)) return;
        return { path: `${modules}/${target.replace(/\.ts$/, ".js")}` };
      });
    },
  };
}

if (import.meta.main) {
  const [project = ""] = Deno.args;
  const names = ["browser", "server", "node", ...DRIVER_SUITE_NAMES] as const;
  await Promise.all(names.map((name) => bundleSuite(project, name))).finally(stop);
}
