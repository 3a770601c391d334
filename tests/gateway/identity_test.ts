/** Who a client is, over time, and what becomes of it when that changes. */
import { assert, assertEquals } from "@std/assert";
import {
  DriverBroadcaster,
  type DriverHost,
  MemoryBackend,
  MemoryBroadcaster,
  MemoryDriver,
} from "@airwave/broadcast";
import { FakeTime, settle } from "@airwave/broadcast/testing";
import { PlayedGateway, type User } from "./harness.ts";

/** A user who is known until then. */
interface Passing extends User {
  readonly expiresAt?: unknown;
}

const identify = ({ name }: User) => name;

/** Tokens of this application: a name, and the milliseconds that it holds from now on. */
function resolveToken(token: string): Passing | undefined {
  const [name = "", ms] = token.split(" ");
  if (name === "stranger") return;
  if (name === "broken") throw new Error("The token service is down");
  return { name, ...(ms === undefined ? {} : { expiresAt: Date.now() + Number(ms) }) };
}

Deno.test("where tokens are asked for, subscriptions wait for auth", async () => {
  using time = new FakeTime();
  await using app = new PlayedGateway({ resolveToken, identify });
  app.broadcaster.authorize("private-*", ({ subject }) => subject?.name === "ada");
  const ada = app.connect(undefined, "?v=2");
  ada.send({ t: "sub", c: "private-x", n: 1 });
  ada.send({ t: "sub", c: "news", n: 2 });
  await time.tick(1_000);
  assertEquals([ada.heard, app.gateway.channelCount], [[], 0]);
  ada.send({ t: "auth", n: 3, k: "ada" });
  await time.tick(0);
  const [auth, ...subs] = ada.socket.frames.slice(1);
  assertEquals(auth, { t: "ok", c: "", n: 3 });
  assertEquals(subs.map((frame) => frame.t === "ok" ? frame.c : "").sort(), ["news", "private-x"]);
  await time.tick(14_000);
  assertEquals(ada.socket.closed, undefined);
});

Deno.test("a client that sends no token in time is closed for good; one with a wrong token may try again", async () => {
  using time = new FakeTime();
  await using app = new PlayedGateway({ resolveToken });
  const silent = app.connect(undefined, "?v=2");
  const wrong = app.connect(undefined, "?v=2");
  const known = app.connect({ name: "by cookie" }, "?v=2");
  wrong.send({ t: "auth", n: 1, k: "stranger" });
  await time.tick(0);
  wrong.send({ t: "auth", n: 2, k: "broken" });
  await time.tick(0);
  wrong.send({ t: "sub", c: "news", n: 3 });
  await time.tick(14_999);
  assertEquals(wrong.heard, [
    { t: "err", c: "", r: "token refused", n: 1, k: "token_refused", w: "never" },
    { t: "err", c: "", r: "authorization failed", n: 2, k: "authorization_failed", w: "backoff" },
  ]);
  assertEquals(app.errors.map(({ code }) => code), ["broadcast.hook"]);
  await time.tick(1);
  for (const { socket } of [silent, wrong]) assertEquals(socket.closed?.code, 4000);
  assertEquals(known.socket.closed, undefined);
});

Deno.test("a token that expires is asked for ahead, and a fresh one goes on without a gap", async () => {
  using time = new FakeTime();
  await using app = new PlayedGateway({ resolveToken, identify });
  app.broadcaster.authorize("private-*", ({ subject }) => subject?.name === "ada");
  const ada = app.connect(undefined, "?v=2");
  ada.send({ t: "auth", n: 0, k: "ada 2000" });
  ada.send({ t: "sub", c: "private-x", n: 1 });
  await time.tick(0);
  const published: string[] = [];
  for (let step = 0; step < 100; step++) {
    const { id } = await app.broadcaster.publish("private-x", { event: "n", data: step });
    published.push(id);
    await time.tick(100);
    if (ada.socket.frames.at(-1)?.t === "exp") ada.send({ t: "auth", n: 10 + step, k: "ada 2000" });
    await time.tick(0);
  }
  const frames = ada.socket.frames;
  assertEquals(frames.flatMap((frame) => frame.t === "msg" ? [frame.i] : []), published);
  assert(frames.filter(({ t }) => t === "exp").length >= 8);
  assertEquals(frames.filter(({ t }) => t === "gone" || t === "err"), []);
  assertEquals(ada.socket.closed, undefined);
  await time.tick(2_000);
  assertEquals(ada.socket.closed?.code, 4104);
});

