/** Who somebody is by the cookie of her session, as pages have it; every user has a channel. */
import { type Broadcaster, BroadcastGateway } from "@airwave/broadcast";

export interface User {
  readonly id: string;
}

/** Sessions as your application keeps them: in a database, in a store, signed in the cookie itself. */
export interface Sessions {
  find(id: string): Promise<User | undefined>;
}

export function createGateway(broadcaster: Broadcaster<User>, sessions: Sessions) {
  broadcaster.authorize("private-user.*", ({ subject, params }) => subject?.id === params[0]);
  return new BroadcastGateway<User>({
    broadcaster,
    async resolveSubject(request) {
      const id = readCookie(request.headers.get("cookie") ?? "", "session");
      // Nobody known may still hold open channels. Throw instead, and nobody unknown connects.
      return id === undefined ? undefined : await sessions.find(id);
    },
    identify: ({ id }) => id,
  });
}

function readCookie(header: string, name: string): string | undefined {
  const pairs = header.split(";").map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}
