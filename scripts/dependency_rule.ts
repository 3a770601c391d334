import type { Module } from "./module_graph.ts";

/** What the modules of a layer may import beside each other. */
interface Layer {
  readonly name: string;
  /** Its files and folders. */
  readonly paths: readonly string[];
  /** Names of layers, or single modules of one. */
  readonly layers: readonly string[];
  /** Names of packages, as in the imports of deno.json. */
  readonly packages: readonly string[];
}

/** The rule of ARCHITECTURE.md. Modules outside of these layers, such as tests, are free. */
export const LAYERS: readonly Layer[] = [
  { name: "protocol", paths: ["protocol"], layers: [], packages: [] },
  { name: "client", paths: ["client.ts", "client"], layers: ["protocol"], packages: [] },
  {
    name: "core",
    paths: ["core"],
    layers: ["protocol"],
    packages: ["@std/async", "@std/ulid"],
  },
  driver("memory"),
  driver("redis", "ioredis", "node:crypto"),
  driver("postgres", "postgres", "node:net"),
  {
    name: "gateway/node",
    paths: ["gateway/node.ts", "gateway/node"],
    layers: ["gateway", "core", "protocol"],
    packages: ["node:buffer", "node:crypto", "node:http", "node:stream"],
  },
  {
    name: "gateway/bun",
    paths: ["gateway/bun.ts", "gateway/bun"],
    layers: ["gateway", "core", "protocol"],
    packages: [],
  },
  { name: "gateway", paths: ["gateway"], layers: ["core", "protocol"], packages: [] },
  {
    name: "testing",
    paths: ["testing"],
    // And the two interfaces that its fake sockets have to fit.
    layers: ["core", "protocol", "drivers/memory", "gateway/socket.ts", "client/socket.ts"],
    packages: [],
  },
  {
    name: "mod.ts",
    paths: ["mod.ts"],
    layers: ["core", "drivers/memory", "gateway"],
    packages: [],
  },
];

/** The only modules of the layers that may name the runtime. */
const DENO_GLUE = ["gateway/deno.ts"];

/** Drivers share the core and nothing else: what two of them need belongs there. */
function driver(name: string, ...packages: readonly string[]): Layer {
  return {
    name: `drivers/${name}`,
    paths: [`drivers/${name}.ts`, `drivers/${name}`],
    layers: ["core", "protocol"],
    packages,
  };
}

/** What breaks the dependency rule, in sentences; nothing if all is well. */
export function dependencyViolations(modules: readonly Module[]): string[] {
  return modules.flatMap(({ path, imports }) => {
    const layer = layerOf(path);
    if (layer === undefined) return [];
    return imports.flatMap((imported) => {
      const allowed = imported.path === undefined
        ? layer.packages.includes(imported.specifier)
        : mayImport(layer, imported.path);
      return allowed ? [] : [`${path} imports "${imported.specifier}": ${ruleOf(layer)}`];
    });
  });
}

/** Where the code of a layer's module names the runtime, in a sentence; nothing if all is well. */
export function runtimeViolations(path: string, codeOnly: string): string[] {
  if (layerOf(path) === undefined || DENO_GLUE.includes(path)) return [];
  return codeOnly.split("\n").flatMap((line, index) =>
    /\bDeno\b/.test(line)
      ? [`${path}:${index + 1} says Deno: only ${DENO_GLUE.join(", ")} may name the runtime`]
      : []
  );
}

function mayImport(from: Layer, path: string): boolean {
  const to = layerOf(path);
  if (to === undefined) return false;
  return to === from || from.layers.includes(to.name) || from.layers.includes(path);
}

function layerOf(path: string): Layer | undefined {
  return LAYERS.find(({ paths }) =>
    paths.some((own) => path === own || path.startsWith(`${own}/`))
  );
}

function ruleOf({ name, layers, packages }: Layer): string {
  const allowed = [...layers, ...packages];
  return `${name} may import only its own modules${
    allowed.length === 0 ? "" : ` and ${allowed.join(", ")}`
  }`;
}