Deno.test("a subject that has expired, or whose expiry cannot be read, is nobody to let in", async () => {
  using time = new FakeTime();
  await using app = new PlayedGateway({ identify });
  for (const expiresAt of [time.nowMs, 0, -1, NaN, "tomorrow", null]) {
    const passing: Passing = { name: "ada", expiresAt };
    const client = app.connect(passing, "?v=2");
    assertEquals([client.socket.closed?.code, client.socket.frames], [4104, []], String(expiresAt));
    assertEquals(time.pendingTimers, 0);
  }
  const forEver: Passing = { name: "ada", expiresAt: Infinity };
  const monthsAhead: Passing = { name: "ada", expiresAt: time.nowMs + 100 * 86_400_000 };
  const untold: Passing = { name: "ada", expiresAt: undefined };
  const clients = [forEver, monthsAhead, untold].map((subject) => app.connect(subject));
  await time.tick(0);
  for (const { socket } of clients) assertEquals(socket.frames.map(({ t }) => t), ["welcome"]);
});

Deno.test("a fresh token cannot make another user of a client", async () => {
  using time = new FakeTime();
  await using app = new PlayedGateway({ resolveToken, identify });
  const ada = app.connect({ name: "ada" }, "?v=2");
  ada.send({ t: "auth", n: 1, k: "bob" });
  await time.tick(0);
  assertEquals(ada.heard, [
    { t: "err", c: "", r: "token refused", n: 1, k: "token_refused", w: "never" },
  ]);
  ada.send({ t: "sub", c: "private-~ada", n: 2 });
  ada.send({ t: "sub", c: "private-~bob", n: 3 });
  await time.tick(0);
  assertEquals(ada.socket.frames.slice(2).map(({ t }) => t), ["err", "ok"]);
});

Deno.test("tokens are limited in rate, and never more than one is asked about", async () => {
  using time = new FakeTime();
  let asked = 0;
  await using app = new PlayedGateway({ resolveToken: () => void asked++ });
  const guesser = app.connect(undefined, "?v=2");
  for (let n = 0; n < 100; n++) {
    guesser.send({ t: "auth", n, k: String(n) });
    guesser.send({ t: "auth", n, k: String(n) });
    await time.tick(1);
  }
  assertEquals(asked, 10);
});

Deno.test("where no tokens are asked for each is refused, and a flood of them fills no log", async () => {
  using time = new FakeTime();
  const warnings: string[] = [];
  const logger = { debug() {}, warn: (message: string) => warnings.push(message), error() {} };
  await using app = new PlayedGateway({ logger });
  const client = app.connect(undefined, "?v=2");
  for (let n = 0; n < 100; n++) client.send({ t: "auth", n, k: "a guess" });
  await time.tick(0);
  const refused = client.socket.frames.filter((frame) => Object(frame).k === "token_refused");
  assertEquals(refused.map((frame) => Object(frame).n), Array.from({ length: 100 }, (_, n) => n));
  assertEquals(
    warnings,
    Array(10).fill('Refused a token: the option "resolveToken" is not set'),
  );
  assertEquals(app.errors, []);
});

