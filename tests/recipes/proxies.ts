import { ROOT } from "../../scripts/project.ts";
import { CADDY, NGINX } from "../../scripts/programs.ts";
import { pathOf } from "../servers/path_of.ts";
import { freePort } from "../servers/port.ts";
import { ServerProcess } from "../servers/server_process.ts";

/** A proxy with the configuration of a recipe; only where it listens and what is behind it is ours. */
export class Proxy implements AsyncDisposable {
  readonly url: string;
  readonly #process: ServerProcess;
  readonly #folder: string;

  private constructor(url: string, process: ServerProcess, folder: string) {
    this.url = url;
    this.#process = process;
    this.#folder = folder;
  }

  /** `spoil` makes of the recipe what others have in its place. */
  static async start(
    name: keyof typeof PROXIES,
    upstreamPort: number,
    spoil: (text: string) => string = (text) => text,
  ): Promise<Proxy> {
    const { recipe, program, listen, configure, args } = PROXIES[name];
    const port = freePort();
    const url = `http://127.0.0.1:${port}`;
    const folder = await Deno.makeTempDir({ prefix: `airwave-${name}-` });
    const text = await Deno.readTextFile(`${ROOT}/examples/recipes/${recipe}`);
    const [from, to] = listen(port);
    const upstream = replaceOnce(text, "127.0.0.1:8000", `127.0.0.1:${upstreamPort}`);
    const configured = replaceOnce(upstream, from, to);
    await Deno.writeTextFile(`${folder}/${recipe}`, configure(spoil(configured), folder));
    const process = await ServerProcess.start({
      command: pathOf(program),
      args: args(folder),
      env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
      // It ends its workers and closes what is open.
      killSignal: "SIGTERM",
      probe: async () => await (await fetch(url)).body?.cancel(),
    });
    return new Proxy(url, process, folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

const PROXIES = {
  nginx: {
    recipe: "nginx.conf",
    program: NGINX,
    listen: (port: number) => ["listen 80;", `listen 127.0.0.1:${port};`] as const,
    configure: (text: string, folder: string) => {
      const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map((kind) => `${kind}_temp_path ${folder}/${kind};`);
      return `daemon off; user root; pid ${folder}/nginx.pid; events {}
        http { access_log off; ${temporary.join(" ")} ${text} }`;
    },
    args: (folder: string) => [
      ...["-p", folder, "-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`],
    ],
  },
  caddy: {
    recipe: "Caddyfile",
    program: CADDY,
    listen: (port: number) => [":80 {", `http://127.0.0.1:${port} {\n\tbind 127.0.0.1`] as const,
    configure: (text: string, _folder: string) => `{\n\tadmin off\n}\n${text}`,
    args: (folder: string) => ["run", "--adapter", "caddyfile", "--config", `${folder}/Caddyfile`],
  },
} as const;

/** Puts a text in the place of another, which must be there once. */
export function replaceOnce(text: string, from: string, to: string): string {
  if (text.split(from).length !== 2) throw new Error(`The recipe has not one "${from}"`);
  return text.replace(from, to);
}
