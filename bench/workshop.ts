import { ROOT } from "../scripts/project.ts";
import type { Peer } from "./peers.ts";

/** What peers need of npm. */
const PACKAGES = ["node@24", "ws@8", "socket.io@4", "bun@1", "bufferutil@4", "utf-8-validate@6"];

/**
 * A folder outside of the project with all that is run: packages of other peers, which the project
 * does not depend on, and our own modules as Node can read them.
 */
export class Workshop {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Installs and builds; packages that are there already stay. */
  static async open(): Promise<Workshop> {
    const temporary = Deno.env.get("TMPDIR") ?? "/tmp";
    const folder = `${temporary}/airwave-bench`;
    await Deno.mkdir(`${folder}/peers`, { recursive: true });
    await Deno.mkdir(`${folder}/load`, { recursive: true });
    await Deno.writeTextFile(`${folder}/package.json`, '{ "private": true, "type": "module" }');
    await run("npm", ["install", "--no-audit", "--no-fund", "--silent", ...PACKAGES], folder);
    for (const part of ["peers", "load"]) {
      for await (const { name } of Deno.readDir(`${ROOT}/bench/${part}`)) {
        if (name.endsWith(".js")) {
          await Deno.copyFile(`${ROOT}/bench/${part}/${name}`, `${folder}/${part}/${name}`);
        }
      }
    }
    const output = `${folder}/peers/airwave_http.js`;
    await run(
      Deno.execPath(),
      ["bundle", "--quiet", "-o", output, "bench/peers/airwave_http.ts"],
      ROOT,
    );
    return new Workshop(folder);
  }

  get #node(): string {
    return `${this.#folder}/node_modules/node/bin/node`;
  }

  /** The command that serves a peer. */
  serverCommand({ runtime, module }: Peer): string[] {
    switch (runtime) {
      case "deno":
        return [Deno.execPath(), "run", "-A", "--no-check", `${ROOT}/bench/peers/${module}`];
      case "node":
        return [this.#node, `${this.#folder}/peers/${module}`];
      case "bun":
        return [`${this.#folder}/node_modules/.bin/bun`, `${this.#folder}/peers/${module}`];
    }
  }

  /** The command that brings load. */
  loadCommand(): string[] {
    return [this.#node, `${this.#folder}/load/main.js`];
  }

  /** Versions of everything that takes part. */
  async versions(): Promise<Record<string, string>> {
    const version = async (name: string) => {
      const text = await Deno.readTextFile(`${this.#folder}/node_modules/${name}/package.json`);
      return String(JSON.parse(text).version);
    };
    return {
      deno: Deno.version.deno,
      node: (await run(this.#node, ["--version"], this.#folder)).trim().slice(1),
      ws: await version("ws"),
      "socket.io": await version("socket.io"),
      bun: await version("bun"),
    };
  }
}

async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`${command} ${args.join(" ")} failed:\n${new TextDecoder().decode(stderr)}`);
}