Deno.test("an answer about who somebody is that comes when she has left is no failure", async () => {
  const answer = Promise.withResolvers<User>();
  const resolve = () => answer.promise;
  await using byToken = new PlayedGateway({ resolveToken: resolve });
  await using byRequest = new PlayedGateway({ resolveSubject: resolve });
  const clients = [byToken, byRequest].map((app) => app.connect(undefined, "?v=2"));
  clients[0]?.send({ t: "auth", n: 1, k: "one" });
  for (const { events } of clients) events.closed(1006, "");
  answer.reject(new Error("The user service is down"));
  await settle();
  assertEquals([byToken.errors, byRequest.errors], [[], []]);
});

Deno.test("a subject may be null, where that is the application's word for a guest", async () => {
  const guest: unknown = null;
  await using app = new PlayedGateway({ resolveSubject: () => guest as User });
  const client = app.connect(undefined, "?v=2");
  assertEquals(client.socket.frames.map(({ t }) => t), ["welcome"]);
});

Deno.test("guarantee 7: a fresh subject has every channel asked again; what it may not hold ends", async () => {
  using time = new FakeTime();
  const allowed = new Set(["private-a", "private-b"]);
  await using app = new PlayedGateway({ resolveToken, identify });
  app.broadcaster.authorize("private-*", ({ channel }) => allowed.has(channel));
  const ada = app.connect(undefined, "?v=2");
  ada.send({ t: "auth", n: 0, k: "ada" });
  for (const [n, c] of ["private-a", "private-b", "open"].entries()) ada.send({ t: "sub", c, n });
  await time.tick(0);
  allowed.delete("private-b");
  ada.send({ t: "auth", n: 9, k: "ada" });
  await time.tick(0);
  assertEquals(ada.socket.frames.slice(-2), [
    { t: "ok", c: "", n: 9 },
    { t: "gone", c: "private-b", k: "unauthorized", r: "unauthorized", w: "never" },
  ]);
  assertEquals(app.gateway.channelCount, 2);
});

Deno.test("guarantee 7: live subscriptions are authorized again as often as told; a throw ends them", async () => {
  using time = new FakeTime();
  let answer: () => boolean = () => true;
  await using app = new PlayedGateway({ reauthorizeIntervalMs: 1_000 });
  app.broadcaster.authorize("private-x", () => answer());
  const old = app.connect();
  const client = app.connect(undefined, "?v=2");
  for (const { send } of [old, client]) send({ t: "sub", c: "private-x", n: 1 });
  await time.tick(5_000);
  assertEquals(client.heard.length, 1);
  answer = () => {
    throw new Error("The database is down");
  };
  await time.tick(1_000);
  assertEquals(client.socket.frames.at(-1), {
    t: "gone",
    c: "private-x",
    k: "authorization_failed",
    r: "authorization failed",
    w: "backoff",
  });
  assertEquals(old.socket.frames.at(-1), {
    t: "err",
    c: "private-x",
    r: "authorization failed",
  });
});

Deno.test("an authorization that expires is asked again, and goes on where the rule still says yes", async () => {
  using time = new FakeTime();
  let untilMs = time.nowMs + 10_000;
  await using app = new PlayedGateway();
  app.broadcaster.authorize(
    "private-x",
    () => ({ authorized: true, expiresAt: Math.min(untilMs, Date.now() + 1_000) }),
  );
  const client = app.connect(undefined, "?v=2");
  client.send({ t: "sub", c: "private-x", n: 1 });
  await time.tick(9_999);
  assertEquals(client.heard.length, 1);
  untilMs = 0;
  await time.tick(1);
  assertEquals(client.socket.frames.at(-1)?.t, "gone");
});

Deno.test("an authorization that no longer expires is not asked again: the rule said yes for good to a fresh token", async () => {
  using time = new FakeTime();
  await using app = new PlayedGateway({ resolveToken, identify });
  let asked = 0;
  app.broadcaster.authorize("private-x", () => ({
    authorized: true,
    ...(asked++ === 0 ? { expiresAt: Date.now() + 1_000 } : {}),
  }));
  const client = app.connect(undefined, "?v=2");
  client.send({ t: "auth", n: 1, k: "ada" });
  client.send({ t: "sub", c: "private-x", n: 2 });
  await time.tick(500);
  client.send({ t: "auth", n: 3, k: "ada" });
  await time.tick(10_000);
  assertEquals(asked, 2);
  assertEquals(client.socket.frames.at(-1), { t: "ok", c: "", n: 3 });
});

