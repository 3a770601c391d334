import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { FakeTime } from "@airwave/broadcast/testing";
import { parseStreamId } from "../../protocol/sse.ts";
import { SSE_URL, SseReader, Streams } from "./sse_reader.ts";
import { STREAMED } from "./harness.ts";

interface User {
  readonly name: string;
}

/** A site whose cookie is the name of its user, and that makes a new object of it for each request. */
function byCookie(request: Request): User | undefined {
  const name = request.headers.get("cookie");
  return name === null ? undefined : { name };
}

function post(
  streams: Streams,
  secret: string,
  body: BodyInit,
  headers: HeadersInit,
): Promise<Response> {
  const request = new Request(`${SSE_URL}/${secret}`, {
    method: "POST",
    headers,
    body,
    ...STREAMED,
  });
  return Promise.resolve(streams.gateway.handler(request));
}

async function codeOf(response: Response): Promise<readonly [number, string]> {
  return [response.status, (await response.json()).error.code];
}

const SUB = JSON.stringify({ t: "sub", c: "a", n: 1 });
const HEADER = { "airwave-uplink": "1" };

Deno.test("the secret is 160 random bits in the first frame, and not the connection's id", async () => {
  await using streams = new Streams();
  const readers = [await streams.open(), await streams.open()];
  const secrets = await Promise.all(readers.map((reader) => reader.secret()));
  assertNotEquals(secrets[0], secrets[1]);
  for (const [index, reader] of readers.entries()) {
    const [first] = reader.frames;
    assert(first?.t === "welcome");
    assertMatch(secrets[index] ?? "", /^[0-9a-f]{40}$/);
    assert(!first.id.replaceAll("-", "").includes(secrets[index]?.slice(0, 8) ?? ""));
    assertEquals((await post(streams, first.id, SUB, HEADER)).status, 404);
    await reader.leave();
  }
});

Deno.test("what is said by the uplink is answered on the stream", async () => {
  await using streams = new Streams({ allowClientPublish: () => true });
  const reader = await streams.open();
  assertEquals((await reader.say({ t: "sub", c: "a", n: 1 })).status, 204);
  await reader.live("a");
  const response = await reader.say([
    { t: "pub", c: "a", e: "m", d: "one", n: 2, i: "mine-1" },
    { t: "pub", c: "a", e: "m", d: "two", n: 3, i: "mine-2" },
    { t: "pub", c: "a", e: "m", d: "two", n: 4, i: "mine-2" },
  ]);
  assertEquals([response.status, await response.text()], [204, ""]);
  await reader.until(({ frames }) => frames.some((frame) => frame.t === "ok" && frame.n === 4));
  assertEquals(reader.data("a"), ["one", "two"]);
  await reader.leave();
});

Deno.test("a channel that is asked for again, or published on, is resumed from where it stands", async () => {
  await using streams = new Streams({ allowClientPublish: () => true });
  const first = await streams.open({ channels: ["a"] });
  await first.live("a");
  await first.say([{ t: "sub", c: "a", n: 1 }, { t: "pub", c: "a", e: "e", d: 1, n: 2 }]);
  await first.until(({ frames }) => frames.some((frame) => frame.t === "ok" && frame.n === 2));
  const { lastEventId = "" } = first;
  assertEquals(parseStreamId(lastEventId)?.has("a"), true);
  await first.leave();
  await streams.publish("a", 2);
  const second = await streams.open({ lastEventId });
  await second.live("a");
  assertEquals(second.recoveries, ["ok"]);
  await second.leave();
});

Deno.test("an uplink without its header, with a wrong secret, from another user or origin is refused", async () => {
  await using streams = new Streams({ resolveSubject: byCookie });
  streams.broadcaster.authorize("a", () => true);
  const reader = await streams.open({ headers: { cookie: "ada" } });
  const secret = await reader.secret();
  const refusals: readonly (readonly [string, HeadersInit, readonly [number, string]])[] = [
    [secret, { cookie: "ada" }, [403, "uplink.header"]],
    [secret.replace(/./, "g"), { ...HEADER, cookie: "ada" }, [404, "uplink.gone"]],
    ["", { ...HEADER, cookie: "ada" }, [404, "uplink.gone"]],
    ["__proto__", { ...HEADER, cookie: "ada" }, [404, "uplink.gone"]],
    [secret, { ...HEADER, cookie: "eve" }, [403, "uplink.subject"]],
    [secret, HEADER, [403, "uplink.subject"]],
    [secret, { ...HEADER, cookie: "ada", authorization: "Bearer eve" }, [403, "uplink.subject"]],
  ];
  for (const [secret, headers, expected] of refusals) {
    assertEquals(await codeOf(await post(streams, secret, SUB, headers)), expected);
  }
  const foreign = { ...HEADER, cookie: "ada", origin: "https://evil.example" };
  assertEquals((await post(streams, secret, SUB, foreign)).status, 403);
  assertEquals(streams.gateway.subscriberCount("a"), 0);
  // Of a stream that is over nothing is known any more, not even whose it was.
  const other = await streams.open({ headers: { cookie: "ada" } });
  const over = await other.secret();
  await other.leave();
  const late = await post(streams, over, SUB, { ...HEADER, cookie: "eve" });
  assertEquals(await codeOf(late), [404, "uplink.gone"]);
  const own = { ...HEADER, cookie: "ada", origin: "http://app.example", host: "app.example" };
  assertEquals((await post(streams, secret, SUB, own)).status, 204);
  await reader.live("a");
  await reader.leave();
});

