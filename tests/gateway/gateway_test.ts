import { assertEquals, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import {
  BroadcastConfigError,
  BroadcastGateway,
  type BroadcastGatewayOptions,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import { clientText, FakeGatewaySocket, settle } from "@airwave/broadcast/testing";
import { PlayedGateway, type User } from "./harness.ts";
import { type Listener, testOnEach } from "./listeners.ts";

/** A WebSocket handshake as a browser or a script would send it. */
function handshake(headers: Record<string, string> = {}, url = "http://app.example/_broadcast") {
  return new Request(url, {
    headers: { upgrade: "websocket", host: new URL(url).host, ...headers },
  });
}

async function status(
  request: Request,
  options: Partial<BroadcastGatewayOptions<User>> = {},
): Promise<number> {
  await using played = new PlayedGateway(options);
  return played.gateway.refusal(request)?.status ?? 101;
}

Deno.test("only a WebSocket handshake on the gateway's path is admitted", async () => {
  assertEquals(await status(handshake()), 101);
  assertEquals(await status(handshake({ upgrade: "WebSocket" })), 101);
  assertEquals(await status(new Request("http://app.example/_broadcast")), 426);
  assertEquals(await status(handshake({}, "http://app.example/other")), 404);
  assertEquals(await status(handshake({}, "http://app.example/_broadcast/more")), 404);
  assertEquals(await status(handshake({}, "http://app.example/live"), { path: "/live" }), 101);
  const post = new Request("http://app.example/_broadcast", { method: "POST" });
  assertEquals(await status(post), 426);
});

Deno.test("match tells the gateway's requests from the application's", async () => {
  await using played = new PlayedGateway();
  const matches = (path: string) => played.gateway.match(new Request(`http://app.example${path}`));
  assertEquals(["/_broadcast", "/_broadcast/sse", "/_broadcast?v=2"].map(matches), [
    true,
    true,
    true,
  ]);
  assertEquals(["/", "/_broadcasts", "/x/_broadcast"].map(matches), [false, false, false]);
});

Deno.test("a gateway with a server of its own may sit at the root", async () => {
  await using played = new PlayedGateway({ path: "/" });
  assertEquals(played.gateway.match(new Request("http://app.example/")), true);
  assertEquals(played.gateway.match(new Request("http://app.example/sse")), true);
  assertEquals(await status(handshake({}, "http://app.example/"), { path: "/" }), 101);
});

Deno.test("pages of the same origin may connect, others may not", async () => {
  const cases: [origin: string, url: string, expected: number][] = [
    ["http://app.example", "http://app.example/_broadcast", 101],
    ["http://app.example:8080", "http://app.example:8080/_broadcast", 101],
    ["https://app.example", "https://app.example/_broadcast", 101],
    // Behind a proxy that ends TLS the request looks like plain HTTP.
    ["https://app.example", "http://app.example/_broadcast", 101],
    // The other way round a page without TLS would use a connection with it.
    ["http://app.example", "https://app.example/_broadcast", 403],
    ["http://app.example:8080", "http://app.example/_broadcast", 403],
    ["http://evil.example", "http://app.example/_broadcast", 403],
    ["http://app.example.evil.example", "http://app.example/_broadcast", 403],
    ["http://evil.example/app.example", "http://app.example/_broadcast", 403],
    ["http://app.example@evil.example", "http://app.example/_broadcast", 403],
    ["null", "http://app.example/_broadcast", 403],
    ["", "http://app.example/_broadcast", 403],
    ["file://", "http://app.example/_broadcast", 403],
    ["chrome-extension://abc", "http://app.example/_broadcast", 403],
  ];
  for (const [origin, url, expected] of cases) {
    assertEquals(await status(handshake({ origin }, url)), expected, `${origin} to ${url}`);
  }
  // What is no browser sends none.
  assertEquals(await status(handshake({}, "http://app.example/_broadcast")), 101);
});

Deno.test("the allow-list compares parsed origins", async () => {
  const allowedOrigins = ["https://Other.example:443", "http://localhost:3000"];
  const from = (origin: string) => status(handshake({ origin }), { allowedOrigins });
  assertEquals(await from("https://other.example"), 101);
  assertEquals(await from("http://localhost:3000"), 101);
  assertEquals(await from("http://other.example"), 403);
  assertEquals(await from("https://other.example:444"), 403);
  assertEquals(await from("https://sub.other.example"), 403);
  assertEquals(await from("http://app.example"), 101);
  const anyOrigin = { allowedOrigins: ["*"] };
  assertEquals(await status(handshake({ origin: "null" }), anyOrigin), 101);
});

/** What a client hears that connects with a cookie, and how it is closed. */
async function hearing(resolveSubject: BroadcastGatewayOptions<User>["resolveSubject"]) {
  await using played = new PlayedGateway({ resolveSubject, authorizationTimeoutMs: 5 });
  played.broadcaster.authorize("private-*", ({ subject, params }) => subject?.name === params[0]);
  const socket = new FakeGatewaySocket();
  const events = played.gateway.connect(socket, handshake({ cookie: "ada" }));
  // Heard if the answer was there at once; what is said before the welcome is not.
  events.message(clientText({ t: "sub", c: "news" }));
  await socket.until(({ frames, closed }) => frames.length > 0 || closed !== undefined);
  events.message(clientText({ t: "sub", c: "private-ada" }));
  await settle();
  const heard = socket.frames.map(({ t }) => t).join(" ");
  const errors: string[] = played.errors.map(({ code }) => code);
  return { heard, closed: socket.closed?.code, errors };
}

Deno.test("who is asking comes from the request, before the welcome", async () => {
  const name = (request: Request) => request.headers.get("cookie") ?? "";
  const welcomed = (heard: string) => ({ heard, closed: undefined, errors: [] });
  assertEquals(await hearing((request) => ({ name: name(request) })), welcomed("welcome ok ok"));
  assertEquals(await hearing(() => undefined), welcomed("welcome ok err"));
  assertEquals(
    await hearing((request) => Promise.resolve({ name: name(request) })),
    welcomed("welcome ok"),
  );
});

Deno.test("who cannot be known for a throw or a silence is closed, to come back later", async () => {
  const refused = { heard: "", closed: 4103, errors: ["broadcast.hook"] };
  const bug = () => {
    throw new Error("No cookie");
  };
  assertEquals(await hearing(bug), refused);
  assertEquals(await hearing(() => Promise.reject(new Error("Down"))), refused);
  assertEquals(await hearing(() => new Promise(() => {})), refused);
});

Deno.test("a closed gateway refuses, also one that closes while it finds out who is asking", async () => {
  const played = new PlayedGateway({ resolveSubject: () => new Promise(() => {}) });
  const asking = played.connect();
  await played.gateway.close();
  await played.gateway.close();
  assertEquals(asking.socket.closed?.code, 1001);
  assertEquals(played.gateway.refusal(handshake())?.status, 503);
  const late = played.connect();
  await settle();
  assertEquals(late.socket.closed?.code, 1001);
  assertEquals([asking.socket.frames, late.socket.frames], [[], []]);
  assertEquals([played.gateway.clientCount, played.disconnections, played.errors], [0, [], []]);
  await played.broadcaster.close();
});

const HANDSHAKE = new TextEncoder().encode(
  "GET /_broadcast HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
);

/** A gateway on a real server, and a client of it without manners: a bare connection. */
async function serveRudely(listener: Listener, options: Partial<BroadcastGatewayOptions<User>>) {
  const played = new PlayedGateway(options);
  const { gateway } = played;
  const requests = new EventTarget();
  const refusal = gateway.refusal.bind(gateway);
  gateway.refusal = (request) => {
    requests.dispatchEvent(new Event("asked"));
    return refusal(request);
  };
  const server = await listener.listen(gateway);
  /** Resolves in the turn in which this many more requests were handed to the gateway. */
  const handled = (count: number) =>
    new Promise<void>((resolve) => {
      requests.addEventListener("asked", () => --count === 0 && resolve());
    });
  const connect = async () => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await connection.write(HANDSHAKE);
    return connection;
  };
  return { played, server, handled, connect };
}

// Deno never closes the socket of a client that left before the upgrade, so none may wait for one:
// a stranger once used up all file descriptors by leaving while resolveSubject was thinking.
testOnEach(
  "clients that leave at once, or while it is found out who is asking, leave no socket",
  {},
  async (listener) => {
    const CLIENTS = 50;
    const asked: PromiseWithResolvers<undefined>[] = [];
    const all = Promise.withResolvers<void>();
    const { played, server, handled, connect } = await serveRudely(listener, {
      resolveSubject: () => {
        const answer = Promise.withResolvers<undefined>();
        if (asked.push(answer) === CLIENTS) all.resolve();
        return answer.promise;
      },
    });
    const staying = await Promise.all(Array.from({ length: CLIENTS }, connect));
    await all.promise;
    const seen = handled(CLIENTS);
    const leaving = await Promise.all(Array.from({ length: CLIENTS }, connect));
    await seen;
    for (const connection of [...leaving, ...staying]) connection.close();
    for (const { resolve } of asked) resolve(undefined);
    // It waits for every connection to end, and would for ever on one that does not.
    await deadline(server.shutdown(), 10_000);
    await played[Symbol.asyncDispose]();
    assertEquals(played.gateway.clientCount, 0);
  },
);

testOnEach("a connection that breaks without a word ends with 1006", {}, async (listener) => {
  const connected = Promise.withResolvers<void>();
  const disconnected = Promise.withResolvers<number>();
  const { played, server, connect } = await serveRudely(listener, {
    onConnect: () => connected.resolve(),
    onDisconnect: ({ code }) => disconnected.resolve(code),
  });
  const connection = await connect();
  await connected.promise;
  connection.close();
  assertEquals(await disconnected.promise, 1006);
  await server.shutdown();
  await played[Symbol.asyncDispose]();
});

Deno.test("options: an unknown name or a bad value is refused with the rule", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const cases: [unknown, string][] = [
    [{}, 'option "broadcaster" is required'],
    [{ broadcaster: {} }, "a broadcaster, such as new MemoryBroadcaster()"],
    [{ broadcaster, port: 8000 }, 'unknown option "port"'],
    [{ broadcaster, path: "live" }, "a path such as"],
    [{ broadcaster, path: "/live/" }, "a path such as"],
    [{ broadcaster, publishRate: { burst: 0.5, perSecond: 1 } }, "a burst of at least 1"],
    [{ broadcaster, pingIntervalMs: 0 }, "an integer from 1"],
    [{ broadcaster, pingIntervalMs: 1e12 }, "an integer from 1"],
    [{ broadcaster, allowedOrigins: ["app.example"] }, "a list of origins"],
    [{ broadcaster, allowedOrigins: ["https://app.example/path"] }, "a list of origins"],
    [{ broadcaster, allowedOrigins: "*" }, "a list of origins"],
    [{ broadcaster, publishRate: { burst: 1 } }, "{burst, perSecond}"],
    [{ broadcaster, publishRate: { burst: 0, perSecond: 1 } }, "{burst, perSecond}"],
    [{ broadcaster, resolveSubject: "ada" }, "a function"],
    [{ broadcaster, logger: {} }, "an object with debug()"],
  ];
  for (const [options, rule] of cases) {
    assertThrows(
      () => new BroadcastGateway(options as BroadcastGatewayOptions),
      BroadcastConfigError,
      rule,
    );
  }
});