Deno.test("a user that cannot be identified is not connected", async () => {
  await using app = new PlayedGateway({
    identify: ({ name }) => {
      if (name === "throws") throw new Error("No such user");
      return name;
    },
  });
  for (const name of ["throws", "", "\0", "x".repeat(201)]) {
    const { socket } = app.connect({ name });
    assertEquals([socket.closed?.code, socket.frames], [4103, []], name);
  }
  assertEquals(app.errors.length, 4);
  assertEquals(app.disconnections, []);
});

/** Two nodes over one memory, and a client of Ada's and one of Bob's on each. */
class TwoNodes implements AsyncDisposable {
  readonly backend = new MemoryBackend();
  readonly a = this.#node();
  readonly b = this.#node();
  readonly ada = [this.a, this.b].map((node) => node.connect({ name: "ada" }, "?v=2"));
  readonly bob = [this.a, this.b].map((node) => node.connect({ name: "bob" }, "?v=2"));

  #node(): PlayedGateway {
    const broadcaster = new DriverBroadcaster<User>(new MemoryDriver(this.backend));
    broadcaster.authorize("private-*", ({ subject }) => subject !== undefined);
    return new PlayedGateway({ identify, allowClientPublish: () => true }, broadcaster);
  }

  get clients() {
    return [...this.ada, ...this.bob];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.a[Symbol.asyncDispose]();
    await this.b[Symbol.asyncDispose]();
  }
}

Deno.test("guarantee 7: who is disconnected is, on every node, and does not come back", async () => {
  using time = new FakeTime();
  await using nodes = new TwoNodes();
  await time.tick(0);
  await nodes.a.broadcaster.disconnect({ user: "ada" });
  await time.tick(0);
  for (const { socket } of nodes.ada) assertEquals(socket.closed?.code, 4001);
  for (const { socket } of nodes.bob) assertEquals(socket.closed, undefined);
  const again = nodes.b.connect({ name: "ada" }, "?v=2");
  again.send({ t: "sub", c: "private-x", n: 1 });
  await time.tick(0);
  assertEquals([again.socket.closed?.code, again.socket.frames], [4001, []]);
  const welcome = nodes.bob[1]?.socket.frames[0];
  assert(welcome?.t === "welcome");
  await nodes.a.broadcaster.disconnect({ clientId: welcome.id });
  await time.tick(0);
  assertEquals(nodes.bob.map(({ socket }) => socket.closed?.code), [undefined, 4001]);
  await time.tick(5 * 60_000);
  const later = nodes.b.connect({ name: "ada" }, "?v=2");
  await time.tick(0);
  assertEquals(later.socket.closed, undefined);
});

Deno.test("guarantee 7: who was disconnected before a node began is closed as soon as it knows", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using elsewhere = new DriverBroadcaster<User>(new MemoryDriver(backend));
  await elsewhere.disconnect({ user: "ada" });
  const node = new DriverBroadcaster<User>(new MemoryDriver(backend));
  await using app = new PlayedGateway({ identify }, node);
  const [ada, bob] = ["ada", "bob"].map((name) => app.connect({ name }, "?v=2"));
  await time.tick(0);
  assertEquals([ada, bob].map((client) => client?.socket.closed?.code), [4001, undefined]);
});

