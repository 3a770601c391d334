import { randomBytes } from "node:crypto";
import { cookies } from "./cookies.ts";

const COOKIE = "airwave_chat";
const LIFETIME_MS = 12 * 60 * 60_000;
const MAX_SESSIONS = 10_000;

/** Somebody who logged in. */
export interface Session {
  readonly token: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/**
 * Log-ins, each known by a random token that only the browser's cookie and this process hold: after
 * a restart everybody logs in again.
 */
export class Sessions {
  /** In the order of their expiry, as all live equally long. */
  readonly #byToken = new Map<string, Session>();

  /** Opens a session; hand `cookieFor` of it to the browser. */
  open(name: string): Session {
    const token = randomBytes(32).toString("base64url");
    const session = { token, name, expiresAt: Date.now() + LIFETIME_MS };
    for (const oldest of this.#byToken.values()) {
      if (oldest.expiresAt > Date.now() && this.#byToken.size < MAX_SESSIONS) break;
      this.#byToken.delete(oldest.token);
    }
    this.#byToken.set(token, session);
    return session;
  }

  /** Whose browser sent a request. */
  find(request: Request): Session | undefined {
    const token = cookies(request).get(COOKIE);
    const session = token === undefined ? undefined : this.#byToken.get(token);
    return session !== undefined && this.isOpen(session) ? session : undefined;
  }

  /** Whether a session lasts still: connections outlive log-outs. */
  isOpen(session: Session): boolean {
    return this.#byToken.get(session.token) === session && session.expiresAt > Date.now();
  }

  end(session: Session): void {
    this.#byToken.delete(session.token);
  }
}

/** The `Set-Cookie` line of a session, or with none the line that takes the cookie away. */
export function cookieFor(session?: Session): string {
  const maxAge = session === undefined ? 0 : LIFETIME_MS / 1000;
  return `${COOKIE}=${session?.token ?? ""}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAge}`;
}
