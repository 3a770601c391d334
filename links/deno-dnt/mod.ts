/**
 * Stand-in for `jsr:@deno/dnt`, for networks that have npm but not JSR; backed by
 * `npm:typescript`. It knows the options that `scripts/build_npm.ts` uses, and of each only the
 * values used. To run without it see links/README.md.
 *
 * @module
 */
import { type Package, packageJson } from "./package_json.ts";
import { compile, type CompilerOptions } from "./compile.ts";
import { type Dependency, readSources } from "./sources.ts";

/** An export of the package. */
export interface EntryPoint {
  /** Its subpath, such as `./client`. */
  name: string;
  /** Its module, from the working directory. */
  path: string;
}

/** What {@linkcode build} does, and with what. */
export interface BuildOptions {
  /** The exports of the package, the main one first. */
  entryPoints: EntryPoint[];
  /** Folder for the package. */
  outDir: string;
  /** Globals to be replaced. */
  shims: Record<string, never>;
  /** Build for CommonJS as well. */
  scriptModule: false;
  /** Run the tests of the modules. */
  test: false;
  /** Where the types go: to a folder of their own. */
  declaration: "separate";
  /** Do not put the TypeScript into the package. */
  skipSourceOutput: true;
  /** Specifiers that become packages. */
  mappings: Record<string, Dependency>;
  /** The package.json, apart from the exports. */
  package: Package;
  /** What installs the dependencies, for their types: called with `install` in `outDir`. */
  packageManager: string;
  /** What the modules are compiled with. */
  compilerOptions: CompilerOptions;
  /** Called when everything is written. */
  postBuild: () => void;
}

/** Builds a package for npm out of modules for Deno: checks types, writes ES modules and types. */
export async function build(options: BuildOptions): Promise<void> {
  const { entryPoints, outDir, mappings, compilerOptions, packageManager } = options;
  const { files, entries, dependencies } = await readSources(entryPoints, mappings);
  await Deno.mkdir(outDir, { recursive: true });
  const json = packageJson(options.package, entryPoints, entries, dependencies);
  await Deno.writeTextFile(`${outDir}/package.json`, JSON.stringify(json, undefined, 2));
  await Deno.writeTextFile(`${outDir}/.npmignore`, "/src/\nyarn.lock\npnpm-lock.yaml\n");
  await run(packageManager, ["install"], outDir);
  compile(files, await Deno.realPath(outDir), compilerOptions);
  await Deno.writeTextFile(`${outDir}/esm/package.json`, `{\n  "type": "module"\n}\n`);
  options.postBuild();
}

/** Makes a folder, or takes everything out of it. */
export async function emptyDir(dir: string): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
  for await (const { name } of Deno.readDir(dir)) {
    await Deno.remove(`${dir}/${name}`, { recursive: true });
  }
}

async function run(command: string, args: string[], cwd: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, cwd }).output();
  if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
}