Deno.test("guarantee 7: who is revoked hears nothing more, and neither resume nor uplink helps", async () => {
  using time = new FakeTime();
  await using nodes = new TwoNodes();
  for (const client of nodes.clients) {
    for (const [n, c] of ["private-x", "private-y"].entries()) client.send({ t: "sub", c, n });
  }
  await time.tick(0);
  const ok = nodes.ada[1]?.socket.frames.at(1);
  assert(ok?.t === "ok" && ok.p !== undefined);
  await nodes.a.broadcaster.revoke({ user: "ada", channel: "private-x" });
  await nodes.a.broadcaster.publish("private-x", { event: "secret", data: 1 });
  await nodes.a.broadcaster.publish("private-y", { event: "other", data: 1 });
  await time.tick(0);
  const events = (frames: readonly unknown[]) =>
    frames.map((frame) => Object(frame)).filter(({ t }) => t === "msg").map(({ e }) => e);
  for (const { socket } of nodes.ada) {
    assertEquals(events(socket.frames), ["other"]);
    assertEquals(socket.frames.filter(({ t }) => t === "gone"), [
      { t: "gone", c: "private-x", k: "revoked", r: "revoked", w: "never" },
    ]);
  }
  for (const { socket } of nodes.bob) assertEquals(events(socket.frames), ["secret", "other"]);
  const again = nodes.b.connect({ name: "ada" }, "?v=2");
  again.send({ t: "sub", c: "private-x", n: 1, p: ok.p });
  again.send({ t: "pub", c: "private-x", e: "n", d: 1, n: 2 });
  nodes.ada[0]?.send({ t: "pub", c: "private-x", e: "n", d: 1, n: 9 });
  await time.tick(0);
  assertEquals(again.heard.map((frame) => [Object(frame).n, Object(frame).r]), [
    [1, "unauthorized"],
    [2, "publish denied"],
  ]);
  assertEquals(Object(nodes.ada[0]?.socket.frames.at(-1)).r, "publish denied");
  await nodes.b.broadcaster.revoke({ user: "ada" });
  await time.tick(0);
  assertEquals(Object(nodes.ada[0]?.socket.frames.at(-1)).c, "private-y");
});

Deno.test("a user's own channel is hers alone, on every node, with history", async () => {
  using time = new FakeTime();
  await using nodes = new TwoNodes();
  for (const client of nodes.clients) client.send({ t: "sub", c: "private-~ada", n: 1 });
  const nobody = nodes.a.connect(undefined, "?v=2");
  for (const [n, c] of ["private-~ada", "PRIVATE-~ada", "private-~"].entries()) {
    nobody.send({ t: "sub", c, n });
  }
  await time.tick(0);
  const ok = nodes.ada[0]?.socket.frames.at(1);
  assert(ok?.t === "ok" && ok.p !== undefined);
  await nodes.b.broadcaster.sendToUser("ada", { event: "hello", data: 1 });
  await time.tick(0);
  for (const { socket } of nodes.ada) assertEquals(socket.frames.at(-1)?.t, "msg");
  for (const { socket } of nodes.bob) {
    assertEquals(socket.frames.slice(1).map(({ t }) => t), ["err"]);
  }
  assertEquals(nobody.socket.frames.slice(1).map(({ t }) => t), ["err", "err", "err"]);
  const back = nodes.b.connect({ name: "ada" }, "?v=2");
  back.send({ t: "sub", c: "private-~ada", n: 1, p: ok.p });
  await time.tick(0);
  assertEquals(back.socket.frames.slice(1).map(({ t }) => t), ["ok", "msg"]);
});

Deno.test("a token that has expired already is refused, and what was known before still holds", async () => {
  using time = new FakeTime();
  await using app = new PlayedGateway({ resolveToken, identify });
  const ada = app.connect(undefined, "?v=2");
  ada.send({ t: "auth", n: 1, k: "ada 5000" });
  await time.tick(0);
  ada.send({ t: "auth", n: 2, k: "ada 0" });
  await time.tick(0);
  assertEquals(ada.heard.map((frame) => [Object(frame).t, Object(frame).r]), [
    ["ok", undefined],
    ["err", "token refused"],
  ]);
  await time.tick(4_999);
  assertEquals(ada.socket.closed, undefined);
  await time.tick(1);
  assertEquals(ada.socket.closed?.code, 4104);
});

