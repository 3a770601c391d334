import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  BroadcastConfigError,
  BroadcastUnauthorizedError,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import { FakeTime, settle } from "@airwave/broadcast/testing";

/** Which of several rules decides, and with what parameters. */
async function deciding(patterns: string[], channel: string): Promise<unknown> {
  await using broadcaster = new MemoryBroadcaster({ defaultAccess: "deny" });
  let decided: unknown = "none";
  for (const pattern of patterns) {
    broadcaster.authorize(pattern, ({ params }) => {
      decided = [pattern, ...params];
      return true;
    });
  }
  const { authorized } = await broadcaster.authorizeFor(channel, undefined);
  assertEquals(authorized, decided !== "none");
  return decided;
}

async function isAuthorized(channel: string, answer?: unknown): Promise<boolean> {
  await using broadcaster = new MemoryBroadcaster();
  if (answer !== undefined) {
    // What a rule written in plain JavaScript may return.
    broadcaster.authorize(channel, () => answer as boolean);
  }
  return (await broadcaster.authorizeFor(channel, undefined)).authorized;
}

Deno.test("patterns: an exact name matches itself alone", async () => {
  assertEquals(await deciding(["orders"], "orders"), ["orders"]);
  assertEquals(await deciding(["orders"], "orders."), "none");
  assertEquals(await deciding(["orders"], "Orders"), "none");
  assertEquals(await deciding(["a.b"], "axb"), "none");
});

Deno.test("patterns: a trailing * is the rest of the name", async () => {
  assertEquals(await deciding(["orders.*"], "orders.7.items"), ["orders.*", "7.items"]);
  assertEquals(await deciding(["orders.*"], "orders."), ["orders.*", ""]);
  assertEquals(await deciding(["orders.*"], "orders"), "none");
  assertEquals(await deciding(["*"], "anything:at/all"), ["*", "anything:at/all"]);
  assertEquals(await deciding(["private-*"], "private-x"), ["private-*", "x"]);
});

Deno.test("patterns: a * within is one segment, up to . : or /", async () => {
  assertEquals(await deciding(["a.*.c"], "a.b.c"), ["a.*.c", "b"]);
  assertEquals(await deciding(["a.*.c"], "a..c"), ["a.*.c", ""]);
  assertEquals(await deciding(["a.*.c"], "a.b.b.c"), "none");
  assertEquals(await deciding(["a.*.c"], "a.b:b.c"), "none");
  assertEquals(await deciding(["a.*.c"], "a.b/b.c"), "none");
  assertEquals(await deciding(["*:x"], "room-1:x"), ["*:x", "room-1"]);
  assertEquals(await deciding(["*/a/*"], "t/a/b/c"), ["*/a/*", "t", "b/c"]);
});

// The rule of this shape once never matched, so that everyone was let in.
Deno.test("patterns: tenant:*:orders.* decides over a tenant's orders", async () => {
  const pattern = "tenant:*:orders.*";
  assertEquals(await deciding([pattern], "tenant:7:orders.1"), [pattern, "7", "1"]);
  assertEquals(await deciding([pattern], "tenant:7:8:orders.1"), "none");
  await using broadcaster = new MemoryBroadcaster();
  broadcaster.authorize(pattern, () => false);
  assertEquals((await broadcaster.authorizeFor("tenant:7:orders.1", {})).authorized, false);
});

Deno.test("patterns: an exact name wins, then the longest literal prefix, in whatever order", async () => {
  const patterns = ["*", "a.*", "a.b.*", "a.b.c", "a.*.c"];
  for (const order of [patterns, patterns.toReversed()]) {
    assertEquals(await deciding(order, "a.b.c"), ["a.b.c"]);
    assertEquals(await deciding(order, "a.b.d"), ["a.b.*", "d"]);
    assertEquals(await deciding(order, "a.x.c"), ["a.*.c", "x"]);
    assertEquals(await deciding(order, "a.x"), ["a.*", "x"]);
    assertEquals(await deciding(order, "b"), ["*", "b"]);
  }
  // The rule that wins, and one that matches as well.
  const pairs: readonly [winner: string, other: string, channel: string][] = [
    ["a.b", "a.b*", "a.b"],
    ["a.b.*", "a.*.long", "a.b.long"],
    ["a.*.", "a.*.*", "a.b."],
  ];
  for (const [winner, other, channel] of pairs) {
    for (const order of [[winner, other], [other, winner]]) {
      const decided = await deciding(order, channel);
      assert(Array.isArray(decided) && decided[0] === winner, `${order} for ${channel}`);
    }
  }
});

