import { build, buildSync, type Plugin, stop } from "esbuild";
import config from "../../deno.json" with { type: "json" };
import { ROOT } from "../../scripts/project.ts";
import { run } from "./scratch.ts";

/** Where the tests are that need nothing but a runtime. */
const FOLDERS = ["client", "core", "drivers", "protocol", "testing"];

/** What some of them do need: a server, which no browser can be, a process, or another driver. */
const NEEDS_MORE = /\bDeno\.(?!test\b)|"(?:node:|@airwave\/broadcast\/(?:node|redis|postgres)")/;

/** What the tests import, as npm installs it. */
export const SUITE_PACKAGES: readonly string[] = [
  ...(["fast-check", "eventsource-parser"] as const).map((name) =>
    config.imports[name].slice("npm:".length)
  ),
  // Node's own assertions, for a browser.
  "assert@^2",
];

const RUNNER = `${import.meta.dirname}/suite_runner.js`;

/**
 * As a process of its own, for esbuild leaves one behind whose end nobody can wait for.
 *
 * @returns The module's path.
 */
export async function makeSuite(project: string, platform: Platform): Promise<string> {
  const path = `${project}/suite.${platform}.js`;
  await run(Deno.execPath(), ["run", "-A", import.meta.filename ?? "", path, platform], ROOT);
  return path;
}

/** For a browser, or with Node's own modules. */
type Platform = "browser" | "server";

/**
 * Bundles the tests of client, protocol, core and memory driver, as they are, into one module that
 * runs them against the package a project has installed, and then says what came of it as JSON.
 */
async function bundleSuite(outfile: string, platform: string): Promise<void> {
  const project = outfile.slice(0, outfile.lastIndexOf("/"));
  await build({
    stdin: { contents: entry(), resolveDir: `${ROOT}/tests`, loader: "ts" },
    outfile,
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2022",
    // Deno cannot read such an escape behind half a surrogate pair.
    supported: { "unicode-escapes": false },
    define: { "Deno.test": "registerTest", "global": "globalThis" },
    inject: [RUNNER],
    plugins: [installed(project)],
    ...platform === "server" ? { external: ["node:*"] } : {
      alias: { "node:assert": `${project}/node_modules/assert/build/assert.js` },
      banner: { js: "globalThis.process ??= { env: {} };" },
    },
    logLevel: "silent",
  }).finally(stop);
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
  });
  return outfile;
}

function entry(): string {
  const tests = FOLDERS.flatMap((folder) =>
    [...Deno.readDirSync(`${ROOT}/tests/${folder}`)].map(({ name }) => `tests/${folder}/${name}`)
  ).filter((path) => path.endsWith("_test.ts") && isPortable(path)).sort();
  return [
    `import { runTests } from ${JSON.stringify(RUNNER)};`,
    ...tests.map((path) => `import "../${path}";`),
    `globalThis.result = await runTests();`,
    `console.log(JSON.stringify(globalThis.result));`,
  ].join("\n");
}

/** Whether a module, and all of ours that it imports and that are not published, can run anywhere. */
function isPortable(path: string): boolean {
  if (path.startsWith("drivers/")) return path === "drivers/memory.ts";
  if (/^(?:client|core|gateway|protocol|testing)\//.test(path)) return true;
  const text = Deno.readTextFileSync(`${ROOT}/${path}`);
  const imports = [...text.matchAll(/ from "(\.[^"]*)"/g)].map(([, specifier = ""]) =>
    new URL(specifier, `file:///${path}`).pathname.slice(1)
  );
  return !NEEDS_MORE.test(text) && imports.every(isPortable);
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
  const [outfile = "", platform = ""] = Deno.args;
  await bundleSuite(outfile, platform);
}