Deno.test("while a token is asked about another is refused, and a client that leaves meanwhile leaves nothing", async () => {
  using time = new FakeTime();
  const answer = Promise.withResolvers<User>();
  let asked = 0;
  await using app = new PlayedGateway({
    resolveToken: () => {
      asked++;
      return answer.promise;
    },
  });
  const ada = app.connect(undefined, "?v=2");
  ada.send({ t: "auth", n: 1, k: "one" });
  ada.send({ t: "auth", n: 2, k: "two" });
  assertEquals(asked, 1);
  await time.tick(0);
  assertEquals(ada.heard.map((frame) => [Object(frame).n, Object(frame).r]), [[2, "rate limited"]]);
  ada.events.closed(1006, "");
  const passing: Passing = { name: "ada", expiresAt: time.nowMs + 60_000 };
  answer.resolve(passing);
  await time.tick(0);
  assertEquals(time.pendingTimers, 0);
});

Deno.test("a client of revision 1 hears nothing ahead, and is closed when its subject expires", async () => {
  using time = new FakeTime();
  await using app = new PlayedGateway();
  const passing: Passing = { name: "ada", expiresAt: time.nowMs + 20_000 };
  const old = app.connect(passing);
  await time.tick(19_999);
  assertEquals([old.heard, old.socket.closed], [[], undefined]);
  await time.tick(1);
  assertEquals(old.socket.closed?.code, 4104);
});

Deno.test("who expires is told half a minute ahead, or half of what is left", async () => {
  using time = new FakeTime();
  await using app = new PlayedGateway({ resolveToken });
  for (const [holdsMs, aheadMs] of [[3_600_000, 30_000], [40_000, 20_000]] as const) {
    const ada = app.connect(undefined, "?v=2");
    ada.send({ t: "auth", n: 1, k: `ada ${holdsMs}` });
    await time.tick(0);
    const notices = () => ada.socket.frames.filter(({ t }) => t === "exp");
    for (let left = holdsMs - aheadMs - 1; left > 0; left -= 10_000) {
      await time.tick(Math.min(left, 10_000));
      ada.send({ t: "pong" });
    }
    assertEquals(notices(), []);
    await time.tick(1);
    assertEquals(notices(), [{ t: "exp", s: aheadMs / 1_000 }]);
    ada.events.closed(1006, "");
  }
});

Deno.test("a server that slept gives nobody more time than the clock does", async () => {
  using time = new FakeTime();
  await using app = new PlayedGateway();
  const passing: Passing = { name: "ada", expiresAt: time.nowMs + 20_000 };
  const ada = app.connect(passing, "?v=2");
  time.jump(60_000);
  await time.tick(0);
  assertEquals(ada.socket.closed?.code, 4104);
});

Deno.test("what a subject that has left waits for leaves no timer", async () => {
  using time = new FakeTime();
  await using app = new PlayedGateway();
  app.broadcaster.authorize("private-x", () => ({
    authorized: true,
    expiresAt: Date.now() + 60_000,
  }));
  const passing: Passing = { name: "ada", expiresAt: time.nowMs + 20_000 };
  const ada = app.connect(passing, "?v=2");
  ada.send({ t: "sub", c: "private-x", n: 1 });
  await time.tick(0);
  ada.events.closed(1006, "");
  await time.tick(0);
  assertEquals(time.pendingTimers, 0);
});

Deno.test("what a client says before it is known is kept within limits", async () => {
  using time = new FakeTime();
  await using app = new PlayedGateway({
    resolveToken,
    subscribeRate: { burst: 3, perSecond: 1 },
    maxQueuedBytes: 1_024,
  });
  const many = app.connect(undefined, "?v=2");
  for (let n = 0; n < 5; n++) many.send({ t: "sub", c: `c${n}`, n });
  const large = app.connect(undefined, "?v=2");
  large.send({ t: "pub", c: "c", e: "n", d: "x".repeat(1_100), n: 1 });
  await time.tick(0);
  const refusals = (frames: readonly unknown[]) =>
    frames.map((frame) => [Object(frame).n, Object(frame).r]);
  assertEquals(refusals(many.heard), [[3, "rate limited"], [4, "rate limited"]]);
  assertEquals(refusals(large.heard), [[1, "publish rate limited"]]);
});