Deno.test("who a user is, is asked anew for each uplink: one who was logged out is refused", async () => {
  let known = true;
  await using streams = new Streams({
    resolveSubject: (request) => {
      if (!known) throw new Error("No such session");
      return request.headers.get("cookie") ?? undefined;
    },
  });
  const reader = await streams.open({ headers: { cookie: "ada" } });
  assertEquals((await reader.say({ t: "sub", c: "a", n: 1 })).status, 204);
  known = false;
  assertEquals(await codeOf(await reader.say({ t: "sub", c: "b", n: 2 })), [403, "uplink.subject"]);
  await reader.leave();
});

Deno.test("the same user is the same, though a cookie beside hers has changed", async () => {
  await using streams = new Streams({
    resolveSubject: (request) => /user=(\w+)/.exec(request.headers.get("cookie") ?? "")?.[1],
  });
  const reader = await streams.open({ headers: { cookie: "user=ada; seen=1" } });
  const headers = { ...HEADER, cookie: "user=ada; seen=2" };
  assertEquals((await post(streams, await reader.secret(), SUB, headers)).status, 204);
  await reader.leave();
});

Deno.test("where users have an id, that is what counts: another cookie of hers is hers", async () => {
  await using streams = new Streams({
    resolveSubject: (request) => {
      const [name, session] = (request.headers.get("cookie") ?? "").split(".");
      return { name, session };
    },
    identify: (subject) => (subject as User).name,
  });
  const reader = await streams.open({ headers: { cookie: "ada.1" } });
  const secret = await reader.secret();
  const say = (cookie: string) => post(streams, secret, SUB, { ...HEADER, cookie });
  assertEquals((await say("ada.2")).status, 204);
  assertEquals(await codeOf(await say("eve.1")), [403, "uplink.subject"]);
  await reader.leave();
});

Deno.test("a token that came by the uplink makes no stranger of the one who brought it", async () => {
  await using streams = new Streams({
    resolveSubject: (request) => request.headers.get("cookie") ?? undefined,
    resolveToken: (token) => ({ name: token }),
    identify: (subject) => typeof subject === "string" ? subject : (subject as User).name,
  });
  const reader = await streams.open({ channels: ["a"] });
  // Who is asking is not known yet, and so nothing is live.
  assertEquals((await reader.say({ t: "auth", n: 1, k: "ada" })).status, 204);
  await reader.live("a");
  assertEquals((await reader.say({ t: "sub", c: "b", n: 2 })).status, 204);
  await reader.live("b");
  const eve = { ...HEADER, cookie: "eve" };
  assertEquals(await codeOf(await post(streams, await reader.secret(), SUB, eve)), [
    403,
    "uplink.subject",
  ]);
  await reader.leave();
});

Deno.test("a body that is too large, late, or no frame is refused whole, and the stream goes on", async () => {
  using time = new FakeTime();
  await using streams = new Streams({ maxFrameBytes: 256, authorizationTimeoutMs: 1000 });
  const reader = await streams.open();
  const secret = await reader.secret();
  const large = JSON.stringify({ t: "sub", c: "a".repeat(300), n: 1 });
  const tooLarge = [413, "uplink.too_large"] as const;
  assertEquals(await codeOf(await post(streams, secret, large, HEADER)), tooLarge);
  const told = { ...HEADER, "content-length": "1000000" };
  assertEquals(await codeOf(await post(streams, secret, SUB, told)), tooLarge);
  for (const body of ["", "{", "7", '{"t":"sub"}', `[${SUB},{"t":"sub","c":7}]`]) {
    const expected = [400, "uplink.malformed"] as const;
    assertEquals(await codeOf(await post(streams, secret, body, HEADER)), expected, body);
  }
  const endless = new ReadableStream({ start: (to) => to.enqueue(new TextEncoder().encode(SUB)) });
  const late = post(streams, secret, endless, HEADER);
  await time.tick(1000);
  assertEquals((await late).status, 400);
  assertEquals(streams.gateway.channelCount, 0);
  assertEquals(streams.gateway.clientCount, 1);
  await reader.leave();
});