Deno.test("patterns: one that could never match as it reads is refused", async () => {
  await using broadcaster = new MemoryBroadcaster();
  for (const pattern of ["", "a**", "*a", "a*b", "a b", "a.*x", "room-*-1", "ä", "a".repeat(201)]) {
    assertThrows(() => broadcaster.authorize(pattern, () => true), BroadcastConfigError, "pattern");
  }
  for (const pattern of [undefined, 7]) {
    assertThrows(
      () => broadcaster.authorize(pattern as unknown as string, () => true),
      BroadcastConfigError,
      "pattern",
    );
  }
  broadcaster.authorize("a".repeat(200), () => true);
  broadcaster.authorize("a.*", () => true);
  assertThrows(
    () => broadcaster.authorize("a.*", () => false),
    BroadcastConfigError,
    "rule already",
  );
});

Deno.test("a pattern with many stars is matched in no time", async () => {
  const pattern = `${"*.".repeat(90)}x`;
  assertEquals(await deciding([pattern], `${"aa".repeat(90)}.y`), "none");
});

Deno.test("guarantee 7: without a rule: open, but for private and presence in any case", async () => {
  for (const channel of ["news", "privatex", "my-private-x", "private"]) {
    assertEquals(await isAuthorized(channel), true, channel);
  }
  for (
    const channel of [
      "private-x",
      "PRIVATE-x",
      "Private-",
      "presence-x",
      "PRESENCE-x",
      "pReSeNcE-1",
    ]
  ) {
    assertEquals(await isAuthorized(channel), false, channel);
  }
  await using strict = new MemoryBroadcaster({ defaultAccess: "deny" });
  assertEquals((await strict.authorizeFor("news", undefined)).authorized, false);
});

Deno.test("names that only look like another are no names", async () => {
  await using broadcaster = new MemoryBroadcaster();
  for (
    const channel of [
      " private-x",
      "private-x ",
      "private\u2010x",
      "private%2dx",
      "\u0440rivate-x",
      "",
    ]
  ) {
    const error = await assertRejects(
      () => broadcaster.authorizeFor(channel, undefined),
      BroadcastUnauthorizedError,
    );
    assertEquals(error.status, 400);
  }
});

Deno.test("guarantee 7: only true, or an object that says so, allows", async () => {
  for (const yes of [true, { authorized: true }]) {
    assertEquals(await isAuthorized("private-x", yes), true);
  }
  for (
    const no of [
      false,
      null,
      0,
      1,
      "true",
      "yes",
      {},
      [],
      [true],
      { authorized: false },
      { authorized: "true" },
      { authorized: "false" },
      { authorized: 1 },
      { authorized: true, expiresAt: "tomorrow" },
      { authorized: true, expiresAt: `${Date.now() + 60_000}` },
      { authorized: true, expiresAt: new Date(Date.now() + 60_000) },
      { authorized: true, expiresAt: NaN },
      { authorized: true, expiresAt: Date.now() - 1 },
      { authorized: true, presence: { name: "no id" } },
      { authorized: true, presence: "ada" },
    ]
  ) {
    assertEquals(await isAuthorized("private-x", no), false, JSON.stringify(no));
  }
});