Deno.test("guarantee 7: a yes about who the client was is none about who she is now", async () => {
  using time = new FakeTime();
  const answers = [Promise.withResolvers<boolean>(), Promise.withResolvers<boolean>()];
  await using app = new PlayedGateway({ resolveToken });
  app.broadcaster.authorize("private-x", ({ subject }) => {
    return answers[subject?.name === "admin" ? 0 : 1]?.promise ?? false;
  });
  const client = app.connect({ name: "admin" }, "?v=2");
  client.send({ t: "sub", c: "private-x", n: 1 });
  client.send({ t: "auth", n: 2, k: "guest" });
  await time.tick(0);
  answers[0]?.resolve(true);
  await time.tick(0);
  assertEquals(client.heard.map((frame) => Object(frame).c), [""]);
  answers[1]?.resolve(false);
  await time.tick(0);
  assertEquals(client.heard.slice(1).map((frame) => Object(frame).r), ["unauthorized"]);
});

Deno.test("an answer about a channel that was left meanwhile sets nothing off", async () => {
  using time = new FakeTime();
  let answer = Promise.resolve<{ authorized: true; expiresAt: number } | false>({
    authorized: true,
    expiresAt: time.nowMs + 1_000,
  });
  await using app = new PlayedGateway();
  app.broadcaster.authorize("private-x", () => answer);
  const client = app.connect(undefined, "?v=2");
  client.send({ t: "sub", c: "private-x", n: 1 });
  await time.tick(0);
  const late = Promise.withResolvers<{ authorized: true; expiresAt: number } | false>();
  answer = late.promise;
  await time.tick(1_000);
  client.send({ t: "unsub", c: "private-x", n: 2 });
  late.resolve({ authorized: true, expiresAt: time.nowMs + 60_000 });
  client.events.closed(1006, "");
  await time.tick(0);
  assertEquals(time.pendingTimers, 0);
});

Deno.test("guarantee 7: who is revoked while her rule is asked is not let in", async () => {
  using time = new FakeTime();
  const answer = Promise.withResolvers<boolean>();
  const allowed = Promise.withResolvers<boolean>();
  await using app = new PlayedGateway({ identify, allowClientPublish: () => allowed.promise });
  app.broadcaster.authorize("private-x", () => answer.promise);
  const ada = app.connect({ name: "ada" }, "?v=2");
  // A channel that is not held is decided on as well, with nobody there to be told of the order.
  ada.send({ t: "pub", c: "private-x", e: "n", d: 1, n: 1 });
  ada.send({ t: "sub", c: "private-x", n: 2 });
  await time.tick(0);
  await app.broadcaster.revoke({ user: "ada", channel: "private-x" });
  answer.resolve(true);
  allowed.resolve(true);
  await time.tick(0);
  assertEquals(ada.heard.map((frame) => [Object(frame).n, Object(frame).r]).sort(), [
    [1, "publish denied"],
    [2, "revoked"],
  ]);
});

Deno.test("guarantee 7: who is revoked while the application is asked about her publish does not publish", async () => {
  using time = new FakeTime();
  const allowed = Promise.withResolvers<boolean>();
  await using app = new PlayedGateway({ identify, allowClientPublish: () => allowed.promise });
  const [ada, bob] = ["ada", "bob"].map((name) => app.connect({ name }, "?v=2"));
  for (const client of [ada, bob]) client?.send({ t: "sub", c: "chat", n: 1 });
  await time.tick(0);
  ada?.send({ t: "pub", c: "chat", e: "n", d: 1, n: 2 });
  await time.tick(0);
  await app.broadcaster.disconnect({ user: "ada" });
  allowed.resolve(true);
  await time.tick(0);
  assertEquals(bob?.heard.map((frame) => Object(frame).t), ["ok"]);
});

