import { assert, assertEquals, assertMatch } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { bundle } from "../../scripts/bundle.ts";
import { ROOT } from "../../scripts/project.ts";
import { PAGE } from "../../scripts/size.ts";
import { bundleEntry, makeSuite, SUITE_PACKAGES } from "./portable_suite.ts";
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
/** The tests that any runtime can run, bundled for those with Node's modules. */
let suite: string;

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
  for (const name of ["consumer.js", "consumer.ts", "vite_build.js", "vm_import.js"]) {
    await Deno.copyFile(`${HERE}/${name}`, `${application}/${name}`);
  }
  for (const path of ["examples/recipes/express.js", EXPRESS_CONSUMER]) {
    await Deno.mkdir(`${application}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.copyFile(`${ROOT}/${path}`, `${application}/${path}`);
  }
  await Deno.writeTextFile(`${application}/page.js`, PAGE.replace("./client.ts", CLIENT));
  suite = await makeSuite(application, "server");
});

// Not there if packing failed, which is what should be told then.
Deno.test.afterAll(() => tarball?.[Symbol.asyncDispose]());

const EXPRESS_CONSUMER = "tests/npm/express_consumer.js";
const CLIENT = `${config.name}/client`;

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

const RUNTIMES = {
  Node: { command: () => "node", args: [] },
  Bun: { command: () => `${application}/node_modules/.bin/bun`, args: [] },
  "Deno through npm": { command: Deno.execPath, args: ["run", "-A"] },
} as const;

for (const [name, { command, args }] of Object.entries(RUNTIMES)) {
  Deno.test(`an application on ${name} sends and receives`, async () => {
    const listeners = name.startsWith("Deno") ? 2 : 1;
    assertEquals(
      await run(command(), [...args, "consumer.js"], application),
      `true\n${"It works\n".repeat(listeners)}`,
    );
  });

  Deno.test(`client, protocol, core and memory driver pass their tests on ${name}`, async () => {
    assertPassed(JSON.parse(await run(command(), [...args, suite], application)));
  });
}

Deno.test("the recipe for Express runs on Node", async () => {
  assertEquals(await run("node", [EXPRESS_CONSUMER], application), "12\n");
});

Deno.test(
  "client, protocol, core and memory driver pass their tests in a worker of Chromium",
  async () => {
    assertPassed(await runInWorker(await makeSuite(application, "browser")));
  },
);

let count: number | undefined;

/** All passed, and as many as everywhere else. */
function assertPassed(result: unknown): void {
  assert(typeof result === "object" && result !== null && "count" in result);
  assert(typeof result.count === "number" && result.count > 250, `only ${result.count} tests`);
  assertEquals<unknown>(result, { count: count ?? result.count, failures: [] });
  count = result.count;
}

for (const name of ["", "/client", "/gateway", "/protocol", "/testing"]) {
  Deno.test(
    `importing "${config.name}${name}" needs nothing but the language`,
    WITH_ESBUILD,
    async () => {
      const bundled = bundleEntry(`${config.name}${name}`, application);
      assertEquals(await run("node", ["vm_import.js", bundled], application), "true\n");
    },
  );
}

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