Deno.test("why a rule denies is passed on, or what is wrong with its answer", async () => {
  using _time = new FakeTime();
  await using broadcaster = new MemoryBroadcaster();
  const reasons: readonly [answer: unknown, reason: string | undefined][] = [
    [false, undefined],
    [{ authorized: false }, undefined],
    [{ authorized: false, reason: "banned" }, "banned"],
    [{ authorized: false, reason: 7 }, undefined],
    ["true", 'its rule answered "true", and only true allows'],
    [undefined, "its rule answered undefined, and only true allows"],
    [{}, "its rule answered {authorized: undefined}, and only true allows"],
    [
      { authorized: true, expiresAt: Date.now() },
      `the expiresAt of its rule must be a time to come, in milliseconds since 1970, got ${Date.now()}`,
    ],
  ];
  let answer: unknown;
  broadcaster.authorize("private-x", () => answer as boolean);
  for (const [given, reason] of reasons) {
    answer = given;
    assertEquals(
      await broadcaster.authorizeFor("private-x", undefined),
      reason === undefined ? { authorized: false } : { authorized: false, reason },
    );
  }
  const { reason } = await broadcaster.authorizeFor("private-y", undefined);
  assertEquals(reason, "no rule matches it, set one with broadcaster.authorize()");
});

Deno.test("a rule is asked about a channel, a subject and what the stars stand for", async () => {
  await using broadcaster = new MemoryBroadcaster<string>();
  const requests: unknown[] = [];
  broadcaster.authorize("private-*", (request) => requests.push(request) > 0);
  await broadcaster.authorizeFor("private-x", "ada");
  assertEquals(requests, [{ channel: "private-x", subject: "ada", params: ["x"] }]);
});

Deno.test("a rule that is none is refused", async () => {
  await using broadcaster = new MemoryBroadcaster();
  for (const rule of [true, undefined, {}]) {
    assertThrows(
      () => broadcaster.authorize("a", rule as unknown as () => boolean),
      BroadcastConfigError,
      "the rule must be a function",
    );
  }
});

Deno.test("a rule has as long to answer as told", async () => {
  using time = new FakeTime();
  await using broadcaster = new MemoryBroadcaster({ authorizationTimeoutMs: 1_000 });
  broadcaster.authorize("slow", () => new Promise((resolve) => setTimeout(resolve, 999, true)));
  broadcaster.authorize("silent", () => new Promise(() => {}));
  const slow = broadcaster.authorizeFor("slow", undefined);
  const silent = assertRejects(
    () => broadcaster.authorizeFor("silent", undefined),
    BroadcastUnauthorizedError,
    "No answer within 1000 ms",
  );
  await time.tick(1_000);
  assertEquals((await slow).authorized, true);
  await silent;
});

Deno.test("what a rule says beside yes is passed on", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const expiresAt = Date.now() + 60_000;
  const presence = { id: "ada", color: "red" };
  broadcaster.authorize("presence-*", () => ({ authorized: true, presence, expiresAt }));
  assertEquals(await broadcaster.authorizeFor("presence-1", undefined), {
    authorized: true,
    presence,
    expiresAt,
  });
});

Deno.test("a rule that throws, rejects or gives no answer denies, and says so", async () => {
  await using broadcaster = new MemoryBroadcaster({ authorizationTimeoutMs: 5 });
  const cause = new Error("The database is down");
  broadcaster.authorize("throws", () => {
    throw cause;
  });
  broadcaster.authorize("rejects", () => Promise.reject(cause));
  broadcaster.authorize("silent", () => new Promise(() => {}));
  for (const channel of ["throws", "rejects", "silent"]) {
    const error = await assertRejects(
      () => broadcaster.authorizeFor(channel, undefined),
      BroadcastUnauthorizedError,
    );
    assertEquals(error.code, "broadcast.authorization_failed");
    assertEquals(error.status, 403);
    if (channel !== "silent") assertEquals(error.cause, cause);
  }
});

// close() while something was starting once left a timer.
Deno.test("close does not wait for a rule that is still thinking, nor leave its timer", async () => {
  using time = new FakeTime();
  const broadcaster = new MemoryBroadcaster();
  broadcaster.authorize("slow", () => new Promise(() => {}));
  const decision = broadcaster.authorizeFor("slow", undefined);
  await settle();
  assertEquals(time.pendingTimers, 1);
  await broadcaster.close();
  assertEquals(time.pendingTimers, 0);
  await assertRejects(() => decision, BroadcastUnauthorizedError);
});
