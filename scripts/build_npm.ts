/**
 * Builds the package for npm in `npm/`, out of what deno.json says: the same exports, name and
 * version as on JSR.
 *
 * @module
 */
import { build, emptyDir } from "@deno/dnt";
import config from "../deno.json" with { type: "json" };
import { ROOT } from "./project.ts";

/** Imported by one export each: who takes another, such as the client, installs nothing. */
const OPTIONAL_PEERS = ["ioredis", "postgres"] as const;

const versions = OPTIONAL_PEERS.map((name) => {
  const specifier = config.imports[name];
  return { name, specifier, version: specifier.slice(`npm:${name}@`.length) };
});

Deno.chdir(ROOT);
await emptyDir("npm");
await build({
  entryPoints: Object.entries(config.exports).map(([name, path]) => ({ name, path })),
  outDir: "npm",
  shims: {},
  scriptModule: false,
  test: false,
  declaration: "separate",
  skipSourceOutput: true,
  mappings: Object.fromEntries(
    versions.map(({ name, specifier, version }) => [
      specifier,
      { name, version, peerDependency: true },
    ]),
  ),
  package: {
    name: config.name,
    version: config.version,
    description: "Real-time broadcasting: channels, presence and history over WebSocket and " +
      "server-sent events, on one process or many",
    license: config.license,
    type: "module",
    sideEffects: false,
    engines: { node: ">=20" },
    peerDependenciesMeta: Object.fromEntries(
      OPTIONAL_PEERS.map((name) => [name, { optional: true }]),
    ),
    // For their types alone: optional peers are not installed by themselves.
    devDependencies: {
      "@types/node": "^20.9.0",
      ...Object.fromEntries(versions.map(({ name, version }) => [name, version])),
    },
  },
  packageManager: Deno.execPath(),
  compilerOptions: {
    target: "ES2022",
    // What Node 20 has. Newer methods than these are an error here.
    lib: ["ES2023", "DOM", "DOM.Iterable", "ESNext.Disposable", "ESNext.String"],
    noUncheckedIndexedAccess: true,
  },
  postBuild() {
    requirable("npm/package.json");
    for (const name of ["LICENSE", "README.md", "CHANGELOG.md", "PROTOCOL.md"]) {
      Deno.copyFileSync(name, `npm/${name}`);
    }
    Deno.writeTextFileSync("npm/.npmignore", "deno.lock\n", { append: true });
  },
});

/**
 * Names the modules for `require`, too. A Node that can load them so does, and one that cannot says to
 * `import` them; without, it would say that the package has no such file.
 */
function requirable(path: string): void {
  const json = JSON.parse(Deno.readTextFileSync(path));
  for (const entry of Object.values<Record<string, unknown>>(json.exports)) {
    entry.default = (entry.import as Record<string, unknown>).default;
  }
  Deno.writeTextFileSync(path, `${JSON.stringify(json, null, 2)}\n`);
}
