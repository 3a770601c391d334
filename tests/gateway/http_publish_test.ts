import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  BroadcastConfigError,
  type BroadcastEventInit,
  BroadcastGateway,
  DriverBroadcaster,
  MemoryBroadcaster,
  type PublishOptions,
} from "@airwave/broadcast";
import { FakeTime } from "@airwave/broadcast/testing";
import { HttpPublish, type HttpPublishOptions } from "../../gateway/http_publish.ts";
import { ScriptedDriver } from "../core/scripted_driver.ts";
import { STREAMED } from "./harness.ts";

const KEY = "k".repeat(31) + "1";
const OTHER_KEY = "k".repeat(31) + "2";
const URL = "http://app.example/_broadcast/publish";

interface Sent {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

/** An endpoint over memory, and what it published. */
class Endpoint implements AsyncDisposable {
  readonly broadcaster = new MemoryBroadcaster();
  readonly endpoint: HttpPublish;

  constructor(options: Partial<HttpPublishOptions> = {}) {
    this.endpoint = new HttpPublish(this.broadcaster, { keys: [KEY], ...options });
  }

  async send(
    body: unknown,
    headers: HeadersInit = { authorization: `Bearer ${KEY}` },
    method = "POST",
  ): Promise<Sent> {
    const isRaw = typeof body === "string" || body instanceof Blob;
    const raw = isRaw ? body : JSON.stringify(body);
    const init = { method, headers, ...(method === "GET" ? {} : { body: raw }) };
    const response = await this.endpoint.handle(new Request(URL, init));
    return {
      status: response.status,
      body: await response.json(),
      headers: response.headers,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.broadcaster.close();
  }
}

const code = ({ status, body }: Sent) => {
  const { error } = body;
  return [status, typeof error === "object" && error !== null && "code" in error ? error.code : ""];
};

/** Signs as the guide says, without a line of the code that checks it. */
async function sign(body: string, seconds: number, key = KEY): Promise<Record<string, string>> {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const hex = (buffer: ArrayBuffer) => new Uint8Array(buffer).toHex();
  const digest = hex(await crypto.subtle.digest("SHA-256", bytes(body)));
  const hmac = await crypto.subtle.importKey(
    "raw",
    bytes(key),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const text = `POST\n/_broadcast/publish\n${digest}\n${seconds}`;
  const signature = hex(await crypto.subtle.sign("HMAC", hmac, bytes(text)));
  return { "airwave-time": String(seconds), "airwave-signature": `v1=${signature}` };
}

Deno.test("one event is published, and answered with its id and position", async () => {
  await using app = new Endpoint();
  await using subscription = app.broadcaster.subscribe("news");
  await subscription.ready;
  const sent = await app.send({ channel: "news", event: "headline", data: { a: [1] }, id: "x" });
  const { value } = await subscription.next();
  assertEquals([value?.event, value?.data, value?.id], ["headline", { a: [1] }, "x"]);
  assertEquals([sent.status, sent.body], [200, { id: "x", position: { ...value?.position } }]);
});

Deno.test("a batch of 1,000 is published in its order; the same id twice is one event", async () => {
  await using app = new Endpoint();
  await using subscription = app.broadcaster.subscribe("news");
  await subscription.ready;
  const events = Array.from({ length: 1_000 }, (_, i) => ({
    channel: "news",
    event: "n",
    data: i,
    id: String(i === 999 ? 0 : i),
  }));
  const { status, body } = await app.send(events);
  assertEquals(status, 200);
  assert(Array.isArray(body.results) && body.results.length === 1_000);
  assertEquals(body.results.at(-1), body.results[0]);
  const seen: unknown[] = [];
  while (seen.length < 999) seen.push((await subscription.next()).value?.data);
  assertEquals(seen, Array.from({ length: 999 }, (_, i) => i));
  const again = await app.send(events.slice(500, 501));
  assertEquals(again.body, { results: [body.results[500]] });
});

Deno.test("an event may go to a user, and leave a connection out", async () => {
  await using app = new Endpoint();
  const seen: unknown[] = [];
  app.broadcaster.listen("private-~ada", {
    live() {},
    event: ({ event, except }) => void seen.push([event, except]),
    lost() {},
    ended() {},
  });
  await using ready = app.broadcaster.subscribe("private-~ada");
  await ready.ready;
  await app.send({ user: "ada", event: "n", data: 1, except: "connection" });
  assertEquals(seen, [["n", "connection"]]);
});

Deno.test("only a whole and right key publishes, each of several", async () => {
  await using app = new Endpoint({ keys: [KEY, OTHER_KEY] });
  const event = { channel: "news", event: "n", data: 1 };
  const headers = [
    {},
    { authorization: "" },
    { authorization: "Bearer" },
    { authorization: `Basic ${KEY}` },
    { authorization: `Bearer ${KEY.slice(0, -1)}` },
    { authorization: `Bearer ${KEY}1` },
    { authorization: `Bearer ${KEY} ${OTHER_KEY}` },
    { authorization: `Bearer ${KEY.toUpperCase()}` },
  ];
  for (const header of headers) {
    const sent = await app.send(event, header);
    assertEquals(code(sent), [401, "publish.unauthorized"], JSON.stringify(header));
    assertEquals(sent.headers.get("www-authenticate"), "Bearer");
  }
  for (const key of [KEY, OTHER_KEY]) {
    assertEquals((await app.send(event, { authorization: `Bearer ${key}` })).status, 200);
  }
});

Deno.test("a key whose digest is right in part is not right", async () => {
  await using app = new Endpoint();
  const event = { channel: "news", event: "n", data: 1 };
  // Among so many some have every one byte of the digest right.
  const guesses = Array.from({ length: 4_000 }, (_, n) => `Bearer guess-${n}`);
  const sent = await Promise.all(
    guesses.map((authorization) => app.send(event, { authorization })),
  );
  assertEquals(sent.filter(({ status }) => status !== 401), []);
});

Deno.test("events without an id are events of their own, signed or not", async () => {
  await using app = new Endpoint();
  const now = Math.floor(Date.now() / 1000);
  const ids = [];
  for (const data of [1, 2]) {
    const body = JSON.stringify({ channel: "news", event: "n", data });
    ids.push((await app.send(body)).body.id, (await app.send(body, await sign(body, now))).body.id);
  }
  assertEquals(new Set(ids).size, 4);
});

Deno.test("an answer says whether the same request may succeed later", async () => {
  await using app = new Endpoint();
  const good = { channel: "news", event: "n", data: 1 };
  const bad = { ...good, channel: "no spaces" };
  const down = new HttpPublish(new DriverBroadcaster(new ScriptedDriver()), { keys: [KEY] });
  const publish = async (endpoint: HttpPublish, events: unknown) => {
    const headers = { authorization: `Bearer ${KEY}` };
    const init = { method: "POST", headers, body: JSON.stringify(events) };
    const response = await endpoint.handle(new Request(URL, init));
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await publish(app.endpoint, [good, bad]), 400);
  assertEquals(await publish(down, good), 503);
  assertEquals(await publish(down, [good]), 503);
  assertEquals(await publish(down, [bad, good]), 503);
});

Deno.test("a stranger's body is not even read", async () => {
  await using app = new Endpoint();
  // The last one waits until the keys are hashed: a test must not end amid that.
  for (
    const headers of [{}, { authorization: "Bearer a guess" }, { authorization: "Bearer guess" }]
  ) {
    let pulled = 0;
    const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 });
    const request = new Request(URL, { method: "POST", headers, body, ...STREAMED });
    assertEquals([(await app.endpoint.handle(request)).status, pulled], [401, 0]);
  }
});

Deno.test("a signed request needs no key on the way, and is accepted once, for five minutes", async () => {
  using time = new FakeTime();
  await using app = new Endpoint({ keys: [OTHER_KEY, KEY] });
  const body = JSON.stringify({ channel: "news", event: "n", data: 1 });
  const now = Math.floor(time.nowMs / 1000);
  const first = await app.send(body, await sign(body, now));
  assertEquals(first.status, 200);
  assertEquals(code(await app.send(body, await sign(body, now))), [409, "publish.replayed"]);
  for (const late of [now - 301, now + 301]) {
    const sent = await app.send(body, await sign(body, late));
    assertEquals(code(sent), [401, "publish.unauthorized"]);
  }
  for (const inTime of [now - 299, now + 299]) {
    assertEquals((await app.send(body, await sign(body, inTime))).status, 200);
  }
  time.jump(599_000);
  assertEquals(code(await app.send(body, await sign(body, now + 299))), [409, "publish.replayed"]);
});

Deno.test("a signature is about this body, time, path and key", async () => {
  await using app = new Endpoint();
  const body = JSON.stringify({ channel: "news", event: "n", data: 1 });
  const now = Math.floor(Date.now() / 1000);
  const good = await sign(body, now);
  const bad: readonly (readonly [body: string, headers: Record<string, string>])[] = [
    [body.replace("1", "2"), good],
    [body, { ...good, "airwave-time": String(now - 1) }],
    [body, { ...good, "airwave-time": "" }],
    [body, { "airwave-signature": good["airwave-signature"] ?? "" }],
    [body, { ...good, "airwave-signature": good["airwave-signature"]?.slice(0, -1) ?? "" }],
    [body, await sign(body, now, OTHER_KEY)],
    // A right key beside a wrong signature does not help.
    [body, { ...await sign(body, now, OTHER_KEY), authorization: `Bearer ${KEY}` }],
  ];
  for (const [text, headers] of bad) {
    assertEquals(code(await app.send(text, headers)), [401, "publish.unauthorized"]);
  }
  for (const url of ["http://app.example/other/publish", `${URL}?more`]) {
    const request = new Request(url, { method: "POST", headers: good, body });
    assertEquals((await app.endpoint.handle(request)).status, 401);
  }
  assertEquals((await app.send(body, good)).status, 200);
});

Deno.test("a signed request that came too often, or is malformed, was not accepted: the same again is no replay", async () => {
  using time = new FakeTime();
  await using app = new Endpoint({ rate: { burst: 1, perSecond: 1 } });
  const now = Math.floor(time.nowMs / 1000);
  const bodies = [1, 2].map((data) => JSON.stringify({ channel: "news", event: "n", data }));
  const [first, second] = bodies;
  assert(first !== undefined && second !== undefined);
  assertEquals((await app.send(first, await sign(first, now))).status, 200);
  const headers = await sign(second, now);
  assertEquals(code(await app.send(second, headers)), [429, "publish.rate_limited"]);
  time.jump(1_000);
  assertEquals((await app.send(second, headers)).status, 200);
  const malformed = await sign("{", now);
  for (let i = 0; i < 2; i++) {
    time.jump(1_000);
    assertEquals(code(await app.send("{", malformed)), [400, "publish.malformed"]);
  }
});

Deno.test("a signed request, sent again to another node, publishes nothing twice", async () => {
  await using a = new Endpoint();
  const b = new HttpPublish(a.broadcaster, { keys: [KEY] });
  const body = JSON.stringify([1, 2].map((data) => ({ channel: "news", event: "n", data })));
  const headers = await sign(body, Math.floor(Date.now() / 1000));
  const first = await a.send(body, headers);
  const response = await b.handle(new Request(URL, { method: "POST", headers, body }));
  assertEquals(await response.json(), first.body);
});

Deno.test("a signed request that failed may be sent again as it is", async () => {
  let isDown = true;
  const broadcaster = new MemoryBroadcaster();
  const endpoint = new HttpPublish({
    publish: (channel: string, event: BroadcastEventInit, options?: PublishOptions) =>
      isDown ? Promise.reject(new Error("down")) : broadcaster.publish(channel, event, options),
    sendToUser: () => Promise.reject(new Error("never asked")),
  }, { keys: [KEY] });
  const body = JSON.stringify({ channel: "news", event: "n", data: 1 });
  const headers = await sign(body, Math.floor(Date.now() / 1000));
  const send = () => endpoint.handle(new Request(URL, { method: "POST", headers, body }));
  const failed = await send();
  assertEquals([failed.status, failed.headers.get("retry-after")], [503, "1"]);
  assertEquals((await failed.json()).error.code, "publish.failed");
  isDown = false;
  assertEquals((await send()).status, 200);
  await broadcaster.close();
});

Deno.test("a body over the limit is refused, whether its length is told or not", async () => {
  await using app = new Endpoint();
  const data = "x".repeat(2 * 1024 * 1024);
  const sent = await app.send({ channel: "news", event: "n", data });
  assertEquals(code(sent), [413, "publish.too_large"]);
  let pulled = 0;
  const stream = new ReadableStream({
    pull(controller) {
      pulled++;
      controller.enqueue(new Uint8Array(64 * 1024));
    },
  });
  const headers = { authorization: `Bearer ${KEY}` };
  const response = await app.endpoint.handle(
    new Request(URL, { method: "POST", headers, body: stream, ...STREAMED }),
  );
  assertEquals(response.status, 413);
  await response.body?.cancel();
  assert(pulled < 40, `${pulled} chunks were read`);
});

Deno.test("a body that does not arrive is not waited for", async () => {
  using time = new FakeTime();
  await using app = new Endpoint();
  const headers = { authorization: `Bearer ${KEY}` };
  const body = new ReadableStream();
  const request = new Request(URL, { method: "POST", headers, body, ...STREAMED });
  const answer = app.endpoint.handle(request);
  // The key is looked at on a thread of the runtime, which fake time does not wait for.
  await crypto.subtle.digest("SHA-256", new Uint8Array());
  await new Promise((resolve) => queueMicrotask(() => resolve(undefined)));
  while (time.pendingTimers === 0) await crypto.subtle.digest("SHA-256", new Uint8Array());
  await time.tick(10_000);
  assertEquals((await answer).status, 400);
});

Deno.test("what is no event is refused with the rule, and nothing of its request is published", async () => {
  await using app = new Endpoint({ maxEvents: 3 });
  await using subscription = app.broadcaster.subscribe("news");
  await subscription.ready;
  const good = { channel: "news", event: "n", data: 1 };
  const malformed: readonly unknown[] = [
    "{",
    "\u0000",
    "7",
    "null",
    [good, 7],
    { event: "n" },
    { channel: 7, event: "n" },
    { channel: "news" },
    { ...good, user: "ada" },
    { ...good, id: 7 },
    { ...good, except: {} },
    { ...good, evnt: 1 },
  ];
  for (const body of malformed) {
    assertEquals(code(await app.send(body)), [400, "publish.malformed"], JSON.stringify(body));
  }
  const latin = new Blob(['{"channel":"news","event":"', new Uint8Array([0xe4]), '"}']);
  assertEquals(code(await app.send(latin)), [400, "publish.malformed"]);
  assertEquals(code(await app.send([good, good, good, good])), [413, "publish.too_many"]);
  assertEquals(code(await app.send({ ...good, channel: "no spaces" })), [400, "publish.refused"]);
  assertEquals(code(await app.send({ ...good, channel: "!control" })), [400, "publish.refused"]);
  const got = await app.send("", {}, "GET");
  assertEquals([...code(got), got.headers.get("allow")], [405, "publish.method", "POST"]);
  await app.broadcaster.publish("news", { event: "end", data: null });
  assertEquals((await subscription.next()).value?.event, "end");
});

Deno.test("requests of one key are limited, and another key is not", async () => {
  await using app = new Endpoint({
    keys: [KEY, OTHER_KEY],
    rate: { burst: 2, perSecond: 0.001 },
  });
  const event = { channel: "news", event: "n", data: 1 };
  const statuses = [];
  for (let i = 0; i < 3; i++) {
    const { status, headers } = await app.send(event);
    statuses.push([status, headers.get("retry-after")]);
  }
  assertEquals(statuses, [[200, null], [200, null], [429, "1"]]);
  assertEquals((await app.send(event, { authorization: `Bearer ${OTHER_KEY}` })).status, 200);
});

Deno.test("weak keys and unknown options are refused where they are given", () => {
  const broadcaster = new MemoryBroadcaster();
  for (const keys of [[], ["short"], ["x".repeat(31)], [`${"x".repeat(32)} `], [KEY, "short"]]) {
    assertThrows(() => new HttpPublish(broadcaster, { keys }), BroadcastConfigError, "keys");
  }
  assertThrows(
    // @ts-expect-error a misspelled option does not compile either
    () => new HttpPublish(broadcaster, { keys: [KEY], maxBodyByte: 1 }),
    BroadcastConfigError,
    "maxBodyByte",
  );
});

Deno.test("a gateway takes publishes at its path where keys are configured, and nowhere else", async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using off = new BroadcastGateway({ broadcaster });
  await using on = new BroadcastGateway({ broadcaster, path: "/", httpPublish: { keys: [KEY] } });
  const post = (path: string) =>
    new Request(`http://app.example${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}` },
      body: JSON.stringify({ channel: "news", event: "n", data: 1 }),
    });
  assertEquals((await off.handler(post("/_broadcast/publish"))).status, 404);
  const response = await on.handler(post("/publish"));
  assertEquals(response.status, 200);
  await response.body?.cancel();
  assertEquals((await on.handler(post("/publish/"))).status, 404);
  await on.close();
  assertEquals((await on.handler(post("/publish"))).status, 503);
  assertThrows(
    () => new BroadcastGateway({ broadcaster, httpPublish: { keys: ["weak"] } }),
    BroadcastConfigError,
    "keys",
  );
});
