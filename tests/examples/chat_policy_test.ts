import { assertEquals } from "@std/assert";
import { MemoryBroadcaster } from "@airwave/broadcast";
import { authorizeRooms, mayPublish } from "../../examples/chat/policy.ts";
import { ALIAS_COOKIE, LOBBY } from "../../examples/chat/rooms.ts";
import { cookieFor, Sessions } from "../../examples/chat/sessions.ts";
import { type Visitor, visitorOf } from "../../examples/chat/visitors.ts";

const SECRET = "0123456789abcdef";
const NONCE = "nonce-of-a-message";

Deno.test("chat: a browser is the same person under each name, and others cannot tell its secret", () => {
  const ada = visitor(`${SECRET}.Ada`).alias;
  assertEquals(visitor(`${SECRET}.${encodeURIComponent("Dr. Ada; née Byron")}`).alias, {
    id: `${ada?.person}/Dr. Ada; née Byron`,
    person: ada?.person ?? "",
    name: "Dr. Ada; née Byron",
  });
  assertEquals(JSON.stringify(ada).includes(SECRET), false);
  assertEquals(visitor("another-secret-0.Ada").alias?.person === ada?.person, false);
});

for (const cookie of ["", SECRET, `${SECRET}.`, `${SECRET}.%`, `short.Ada`, `${SECRET}.%00`]) {
  Deno.test(`chat: the alias "${cookie}" makes nobody`, () => {
    assertEquals(visitor(cookie).alias, undefined);
  });
}

Deno.test("chat: whoever has no alias reads the lobby and is not on its list", async () => {
  await using broadcaster = new MemoryBroadcaster<Visitor>({ defaultAccess: "deny" });
  authorizeRooms(broadcaster, new Sessions());
  const decide = async (channel: string, cookie: string) =>
    (await broadcaster.authorizeFor(channel, visitor(cookie))).authorized;
  assertEquals(await decide(LOBBY.channel, ""), true);
  assertEquals(await decide(LOBBY.presence, ""), false);
  assertEquals(await decide(LOBBY.presence, `${SECRET}.Ada`), true);
});

Deno.test("chat: nobody says that another one types", () => {
  const ada = visitor(`${SECRET}.Ada`);
  const bob = visitor("another-secret-0.Bob");
  const mayType = (subject: Visitor, member = "") =>
    mayPublish(request(LOBBY.presence, "typing", { member, nonce: NONCE }, subject), sessions);
  const sessions = new Sessions();
  assertEquals(mayType(ada, ada.alias?.id), true);
  assertEquals(mayType(bob, ada.alias?.id), false);
  assertEquals(mayType(visitor(""), ada.alias?.id), false);
});

Deno.test("chat: in the members' room one writes under the name one logged in with", () => {
  const sessions = new Sessions();
  const session = sessions.open("Ada");
  const cookie = cookieFor(session).split(";")[0] ?? "";
  const subject = visitorOf(new Request("http://localhost/", { headers: { cookie } }), sessions);
  const mayWrite = (name: string) => {
    const message = { name, text: "Hello", nonce: NONCE, at: 0 };
    return mayPublish(request("private-chat.members", "message", message, subject), sessions);
  };
  assertEquals([mayWrite("Ada"), mayWrite("Bob")], [true, false]);
  sessions.end(session);
  assertEquals(mayWrite("Ada"), false);
});

function visitor(alias: string): Visitor {
  const headers = { cookie: `${ALIAS_COOKIE}=${alias}` };
  return visitorOf(new Request("http://localhost/", { headers }), new Sessions());
}

function request(channel: string, event: string, data: unknown, subject: Visitor) {
  return { channel, event, data, subject, clientId: "a-connection" };
}
