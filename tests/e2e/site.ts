import {
  BroadcastGateway,
  type BroadcastGatewayOptions,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import { ROOT } from "../../scripts/project.ts";

/** What a test says about the gateway. */
export type SiteOptions = Omit<BroadcastGatewayOptions, "broadcaster">;

/** A page that holds the client, as a module of its own and as the global `airwave`. */
const PAGE = `<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>Test page</title>
<script type="module">
  globalThis.log = [];
  globalThis.airwave = await import("/client.js");
  document.title = "Ready";
</script>`;

/** A site with that page and a gateway, which can be stopped and started again at its address. */
export class Site implements AsyncDisposable {
  readonly #options: SiteOptions;
  readonly #clientModule: string;
  #port = 0;
  #running: Running | undefined;

  private constructor(options: SiteOptions, clientModule: string) {
    this.#options = options;
    this.#clientModule = clientModule;
  }

  /** Starts a site on a free port. */
  static async start(options: SiteOptions = {}): Promise<Site> {
    const site = new Site(options, await bundleClient());
    site.restart();
    return site;
  }

  /** Where it is; `127.0.0.1` means the same machine and is another origin. */
  url(host: "localhost" | "127.0.0.1" = "localhost"): string {
    return `http://${host}:${this.#port}`;
  }

  /** Where its gateway is. */
  get socketUrl(): string {
    return `ws://localhost:${this.#port}/_broadcast`;
  }

  /** The broadcaster of the server that runs now. */
  get broadcaster(): MemoryBroadcaster {
    return this.#current.broadcaster;
  }

  /** The gateway of the server that runs now. */
  get gateway(): BroadcastGateway {
    return this.#current.gateway;
  }

  /** Starts a server that remembers nothing of the last one. */
  restart(): void {
    const broadcaster = new MemoryBroadcaster();
    const gateway = new BroadcastGateway({ ...this.#options, broadcaster });
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: this.#port, onListen() {} },
      (request) => gateway.match(request) ? gateway.handler(request) : this.#answer(request),
    );
    this.#port = server.addr.port;
    this.#running = { broadcaster, gateway, server };
  }

  /** Ends the server; idempotent. */
  async stop(): Promise<void> {
    if (this.#running === undefined) return;
    const { broadcaster, gateway, server } = this.#running;
    this.#running = undefined;
    await gateway.close();
    await broadcaster.close();
    await server.shutdown();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  get #current(): Running {
    if (this.#running === undefined) throw new Error("The site is stopped");
    return this.#running;
  }

  #answer(request: Request): Response {
    const { pathname } = new URL(request.url);
    if (pathname === "/") {
      return new Response(PAGE, { headers: { "content-type": "text/html" } });
    }
    if (pathname === "/client.js") {
      return new Response(this.#clientModule, { headers: { "content-type": "text/javascript" } });
    }
    return new Response("Not found", { status: 404 });
  }
}

interface Running {
  readonly broadcaster: MemoryBroadcaster;
  readonly gateway: BroadcastGateway;
  readonly server: Deno.HttpServer<Deno.NetAddr>;
}

/** The client as one file for a browser, bundled by Deno. */
async function bundleClient(): Promise<string> {
  const { outputFiles, errors } = await Deno.bundle({
    entrypoints: [`${ROOT}/client.ts`],
    platform: "browser",
    write: false,
  });
  const code = outputFiles?.[0]?.text();
  if (code === undefined) throw new Error(`Cannot bundle the client: ${JSON.stringify(errors)}`);
  return code;
}
