import { ROOT } from "./project.ts";

/** A module of this project and what it imports, types included. */
export interface Module {
  /** From the root folder, such as `core/event.ts`. */
  readonly path: string;
  readonly imports: readonly Import[];
}

/** One import of a module. */
export interface Import {
  /** As it stands in the code. */
  readonly specifier: string;
  /** The module of this project that it means, from the root folder; `undefined` for a package. */
  readonly path: string | undefined;
}

/** Reads the modules of files and folders, as `deno info` sees them. */
export async function readModules(paths: readonly string[]): Promise<Module[]> {
  const modules = new Map<string, Module>();
  for (const path of paths.flatMap((path) => [...typescriptFiles(path)])) {
    // One that another imports was told of with it.
    if (modules.has(path)) continue;
    for (const module of parseGraph(await denoInfo(path))) modules.set(module.path, module);
  }
  return [...modules.values()];
}

function* typescriptFiles(path: string): Generator<string> {
  if (Deno.statSync(`${ROOT}/${path}`).isFile) {
    if (path.endsWith(".ts")) yield path;
    return;
  }
  for (const { name } of Deno.readDirSync(`${ROOT}/${path}`)) {
    yield* typescriptFiles(`${path}/${name}`);
  }
}

async function denoInfo(path: string): Promise<unknown> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", path],
    cwd: ROOT,
  }).output();
  if (!success) throw new Error(`deno info ${path} failed: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

function parseGraph(graph: unknown): Module[] {
  return list(graph, "modules").flatMap((module) => {
    const path = projectPath(text(module, "specifier"));
    return path === undefined
      ? []
      : [{ path, imports: list(module, "dependencies").map(parseImport) }];
  });
}

function parseImport(dependency: unknown): Import {
  const target = field(dependency, "code") ?? field(dependency, "type");
  return {
    specifier: text(dependency, "specifier") ?? "",
    path: projectPath(text(target, "specifier")),
  };
}

/** The stand-ins in `links/` are packages to those who import them. */
function projectPath(url: string | undefined): string | undefined {
  const root = new URL("../", import.meta.url).href;
  if (!url?.startsWith(root)) return;
  const path = url.slice(root.length);
  return path.startsWith("links/") || path.startsWith("node_modules/") ? undefined : path;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}

function text(value: unknown, name: string): string | undefined {
  const found = field(value, name);
  return typeof found === "string" ? found : undefined;
}

function list(value: unknown, name: string): readonly unknown[] {
  const found = field(value, name);
  return Array.isArray(found) ? found : [];
}