Deno.test("guarantee 7: a revoked user gets her own channel no more, nor one that is open to all", async () => {
  using time = new FakeTime();
  await using app = new PlayedGateway({ identify });
  const ada = app.connect({ name: "ada" }, "?v=2");
  await app.broadcaster.revoke({ user: "ada" });
  for (const [n, c] of ["private-~ada", "news"].entries()) ada.send({ t: "sub", c, n });
  await time.tick(0);
  assertEquals(ada.heard.map((frame) => Object(frame).t), ["err", "err"]);
});

Deno.test("guarantee 7: while orders cannot be known nobody who could be named by one is let in", async () => {
  using time = new FakeTime();
  let host: DriverHost | undefined;
  const inner = new MemoryDriver();
  const broadcaster = new DriverBroadcaster<User>({
    abilities: inner.abilities,
    leases: inner.leases,
    open: (opened) => {
      host = opened;
      host.health("up");
    },
    publish: (channel, record) => inner.publish(channel, record),
    subscribe: (channel, sink) => inner.subscribe(channel, sink),
    read: (channel, after) => inner.read(channel, after),
    close: () => inner.close(),
  });
  const options = { identify, allowClientPublish: () => true, authorizationTimeoutMs: 1_000 };
  await using app = new PlayedGateway(options, broadcaster);
  const ada = app.connect({ name: "ada" }, "?v=2");
  const guest = app.connect(undefined, "?v=2");
  ada.send({ t: "sub", c: "chat", n: 1 });
  await time.tick(0);
  host?.health("down");
  ada.send({ t: "sub", c: "news", n: 2 });
  ada.send({ t: "pub", c: "chat", e: "n", d: 1, n: 3 });
  guest.send({ t: "sub", c: "news", n: 1 });
  guest.send({ t: "pub", c: "chat", e: "n", d: 1, n: 2 });
  await time.tick(999);
  assertEquals(ada.heard.filter((frame) => Object(frame).t !== "msg").length, 1);
  // Nobody could name a guest.
  assertEquals(guest.heard.map((frame) => Object(frame).t), ["ok", "ok"]);
  await time.tick(1);
  const refused = ada.socket.frames.filter(({ t }) => t === "err");
  assertEquals(refused.map((frame) => [Object(frame).n, Object(frame).r]).sort(), [
    [2, "authorization failed"],
    [3, "publish denied"],
  ]);
  host?.health("up");
  ada.send({ t: "sub", c: "news", n: 4 });
  await time.tick(0);
  assertEquals(Object(ada.heard.at(-1)).t, "ok");
  ada.send({ t: "pub", c: "news", e: "n", d: 1, n: 5 });
  await time.tick(0);
  assertEquals(ada.socket.frames.filter(({ t }) => t === "ok").map((frame) => Object(frame).n), [
    1,
    4,
    5,
  ]);
});

Deno.test("an order that names a user is told of where the gateway cannot know users", async () => {
  using time = new FakeTime();
  await using app = new PlayedGateway();
  const client = app.connect({ name: "ada" }, "?v=2");
  await time.tick(0);
  const welcome = client.socket.frames[0];
  assert(welcome?.t === "welcome");
  await app.broadcaster.revoke({ user: "ada" });
  await app.broadcaster.disconnect({ clientId: welcome.id });
  await time.tick(0);
  assertEquals(app.errors.map(({ code }) => code), ["broadcast.config"]);
  assertEquals(client.socket.closed?.code, 4001);
  await app.gateway.close();
  await app.broadcaster.revoke({ user: "ada" });
  await time.tick(0);
  // One that is closed hears of no more orders.
  assertEquals(app.errors.length, 1);
});

Deno.test("two users whose ids would be one channel are not both let in", async () => {
  await using app = new PlayedGateway({ identify }, new MemoryBroadcaster<User>());
  const half = app.connect({ name: "\ud800" }, "?v=2");
  assertEquals(half.socket.closed?.code, 4103);
});
