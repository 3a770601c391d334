import { createHash } from "node:crypto";
import { cookies } from "./cookies.ts";
import type { RoomMember } from "./members.ts";
import { isName } from "./messages.ts";
import { ALIAS_COOKIE, type RoomInfo } from "./rooms.ts";
import type { Session, Sessions } from "./sessions.ts";

const SECRET = /^[A-Za-z0-9_-]{16,64}$/;

/** Who is behind a request: the subject of the gateway's rules. */
export interface Visitor {
  /** Under which name they go in public rooms; `undefined` where their browser keeps no cookies. */
  readonly alias: RoomMember | undefined;
  readonly session: Session | undefined;
}

/** Who sent a request. Nothing of an alias is stored, so it is the same on every node. */
export function visitorOf(request: Request, sessions: Sessions): Visitor {
  return { alias: readAlias(cookies(request).get(ALIAS_COOKIE)), session: sessions.find(request) };
}

/** Who a visitor is in a room: in a private one who they logged in as, elsewhere their alias. */
export function memberIn(room: RoomInfo, { alias, session }: Visitor): RoomMember | undefined {
  if (room.access === "everyone") return alias;
  return session && { id: session.name, person: session.name, name: session.name };
}

/** `secret.name`, made by the page. Others see a digest, so nobody can pose as that browser. */
function readAlias(cookie = ""): RoomMember | undefined {
  const [secret = "", ...rest] = cookie.split(".");
  const name = decode(rest.join("."));
  if (!SECRET.test(secret) || !isName(name)) return undefined;
  const person = createHash("sha256").update(secret).digest("base64url").slice(0, 16);
  return { id: `${person}/${name}`, person, name };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
