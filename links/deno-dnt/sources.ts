import ts from "typescript";
import type { EntryPoint } from "./mod.ts";

/** A package that modules import. */
export interface Dependency {
  name: string;
  version?: string;
  peerDependency?: boolean;
}

/** What goes into the package. */
export interface Sources {
  /** The text of each module as Node understands its imports, by the path in the package. */
  readonly files: ReadonlyMap<string, string>;
  /** The path of each entry point in the package. */
  readonly entries: readonly string[];
  readonly dependencies: readonly Dependency[];
}

/** Reads everything that the entry points import, and rewrites the imports. */
export async function readSources(
  entryPoints: readonly EntryPoint[],
  mappings: Readonly<Record<string, Dependency>>,
): Promise<Sources> {
  const graphs = await Promise.all(entryPoints.map(({ path }) => readGraph(path)));
  const modules = new Map(graphs.flatMap(({ modules }) => modules.map((m) => [m.specifier, m])));
  const dependencies = new Map<string, Dependency>();
  const files = new Map<string, string>();

  function target(specifier: string, from: string): string {
    if (specifier.startsWith("node:")) return specifier;
    if (!specifier.startsWith("npm:")) return relative(from, packagePath(specifier));
    const dependency = mappings[specifier] ?? parseNpm(specifier);
    dependencies.set(dependency.name, dependency);
    return dependency.name;
  }

  for (const { specifier, local, dependencies: imports = [], kind } of modules.values()) {
    if (kind !== "esm" || specifier.endsWith(".d.ts")) continue;
    const path = packagePath(specifier);
    const resolved = new Map(
      imports.map((i) => [i.specifier, i.code?.specifier ?? i.type?.specifier ?? i.specifier]),
    );
    const text = rewrite(
      await Deno.readTextFile(local ?? ""),
      // Types of a package that has none: those are installed with the package.
      (specifier) => {
        const to = resolved.get(specifier) ?? specifier;
        return to.endsWith(".d.ts") ? specifier : target(to, path);
      },
    );
    files.set(path, text);
  }
  return {
    files,
    entries: graphs.map(({ roots: [root = ""] }) => packagePath(root)),
    dependencies: [...dependencies.values()],
  };
}

/** What `deno info` says of a module and all that it imports. */
interface Graph {
  readonly roots: readonly string[];
  readonly modules: readonly {
    readonly specifier: string;
    readonly kind: string;
    readonly local?: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier: string };
      readonly type?: { readonly specifier: string };
    }[];
  }[];
}

async function readGraph(path: string): Promise<Graph> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", path],
  }).output();
  if (!success) throw new Error(`Cannot read ${path}: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Where a module goes: those of other packages of JSR into a folder of their own. */
function packagePath(specifier: string): string {
  const path = decodeURI(specifier).replace(decodeURI(ROOT), "");
  const [links, folder, ...rest] = path.split("/");
  if (links !== "links") return path;
  const { name, version } = JSON.parse(
    Deno.readTextFileSync(new URL(`links/${folder}/deno.json`, ROOT)),
  );
  return `deps/jsr.io/${name}/${version}/${rest.join("/")}`;
}

const ROOT = new URL("../../", import.meta.url).href;

function rewrite(text: string, target: (specifier: string) => string): string {
  let rewritten = "";
  let end = 0;
  for (const { fileName, pos } of ts.preProcessFile(text).importedFiles) {
    // After the quote.
    rewritten += text.slice(end, pos + 1) + target(fileName);
    end = pos + 1 + fileName.length;
  }
  return rewritten + text.slice(end);
}

function relative(from: string, to: string): string {
  const up = "../".repeat(from.split("/").length - 1) || "./";
  return up + to.replace(/\.ts$/, ".js");
}

function parseNpm(specifier: string): Dependency {
  const [, name = "", version] = /^npm:\/?(@?[^@]+)(?:@(.*))?$/.exec(specifier) ?? [];
  return { name, ...(version === undefined ? {} : { version }) };
}
