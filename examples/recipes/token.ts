/**
 * Who somebody is by a token: pages on another origin, apps, other servers. The client sends it in a
 * frame, so it is in no URL and no log, and a fresh one before the last one runs out.
 */
import { type Broadcaster, BroadcastGateway } from "@airwave/broadcast";
import type { BroadcastClientOptions } from "@airwave/broadcast/client";

export interface User {
  readonly id: string;
  /** When the token runs out, in milliseconds since 1970; the gateway asks for a fresh one ahead. */
  readonly expiresAt: number;
}

/** Takes a token apart: checks its signature, or asks whoever made it. */
export type VerifyToken = (token: string) => Promise<User | undefined>;

export function createGateway(broadcaster: Broadcaster<User>, verify: VerifyToken) {
  broadcaster.authorize("private-user.*", ({ subject, params }) => subject?.id === params[0]);
  return new BroadcastGateway<User>({
    broadcaster,
    resolveToken: verify,
    identify: ({ id }) => id,
    // Pages of these origins may connect; a token is not sent along by itself, as a cookie is.
    allowedOrigins: ["https://app.example"],
  });
}

/** For `new BroadcastClient(…)` in the page. */
export function clientOptions(url: string): BroadcastClientOptions {
  return {
    url,
    async getToken() {
      const response = await fetch(new URL("/token", url));
      return response.ok ? await response.text() : undefined;
    },
  };
}
