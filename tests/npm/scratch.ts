import { ROOT } from "../../scripts/project.ts";

/** What a command printed; it throws if the command failed. */
export async function run(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<string> {
  const { success, code, signal, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const [printed, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!success) {
    const end = signal ?? `code ${code}`;
    throw new Error(`${command} ${args.join(" ")} ended with ${end}:\n${printed}${errors}`);
  }
  return printed ?? "";
}

/** The package as npm gets it, and projects that install it. */
export class Tarball implements AsyncDisposable {
  /** The paths in it. */
  readonly files: readonly string[];
  readonly #path: string;
  readonly #folder: string;

  private constructor(folder: string, path: string, files: readonly string[]) {
    this.#folder = folder;
    this.#path = path;
    this.files = files;
  }

  /** Builds and packs it. */
  static async pack(): Promise<Tarball> {
    const folder = await Deno.makeTempDir({ prefix: "airwave-npm-" });
    await run(Deno.execPath(), ["task", "build:npm"], ROOT);
    const said = await run("npm", ["pack", "--json", "--pack-destination", folder], `${ROOT}/npm`);
    const [{ filename, files }] = JSON.parse(said);
    return new Tarball(
      folder,
      `${folder}/${filename}`,
      files.map(({ path }: { path: string }) => path),
    );
  }

  /** A new project that installed the package with npm, and these beside it. */
  async install(name: string, ...beside: readonly string[]): Promise<string> {
    const project = `${this.#folder}/${name}`;
    await Deno.mkdir(project);
    await Deno.writeTextFile(`${project}/package.json`, `{ "type": "module", "private": true }`);
    const quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"];
    await run("npm", ["install", ...quiet, this.#path, ...beside], project);
    return project;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.#folder, { recursive: true });
  }
}
