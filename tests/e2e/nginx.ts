import { NGINX } from "../../scripts/programs.ts";
import { pathOf } from "../servers/path_of.ts";
import { freePort } from "../servers/port.ts";
import { ServerProcess } from "../servers/server_process.ts";

/** An nginx of a test's own in front of a server, with nothing set but where that is. */
export class Nginx implements AsyncDisposable {
  readonly url: string;
  readonly #process: ServerProcess;
  readonly #folder: string;

  private constructor(url: string, process: ServerProcess, folder: string) {
    this.url = url;
    this.#process = process;
    this.#folder = folder;
  }

  /** Starts it on a free port, in front of another port of loopback. */
  static async start(upstreamPort: number): Promise<Nginx> {
    const port = freePort();
    const url = `http://127.0.0.1:${port}`;
    const folder = await Deno.makeTempDir({ prefix: "airwave-nginx-" });
    const config = `${folder}/nginx.conf`;
    await Deno.writeTextFile(config, configuration(folder, port, upstreamPort));
    const process = await ServerProcess.start({
      command: pathOf(NGINX),
      args: ["-p", folder, "-e", `${folder}/error.log`, "-c", config],
      // It ends its worker and closes what is open.
      killSignal: "SIGTERM",
      probe: async () => await (await fetch(url)).body?.cancel(),
    });
    return new Nginx(url, process, folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** What is set keeps it in its folder and in front; everything else is what nginx does by itself. */
function configuration(folder: string, port: number, upstreamPort: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`);
  return `
    daemon off;
    user root;
    pid ${folder}/nginx.pid;
    events {}
    http {
      access_log off;
      ${temporary.join("\n      ")}
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://127.0.0.1:${upstreamPort};
        }
      }
    }
  `;
}
