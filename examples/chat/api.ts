import type { Broadcaster } from "@airwave/broadcast";
import type { Accounts } from "./accounts.ts";
import type { RecentMessages } from "./recent.ts";
import { ROOMS } from "./rooms.ts";
import { cookieFor, type Sessions } from "./sessions.ts";
import { withSecurityHeaders } from "./site.ts";
import { type Visitor, visitorOf } from "./visitors.ts";

const MAX_FORM_BYTES = 4 * 1024;

/** What the page asks over plain HTTP. */
export class Api {
  readonly #broadcaster: Broadcaster<Visitor>;
  readonly #accounts: Accounts;
  readonly #sessions: Sessions;
  readonly #recent: RecentMessages;

  constructor(
    broadcaster: Broadcaster<Visitor>,
    accounts: Accounts,
    sessions: Sessions,
    recent: RecentMessages,
  ) {
    this.#broadcaster = broadcaster;
    this.#accounts = accounts;
    this.#sessions = sessions;
    this.#recent = recent;
  }

  /** Answers a request, or leaves it to others. */
  async respond(request: Request): Promise<Response | undefined> {
    const { pathname } = new URL(request.url);
    const response = await this.#route(request, `${request.method} ${pathname}`);
    return response === undefined ? undefined : withSecurityHeaders(response);
  }

  #route(request: Request, route: string): Response | Promise<Response> | undefined {
    switch (route) {
      case "GET /session":
        return this.#tellWho(request);
      case "POST /login":
        return this.#logIn(request);
      case "POST /logout":
        return this.#logOut(request);
    }
    const room = ROOMS.find(({ id }) => route === `GET /recent/${id}`);
    if (room === undefined) return undefined;
    // The same rule as for the channel itself.
    return this.#broadcaster.authorizeFor(room.channel, visitorOf(request, this.#sessions)).then(
      ({ authorized }) =>
        authorized ? Response.json(this.#recent.of(room)) : refusal(401, "Log in first."),
    );
  }

  /** Who is asking: by the log-in, and as others see them in public rooms. */
  #tellWho(request: Request): Response {
    const { alias, session } = visitorOf(request, this.#sessions);
    return Response.json({ name: session?.name ?? null, person: alias?.person ?? null });
  }

  async #logIn(request: Request): Promise<Response> {
    if (!isFromOwnPage(request)) return refusal(403, "Log in from the chat's own page.");
    if (!(Number(request.headers.get("content-length") ?? Infinity) <= MAX_FORM_BYTES)) {
      return refusal(413, "This is too long.");
    }
    const form = new URLSearchParams(await request.text());
    const result = await this.#accounts.logIn(form.get("name")?.trim(), form.get("password"));
    if (!result.ok) return refusal(result.status, result.reason);
    const former = this.#sessions.find(request);
    if (former !== undefined) this.#sessions.end(former);
    const session = this.#sessions.open(result.name);
    return Response.json({ name: session.name }, { headers: { "set-cookie": cookieFor(session) } });
  }

  #logOut(request: Request): Response {
    if (!isFromOwnPage(request)) return refusal(403, "Log out from the chat's own page.");
    const session = this.#sessions.find(request);
    if (session !== undefined) this.#sessions.end(session);
    return new Response(null, { status: 204, headers: { "set-cookie": cookieFor() } });
  }
}

/** Foreign pages can send forms here too; their browser says where these come from. */
function isFromOwnPage(request: Request): boolean {
  const origin = request.headers.get("origin");
  return origin !== null && URL.canParse(origin) &&
    new URL(origin).host === request.headers.get("host");
}

function refusal(status: number, reason: string): Response {
  return Response.json({ reason }, { status });
}
