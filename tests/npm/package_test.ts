import { assert, assertEquals, assertMatch } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { bundle } from "../../scripts/bundle.ts";
import { ROOT } from "../../scripts/project.ts";
import { PAGE } from "../../scripts/size.ts";
import { DRIVER_SUITE_NAMES, DRIVER_SUITES, DRIVERS_ON_DENO_ONLY } from "./driver_suites.ts";
import {
  bundleEntry,
  makeSuites,
  NOT_ON_BUN,
  parseOutcome,
  pathOf,
  SUITE_PACKAGES,
  type SuiteName,
  type SuiteOutcome,
} from "./portable_suite.ts";
import { run, Tarball } from "./scratch.ts";
import { runInWorker } from "./worker_page.ts";

const HERE = import.meta.dirname ?? "";
/** esbuild keeps a thread for the next time. */
const WITH_ESBUILD = { sanitizeResources: false };

let tarball: Tarball;
/** A page's project, which takes the client only. */
let page: string;
/** An application's project, with everything that is optional. */
let application: string;
/** What came of the tests on every runtime. */
let outcomes: ReadonlyMap<string, PromiseSettledResult<SuiteOutcome>>;

Deno.test.beforeAll(async () => {
  tarball = await Tarball.pack();
  page = await tarball.install("page");
  application = await tarball.install(
    "application",
    ...[
      "ioredis",
      "postgres",
      "ws",
      "express",
      "bun",
      "vite",
      "typescript@5",
      "@types/node@20",
      ...SUITE_PACKAGES,
    ],
  );
  const programs = ["consumer.js", "consumer.ts", "vite_build.js", "vm_import.js"];
  for (const name of [...programs, "every_export.js", "worker_import.js", "worker_entry.js"]) {
    await Deno.copyFile(`${HERE}/${name}`, `${application}/${name}`);
  }
  for (const path of ["examples/recipes/express.js", EXPRESS_CONSUMER]) {
    await Deno.mkdir(`${application}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.copyFile(`${ROOT}/${path}`, `${application}/${path}`);
  }
  await Deno.writeTextFile(`${application}/page.js`, PAGE.replace("./client.ts", CLIENT));
  outcomes = await runSuites();
});

/** So many suites run at a time; drivers mostly wait for what they do to their servers. */
const SUITES_AT_A_TIME = 5;

/** Runs all suites. More of them at a time, and a busy machine would fail those that measure time. */
async function runSuites() {
  await makeSuites(application);
  const suite = (name: SuiteName) => pathOf(application, name);
  const on = async ({ command, args }: Runtime, path: string) => {
    const printed = await run(command(), [...args, path], application);
    // Before it may be seeds of what was random.
    return parseOutcome(printed.trimEnd().split("\n").at(-1) ?? "");
  };
  const waiting = new Map<string, () => Promise<SuiteOutcome>>();
  for (const [name, runtime] of Object.entries(RUNTIMES)) {
    waiting.set(name, () => on(runtime, suite("server")));
  }
  waiting.set("Chromium", async () => parseOutcome(await runInWorker(suite("browser"))));
  for (const name of DRIVER_SUITE_NAMES) waiting.set(name, () => on(RUNTIMES.Node, suite(name)));
  const settled = new Map<string, PromiseSettledResult<SuiteOutcome>>();
  const runInTurn = async () => {
    for (const [name, start] of waiting) {
      waiting.delete(name);
      const [outcome] = await Promise.allSettled([start()]);
      settled.set(name, outcome);
    }
  };
  await Promise.all(Array.from({ length: SUITES_AT_A_TIME }, runInTurn));
  return settled;
}

// Not there if packing failed, which is what should be told then.
Deno.test.afterAll(() => tarball?.[Symbol.asyncDispose]());

const EXPRESS_CONSUMER = "tests/npm/express_consumer.js";
const CLIENT = `${config.name}/client`;
/** Every export by its name. */
const EXPORTS = Object.keys(config.exports).map((path) => path.replace(".", config.name));

Deno.test("the tarball holds modules, their types and texts, and nothing else", () => {
  const texts = ["CHANGELOG.md", "LICENSE", "PROTOCOL.md", "README.md", "package.json"];
  assertEquals(tarball.files.filter((path) => !path.includes("/")).sort(), texts);
  for (const path of tarball.files.filter((path) => !texts.includes(path))) {
    assertMatch(
      path,
      /^(?:esm|types)\/(?:mod|client|(?:protocol|core|drivers|gateway|client|testing|deps)\/.*)\.(?:d\.ts|js)$|^esm\/package\.json$/,
    );
  }
});

Deno.test("the package has the exports of deno.json, and each file that it names", async () => {
  const json = JSON.parse(
    await Deno.readTextFile(`${page}/node_modules/${config.name}/package.json`),
  );
  assertEquals(Object.keys(json.exports), Object.keys(config.exports));
  for (const name of Object.keys(config.exports)) {
    const { types, default: module } = json.exports[name].import;
    for (const path of [types, module]) assert(tarball.files.includes(path.slice(2)), path);
  }
  assertEquals(
    [json.version, json.type, json.sideEffects, json.license, json.engines.node],
    [config.version, "module", false, "MIT", ">=20"],
  );
});

Deno.test("who takes the client only installs nothing beside it", async () => {
  const installed = (await run("npm", ["ls", "--all", "--parseable"], page)).trim().split("\n");
  assertEquals(installed.map((path) => path.slice(page.length)), [
    "",
    `/node_modules/${config.name}`,
  ]);
  const check = `const { BroadcastClient } = await import("${CLIENT}");
    const client = new BroadcastClient({ url: "ws://localhost/", autoConnect: false });
    console.log(client.state);`;
  assertEquals(
    await run("node", ["--input-type=module", "--eval", check], page),
    "disconnected\n",
  );
});

/** What the listener for Bun says elsewhere. */
const NOT_FOR_BUN = "on another runtime than Bun it says what to take";

/** How to run a program. */
interface Runtime {
  readonly command: () => string;
  readonly args: readonly string[];
  /** Ways to bring a gateway to the network there. */
  readonly listeners: number;
}

const RUNTIMES = {
  Node: { command: () => "node", args: [], listeners: 1 },
  Bun: { command: () => `${application}/node_modules/.bin/bun`, args: [], listeners: 2 },
  "Deno through npm": { command: Deno.execPath, args: ["run", "-A"], listeners: 2 },
} as const satisfies Record<string, Runtime>;

for (const [name, { command, args, listeners }] of Object.entries(RUNTIMES)) {
  Deno.test(`an application on ${name} sends and receives`, async () => {
    assertEquals(
      await run(command(), [...args, "consumer.js"], application),
      `true\n${"It works\n".repeat(listeners)}`,
    );
  });

  Deno.test(`every export can be imported on ${name}, in a worker too`, async () => {
    const printed = await run(command(), [...args, "worker_import.js"], application);
    const [here, inWorker]: number[][] = JSON.parse(printed);
    assertEquals(here?.length, EXPORTS.length);
    assert(here?.every((count) => count > 0), printed);
    assertEquals(inWorker, here);
  });

  Deno.test(`client, protocol, core, memory driver and gateway pass their tests on ${name}`, () => {
    const { count, leftOut } = passed(name);
    assert(count > 650, `only ${count} tests`);
    if (name === "Bun") assertEquals(leftOut, [NOT_FOR_BUN, ...Object.keys(NOT_ON_BUN)]);
    else assertEquals(leftOut.filter((test) => !/\bBun\b/.test(test)), []);
  });
}

Deno.test("Bun and Deno, which have two listeners each, know the same number of tests", () => {
  const [onBun, onDeno] = ["Bun", "Deno through npm"].map(passed)
    .map(({ count, leftOut }) => count + leftOut.length);
  assertEquals(onBun, onDeno);
});

for (const name of DRIVER_SUITE_NAMES) {
  Deno.test(`the driver passes its tests with ${name} on Node`, () => {
    const { count, leftOut } = passed(name);
    assert(count >= DRIVER_SUITES[name].count, `only ${count} tests`);
    assertEquals(leftOut, []);
  });
}

Deno.test("every test of a driver runs on Node, or is named with the reason", () => {
  const known = [...Object.values(DRIVER_SUITES).flatMap(({ files }): readonly string[] => files)]
    .concat(Object.keys(DRIVERS_ON_DENO_ONLY));
  const files = [...Deno.readDirSync(`${ROOT}/tests/drivers_on_servers`)].map(({ name }) => name);
  assertEquals(known.sort(), files.filter((name) => name.endsWith("_test.ts")).sort());
});

Deno.test("the recipe for Express runs on Node", async () => {
  assertEquals(await run("node", [EXPRESS_CONSUMER], application), "12\n");
});

Deno.test("client, protocol, core and memory driver pass their tests in a worker of Chromium", () => {
  const { count, leftOut } = passed("Chromium");
  assert(count > 300, `only ${count} tests`);
  assertEquals(leftOut, []);
});

/** What came of the tests on a runtime, none of which failed. */
function passed(runtime: string): { readonly count: number; readonly leftOut: readonly string[] } {
  const outcome = outcomes.get(runtime);
  if (outcome?.status !== "fulfilled") throw outcome?.reason;
  const { count, leftOut, failures } = outcome.value;
  assertEquals(failures, []);
  return { count, leftOut };
}

/** Exports that import modules of Node or packages that are made for it. */
const WITH_MODULES = ["node", "redis", "postgres"].map((path) => `${config.name}/${path}`);

for (const name of EXPORTS) {
  const needs = WITH_MODULES.includes(name) ? "modules beside" : "nothing but";
  Deno.test(`importing "${name}" needs ${needs} the language`, WITH_ESBUILD, async () => {
    const bundled = bundleEntry(name, application);
    const args = ["vm_import.js", bundled, ...WITH_MODULES.includes(name) ? ["require"] : []];
    assertEquals(await run("node", args, application), "true\n");
  });
}

Deno.test("every other export can be imported in a worker of Chromium", WITH_ESBUILD, async () => {
  const names = EXPORTS.filter((name) => !WITH_MODULES.includes(name));
  let code = "const counts = [];";
  for (const name of names) {
    code += await Deno.readTextFile(bundleEntry(name, application));
    code += "counts.push(Object.keys(entry).length);\n";
  }
  const worker = `${application}/every_export.worker.js`;
  await Deno.writeTextFile(worker, `${code}globalThis.result = JSON.stringify(counts);`);
  const counts: number[] = JSON.parse(await runInWorker(worker));
  assertEquals(counts.length, names.length);
  assert(counts.every((count) => count > 0), String(counts));
});

for (const resolution of ["nodenext", "bundler"] as const) {
  Deno.test(`TypeScript understands the types, as ${resolution} looks for them`, async () => {
    const module = resolution === "nodenext" ? "nodenext" : "esnext";
    const options = ["--strict", "--noEmit", "--target", "es2022", "--lib", "esnext,dom"];
    await run(
      "node",
      ["node_modules/typescript/bin/tsc", ...options]
        .concat("--module", module, "--moduleResolution", resolution, "consumer.ts"),
      application,
    );
  });
}

Deno.test("esbuild puts only the client and the protocol into a page", WITH_ESBUILD, () => {
  const { modules } = bundle(PAGE.replace("./client.ts", CLIENT), application);
  assertOnlyClient(modules);
});

Deno.test("Vite puts only the client and the protocol into a page", async () => {
  assertOnlyClient(JSON.parse(await run("node", ["vite_build.js", "vite"], application)));
});

function assertOnlyClient(modules: readonly string[]): void {
  assert(modules.some((path) => path.endsWith("/esm/client/client.js")), modules.join("\n"));
  for (const path of modules) {
    // The page itself, and what its bundler adds to load chunks on demand.
    if (path.endsWith("/page.js") || path.startsWith("\0")) continue;
    assertMatch(
      path,
      /\/?node_modules\/@airwave\/broadcast\/esm\/(?:client|protocol)\/[a-z_]+\.js$/,
    );
  }
}