Deno.test("only POST speaks, only GET listens", async () => {
  await using streams = new Streams();
  const reader = await streams.open();
  const secret = await reader.secret();
  for (const method of ["GET", "PUT", "DELETE", "HEAD"]) {
    const { handler } = streams.gateway;
    const response = await handler(new Request(`${SSE_URL}/${secret}`, { method }));
    assertEquals([response.status, response.headers.get("allow")], [405, "POST"]);
  }
  const response = await streams.gateway.handler(new Request(SSE_URL, { method: "POST" }));
  assertEquals([response.status, response.headers.get("allow")], [405, "GET"]);
  await reader.leave();
});

Deno.test("a page of an allowed origin may read and speak, with its visitor's cookies", async () => {
  await using streams = new Streams({ allowedOrigins: ["https://page.example"] });
  const { handler } = streams.gateway;
  const origin = "https://page.example";
  const ask = (origin: string) =>
    handler(new Request(`${SSE_URL}/x`, { method: "OPTIONS", headers: { origin } }));
  const preflight = await ask(origin);
  assertEquals(preflight.status, 204);
  assertEquals(preflight.headers.get("access-control-allow-methods"), "GET, POST");
  assertMatch(preflight.headers.get("access-control-allow-headers") ?? "", /airwave-uplink/);
  const reader = await streams.open({ headers: { origin } });
  const said = await reader.say({ t: "sub", c: "a", n: 1 });
  const refused = await post(streams, "wrong", SUB, { ...HEADER, origin });
  assertEquals([said.status, refused.status], [204, 404]);
  for (const { headers } of [preflight, reader.response, said, refused]) {
    assertEquals(headers.get("access-control-allow-origin"), origin);
    assertEquals(headers.get("access-control-allow-credentials"), "true");
    assertEquals(headers.get("vary"), "origin");
  }
  await reader.leave();
  for (
    const response of [
      await ask("https://evil.example"),
      (await streams.open({ headers: { origin: "https://evil.example" } })).response,
    ]
  ) {
    assertEquals(response.status, 403);
    assertEquals(response.headers.get("access-control-allow-origin"), null);
  }
});

Deno.test("a stream that ends before anybody knows who is there leaves no uplink", async () => {
  await using streams = new Streams({
    resolveSubject: () => {
      throw new Error("No database");
    },
  });
  const reader = await streams.open();
  await reader.end();
  assertEquals(JSON.parse(reader.messages.at(-1)?.data ?? ""), {
    code: 4103,
    reason: "subject unknown",
  });
  assertEquals(streams.gateway.clientCount, 0);
});

Deno.test("a gateway at the root of its server has its streams at /sse", async () => {
  await using streams = new Streams({ path: "/" });
  const reader = await streams.open({ url: "http://app.example/sse", channels: ["a"] });
  await reader.live("a");
  assertEquals((await reader.say({ t: "sub", c: "b", n: 1 })).status, 204);
  await reader.live("b");
  await reader.leave();
  const response = await SseReader.open(streams.gateway.handler, {
    url: "http://app.example/sselike",
  });
  assertEquals(response.response.status, 404);
});

Deno.test("guarantee 7: who is disconnected loses her streams and uplinks, and is refused when she comes back", async () => {
  await using streams = new Streams({
    resolveSubject: byCookie,
    identify: (subject) => Object(subject).name,
    allowClientPublish: () => true,
  });
  const headers = { cookie: "ada" };
  const ada = await streams.open({ headers, channels: ["a"] });
  const events = await streams.open({ headers, channels: ["a"], url: `${SSE_URL}?as=events` });
  const bob = await streams.open({ headers: { cookie: "bob" }, channels: ["a"] });
  for (const reader of [ada, bob]) await reader.live("a");
  const { lastEventId } = ada;
  await streams.broadcaster.disconnect({ user: "ada" });
  await streams.publish("a", "secret");
  for (const reader of [ada, events]) {
    await reader.end();
    assertEquals(JSON.stringify(reader.messages).includes("secret"), false);
  }
  assertEquals((await ada.say({ t: "pub", c: "a", e: "m", d: "late" })).status, 404);
  const back = await streams.open({ headers, channels: ["a"], lastEventId });
  await back.end();
  assertEquals(JSON.stringify(back.messages).includes("secret"), false);
  const asEvents = await streams.open({
    headers,
    channels: ["a"],
    lastEventId,
    url: `${SSE_URL}?as=events`,
  });
  assertEquals(asEvents.response.status, 403);
  await bob.until((reader) => reader.data("a").length === 1);
  assertEquals(bob.data("a"), ["secret"]);
  await bob.leave();
});