testOnEach(
  "over a real socket: connect, subscribe, receive, close; nothing is left",
  {},
  async (listener) => {
    const connected = Promise.withResolvers<string>();
    const disconnected = Promise.withResolvers<number>();
    await using broadcaster = new MemoryBroadcaster();
    const gateway = new BroadcastGateway({
      broadcaster,
      onConnect: ({ id }) => connected.resolve(id),
      onDisconnect: ({ code }) => disconnected.resolve(code),
    });
    const server = await listener.listen(gateway);
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/_broadcast`);
    const frames: string[] = [];
    const received = Promise.withResolvers<void>();
    socket.onmessage = ({ data }) => {
      frames.push(data);
      if (frames.length === 1) socket.send('{"t":"sub","c":"c"}');
      if (frames.length === 2) {
        broadcaster.publish("c", { event: "n", data: { b: 1, a: "ä" }, id: "1" });
      }
      if (frames.length === 3) received.resolve();
    };
    await received.promise;
    assertEquals(frames, [
      `{"t":"welcome","id":"${await connected.promise}"}`,
      '{"t":"ok","c":"c"}',
      '{"t":"msg","c":"c","e":"n","d":{"b":1,"a":"ä"},"i":"1"}',
    ]);
    const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
    await gateway.close();
    assertEquals((await closed).code, 1001);
    assertEquals(await disconnected.promise, 1001);
    assertEquals([gateway.clientCount, gateway.channelCount], [0, 0]);
    await server.shutdown();
  },
);

testOnEach("a plain request gets a clear answer over HTTP", {}, async (listener) => {
  await using played = new PlayedGateway();
  const server = await listener.listen(played.gateway);
  const response = await fetch(`http://127.0.0.1:${server.port}/_broadcast`);
  assertEquals(response.status, 426);
  assertEquals(response.headers.get("upgrade"), "websocket");
  assertEquals(
    await response.text(),
    "Connect with a WebSocket: no Upgrade header came, and a proxy has to pass it on\n",
  );
  await server.shutdown();
});
