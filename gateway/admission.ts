import type { GatewaySettings } from "./options.ts";
import { OriginPolicy } from "./origin.ts";
import { plainAnswer } from "./plain_answer.ts";
import type { UpgradeRequest } from "./upgrade_request.ts";

/** What admission needs of its gateway. */
export interface AdmissionHost {
  readonly settings: Pick<GatewaySettings<unknown>, "path" | "allowedOrigins">;
  /** The answer to every request of a gateway that takes no more, `undefined` while it does. */
  outOfService(): Response | undefined;
  /** A page of an origin that is not allowed asked. */
  foreign(origin: string | null): void;
}

/** Decides by a request alone whether it may come in: by its path, its handshake and its origin. */
export class Admission {
  readonly #host: AdmissionHost;
  readonly #path: string;
  readonly #origins: OriginPolicy;

  constructor(host: AdmissionHost) {
    this.#host = host;
    this.#path = host.settings.path;
    this.#origins = new OriginPolicy(host.settings.allowedOrigins);
  }

  /** Whether a request is for the gateway: its path, or one below it. */
  match(request: Pick<UpgradeRequest, "url">): boolean {
    const { pathname } = new URL(request.url);
    return pathname === this.#path || pathname.startsWith(pathBelow(this.#path, ""));
  }

  /** The answer to a request that must not become a WebSocket, `undefined` to one that may. */
  refusal(request: UpgradeRequest): Response | undefined {
    const refused = this.#host.outOfService();
    if (refused !== undefined) return refused;
    if (new URL(request.url).pathname !== this.#path) {
      return plainAnswer(404, `Not found: this gateway is at ${this.#path}`);
    }
    if (request.method !== "GET" || !isWebSocketHandshake(request)) {
      const headers = { upgrade: "websocket", connection: "upgrade" };
      return plainAnswer(
        426,
        "Connect with a WebSocket: no Upgrade header came, and a proxy has to pass it on",
        headers,
      );
    }
    return this.#foreign(request);
  }

  /** The answer to a request for a stream that may not have one, whatever it asks for. */
  streamRefusal(request: UpgradeRequest): Response | undefined {
    return this.#host.outOfService() ?? this.#foreign(request);
  }

  #foreign(request: UpgradeRequest): Response | undefined {
    if (this.#origins.allows(request)) return;
    this.#host.foreign(request.headers.get("origin"));
    return plainAnswer(403, "This origin may not connect, see allowedOrigins");
  }
}

function isWebSocketHandshake(request: UpgradeRequest): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}

/** The path of what lies below a gateway's. */
export function pathBelow(path: string, name: string): string {
  return `${path === "/" ? "" : path}/${name}`;
}
