/**
 * What the types of the server promise. Each `@ts-expect-error` pins one mistake: if the compiler no
 * longer refuses it, checking this file fails.
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type AnyBroadcastError,
  BroadcastConfigError,
  BroadcastGateway,
  BroadcastPublishError,
  isBroadcastError,
  MemoryBroadcaster,
  type MemoryBroadcasterOptions,
} from "@airwave/broadcast";
import { PostgresBroadcaster, type PostgresPublishOptions } from "@airwave/broadcast/postgres";
import { RedisBroadcaster } from "@airwave/broadcast/redis";

interface User {
  readonly id: string;
}

/** Compiles only while every code has its case, and each case its class. */
function statusOf(error: AnyBroadcastError): number | string {
  switch (error.code) {
    case "broadcast.config":
    case "broadcast.publish":
    case "broadcast.subscribe":
    case "broadcast.overflow":
    case "broadcast.closed":
    case "broadcast.hook":
    case "broadcast.handshake":
      return error.name satisfies
        | "BroadcastConfigError"
        | "BroadcastPublishError"
        | "BroadcastSubscribeError"
        | "BroadcastOverflowError"
        | "BroadcastClosedError"
        | "BroadcastHookError"
        | "BroadcastHandshakeError";
    case "broadcast.unauthorized":
    case "broadcast.authorization_failed":
      return error.name satisfies "BroadcastUnauthorizedError";
    // @ts-expect-error -- no such code
    case "broadcast.lost":
      return 0;
    default:
      return error satisfies never;
  }
}

Deno.test("errors: a code narrows to its class, and a switch that has them all is whole", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const error: unknown = await assertRejects(() =>
    broadcaster.publish("c", { event: "", data: 1 })
  );
  // @ts-expect-error -- what was caught is unknown until it was looked at
  assertEquals(error.code, "broadcast.publish");
  if (!isBroadcastError(error)) throw error;
  if (error.code === "broadcast.publish") error satisfies BroadcastPublishError;
  // @ts-expect-error -- one of many kinds, until its code was looked at
  error satisfies BroadcastPublishError;
  assertEquals(statusOf(error), "BroadcastPublishError");
});

Deno.test("rules: the subject is the application's own, and only a clear answer compiles", async () => {
  await using broadcaster = new MemoryBroadcaster<User>();
  broadcaster.authorize("private-user.*", ({ subject, params }) => {
    // @ts-expect-error -- nobody may be there
    const isUser = subject.id === params[0];
    return isUser || { authorized: true, presence: { id: "ada" } };
  });
  // @ts-expect-error -- a word is no answer
  broadcaster.authorize("a.*", () => "yes");
  // @ts-expect-error -- nor is it in an object
  broadcaster.authorize("b.*", () => ({ authorized: "false" }));
  // @ts-expect-error -- who is present has an id
  broadcaster.authorize("c.*", () => ({ authorized: true, presence: { name: "Ada" } }));
  const decision = await broadcaster.authorizeFor("a.1", { id: "ada" });
  assertEquals(decision.authorized, false);
  // @ts-expect-error -- a subject of another kind
  await broadcaster.authorizeFor("a.1", { name: "Ada" });
});

Deno.test("a gateway takes a broadcaster whose rules know its subjects", async () => {
  await using users = new MemoryBroadcaster<User>();
  await using gateway = new BroadcastGateway({
    broadcaster: users,
    resolveSubject: () => ({ id: "ada" }),
    identify: ({ id }) => id,
  });
  gateway satisfies BroadcastGateway<User>;
  await using _other = new BroadcastGateway<User>({
    broadcaster: users,
    // @ts-expect-error -- no subject of this gateway
    resolveSubject: () => ({ name: "Ada" }),
  });
});

Deno.test("events: data is unknown, a position may be missing, nothing can be written to", async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using subscription = broadcaster.subscribe("c");
  await subscription.ready;
  const { position } = await broadcaster.publish("c", { event: "n", data: { text: "Hi" } });
  // @ts-expect-error -- without history there is none
  assertEquals(position.offset, 1);
  const { value } = await subscription.next();
  // @ts-expect-error -- unknown data has no properties
  assertEquals(value?.data.text, "Hi");
  // @ts-expect-error -- an event is read, not written
  if (value !== undefined) value.event = "other";
});

Deno.test("options: a misspelled or a missing one does not compile, nor a word that is none", async () => {
  const misspelled: object[] = [
    // @ts-expect-error -- historySize
    { historysize: 10 } satisfies MemoryBroadcasterOptions,
    // @ts-expect-error -- a number of events
    { historySize: "10" } satisfies MemoryBroadcasterOptions,
    // @ts-expect-error -- "allow" or "deny"
    { defaultAccess: "open" } satisfies MemoryBroadcasterOptions,
  ];
  for (const options of misspelled) {
    assertThrows(() => new MemoryBroadcaster(options), BroadcastConfigError);
  }
  // @ts-expect-error -- a prefix is required
  assertThrows(() => new RedisBroadcaster({ url: "redis://localhost" }), BroadcastConfigError);
  assertThrows(
    // @ts-expect-error -- history is kept by number and age
    () => new PostgresBroadcaster({ url: "postgres://localhost/a", prefix: "a", history: false }),
    BroadcastConfigError,
  );
  await using broadcaster = new MemoryBroadcaster();
  assertThrows(
    // @ts-expect-error -- "drop-oldest", "drop-newest" or "close"
    () => broadcaster.subscribe("c", { overflow: "wait" }),
    BroadcastConfigError,
  );
  await assertRejects(
    // @ts-expect-error -- the name of an event is "event"
    () => broadcaster.publish("c", { name: "n", data: 1 }),
    BroadcastPublishError,
  );
  // @ts-expect-error -- whom to revoke
  await assertRejects(() => broadcaster.revoke({ channel: "c" }), BroadcastConfigError);
});

Deno.test("options of a publish: only a driver with transactions takes one", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const event = { event: "n", data: 1 };
  await broadcaster.publish("c", event, { except: undefined });
  // @ts-expect-error -- one connection by its id
  await assertRejects(() => broadcaster.publish("c", event, { except: ["a"] }));
  // @ts-expect-error -- memory has no transactions
  await broadcaster.publish("c", event, { tx: () => {} });
  // @ts-expect-error -- what a client of Postgres gives to the callback of its transaction
  assertEquals({ tx: "begin" } satisfies PostgresPublishOptions, { tx: "begin" });
});
