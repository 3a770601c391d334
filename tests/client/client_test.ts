import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  BroadcastClient,
  BroadcastClientError,
  type BroadcastClientOptions,
} from "@airwave/broadcast/client";
import { FakeNetwork, settle } from "@airwave/broadcast/testing";
import { PlayedClient } from "./harness.ts";

const sub = (c: string) => ({ t: "sub", c });
const unsub = (c: string) => ({ t: "unsub", c });

// A client once sent its subscriptions before welcome, and twice after a reconnect.
Deno.test("nothing is sent before welcome, then each channel is asked for once", async () => {
  using played = new PlayedClient();
  played.client.channel("a");
  played.client.channel("b");
  played.client.channel("a");
  played.client.channel("a").publish("n", 1);
  played.socket.open();
  await settle();
  assertEquals(played.socket.frames, []);
  assertEquals(played.client.connected, false);
  await played.welcome("7");
  assertEquals(played.client.id, "7");
  assertEquals(played.socket.frames, [sub("a"), sub("b"), { t: "pub", c: "a", e: "n", d: 1 }]);
});

Deno.test("after each reconnect every held channel is asked for exactly once again", async () => {
  using played = new PlayedClient();
  played.client.channel("a");
  await played.welcome();
  played.client.channel("b");
  await settle();
  played.client.channel("gone").leave();
  await settle();
  for (let round = 0; round < 3; round++) {
    await played.loseAndRetry();
    played.client.channel("late" + round);
    await played.welcome();
    const channels = ["a", "b", ...Array.from({ length: round + 1 }, (_, i) => "late" + i)];
    assertEquals(played.socket.frames, channels.map(sub));
  }
});

Deno.test("handles are counted: the last one to leave ends the subscription", async () => {
  using played = new PlayedClient();
  await played.welcome();
  const [first, second] = [played.client.channel("a"), played.client.channel("a")];
  const heard: string[] = [];
  first.on("n", () => heard.push("first"));
  second.on("n", () => heard.push("second"));
  await settle();
  played.socket.receive({ t: "ok", c: "a" });
  first.leave();
  first.leave();
  await settle();
  played.socket.receive({ t: "msg", c: "a", e: "n", d: null, i: "1" });
  assertEquals(heard, ["second"]);
  assertEquals([first.subscribed, second.subscribed], [false, true]);
  assertEquals(played.socket.frames, [sub("a")]);
  second.leave();
  await settle();
  assertEquals(played.socket.frames, [sub("a"), unsub("a")]);
});

Deno.test("a channel that everybody left is forgotten, with or without a connection", async () => {
  using played = new PlayedClient();
  await played.welcome2();
  for (const isConnected of [true, false]) {
    const channel = played.client.channel("c");
    await settle();
    if (isConnected) played.ok({ o: 7 });
    else played.socket.drop();
    channel.leave();
    await settle();
    assertEquals(played.client.channel("c").position, undefined);
  }
});

Deno.test("mount, unmount, mount in one turn asks once", async () => {
  using played = new PlayedClient();
  await played.welcome();
  played.client.channel("a").leave();
  const kept = played.client.channel("a");
  await settle();
  assertEquals(played.socket.frames, [sub("a")]);
  kept.leave();
  played.client.channel("a");
  await settle();
  assertEquals(played.socket.frames, [sub("a")]);
});

Deno.test("events reach the listeners of their name and those of all, in order", async () => {
  using played = new PlayedClient();
  const heard: unknown[] = [];
  const channel = played.client.channel<{ message: { text: string }; typing: string }>("chat.1");
  channel.on("message", ({ text }, { id }) => heard.push(["message", text, id]));
  const off = channel.on("*", (event, data) => heard.push(["*", event, data]));
  await played.welcome();
  const receive = (e: string, d: unknown, i: string) =>
    played.socket.receive({ t: "msg", c: "chat.1", e, d, i });
  receive("message", { text: "Hello" }, "1");
  receive("typing", "Ada", "2");
  off();
  receive("typing", "Bob", "3");
  receive("*", "named like the wildcard", "4");
  played.socket.receive({ t: "msg", c: "other", e: "message", d: {}, i: "5" });
  assertEquals(heard, [
    ["message", "Hello", "1"],
    ["*", "message", { text: "Hello" }],
    ["*", "typing", "Ada"],
  ]);
});

Deno.test("an event named * reaches those who listen to all, once", async () => {
  using played = new PlayedClient();
  const heard: unknown[] = [];
  played.client.channel("c").on("*", (event) => heard.push(event));
  await played.welcome();
  played.socket.receive({ t: "msg", c: "c", e: "*", d: 1, i: "1" });
  assertEquals(heard, ["*"]);
});

Deno.test("names of the language are ordinary channels and events", async () => {
  using played = new PlayedClient();
  const heard: unknown[] = [];
  for (const name of ["__proto__", "constructor", "toString"]) {
    played.client.channel(name).on(name, (data) => heard.push([name, data]));
  }
  await played.welcome();
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    played.socket.receive({ t: "ok", c: name });
    played.socket.receive({ t: "msg", c: name, e: name, d: 1, i: "1" });
    played.socket.receive({ t: "msg", c: "toString", e: name, d: 2, i: "1" });
  }
  assertEquals(heard, [["__proto__", 1], ["constructor", 1], ["toString", 1], ["toString", 2]]);
});

Deno.test("a listener added or taken away by another listener", async () => {
  using played = new PlayedClient();
  const heard: string[] = [];
  const channel = played.client.channel("c");
  channel.on("n", () => {
    heard.push("first");
    channel.on("n", () => heard.push("added"));
    off();
  });
  const off = channel.on("n", () => heard.push("taken away"));
  await played.welcome();
  played.socket.receive({ t: "msg", c: "c", e: "n", d: 1, i: "1" });
  assertEquals(heard, ["first"]);
});

Deno.test("a listener that throws is reported and keeps nobody from being called", async () => {
  using played = new PlayedClient();
  const heard: unknown[] = [];
  const bug = new TypeError("Bug of the page");
  const channel = played.client.channel("c");
  channel.on("n", () => {
    throw bug;
  });
  channel.on("n", (data) => heard.push(data));
  played.client.on("open", () => {
    throw bug;
  });
  played.client.on("error", () => {
    throw bug;
  });
  await played.welcome();
  played.socket.receive({ t: "msg", c: "c", e: "n", d: 1, i: "1" });
  assertEquals(heard, [1]);
  assertEquals(played.errors.map(({ code, cause }) => [code, cause]), [
    ["client.listener", bug],
    ["client.listener", bug],
  ]);
  assertEquals(played.errors[1]?.channel, "c");
});

Deno.test("a listener that throws at an event that is itself named error is reported, too", async () => {
  using played = new PlayedClient();
  played.client.channel("c").on("error", () => {
    throw new Error("Bug of the page");
  });
  await played.welcome();
  played.socket.receive({ t: "msg", c: "c", e: "error", d: 1, i: "1" });
  assertEquals(played.errors.map(({ code, channel }) => [code, channel]), [
    ["client.listener", "c"],
  ]);
});

Deno.test("ok makes a channel live, once; a refusal is told with its reason", async () => {
  using played = new PlayedClient();
  const live: string[] = [];
  played.client.on("subscribed", ({ channel }) => live.push(channel));
  const [a, b] = [played.client.channel("a"), played.client.channel("b")];
  await played.welcome();
  played.socket.receive({ t: "ok", c: "a" });
  played.socket.receive({ t: "ok", c: "a" });
  played.socket.receive({ t: "ok", c: "nobody asked" });
  played.socket.receive({ t: "err", c: "b", r: "unauthorized" });
  played.socket.receive({ t: "err", c: "a", r: "publish denied" });
  assertEquals(live, ["a"]);
  assertEquals([a.subscribed, b.subscribed], [true, false]);
  assertEquals(played.errors.map(({ code, channel, reason }) => [code, channel, reason]), [
    ["client.subscribe_refused", "b", "unauthorized"],
    ["client.publish_refused", "a", "publish denied"],
  ]);
  // Revision 1 gives no verdict: a refusal holds as long as the connection.
  await played.time.tick(60_000);
  assertEquals(played.socket.frames, [sub("a"), sub("b")]);
  await played.loseAndRetry();
  assertEquals(a.subscribed, false);
  await played.welcome();
  assertEquals(played.socket.frames, [sub("a"), sub("b")]);
});

// An authorization that ran out was once reported as a refused publish, and the channel stayed "live".
Deno.test("a live channel that the server ends is no longer subscribed", async () => {
  using played = new PlayedClient();
  const channel = played.client.channel("a");
  await played.welcome();
  played.socket.receive({ t: "ok", c: "a" });
  played.socket.receive({ t: "err", c: "a", r: "publish rate limited" });
  assertEquals(channel.subscribed, true);
  played.socket.receive({ t: "err", c: "a", r: "unauthorized" });
  assertEquals(channel.subscribed, false);
  assertEquals(played.errors.map(({ code }) => code), [
    "client.publish_refused",
    "client.subscribe_refused",
  ]);
  const again = played.client.channel("a");
  channel.leave();
  await settle();
  assertEquals(played.socket.frames, [sub("a")]);
  again.leave();
  played.client.channel("a");
  await settle();
  assertEquals(played.socket.frames, [sub("a"), sub("a")]);
});

Deno.test("an ok that comes before the channel was asked for makes nothing live", async () => {
  using played = new PlayedClient();
  await played.welcome();
  const channel = played.client.channel("a");
  played.socket.receive({ t: "ok", c: "a" });
  assertEquals(channel.subscribed, false);
  await settle();
  played.socket.receive({ t: "ok", c: "a" });
  assertEquals(channel.subscribed, true);
});

// A late refusal of an older request once left the newer one deaf and never unsubscribed.
Deno.test("the server's latest word on a channel counts", async () => {
  using played = new PlayedClient();
  await played.welcome();
  played.client.channel("a");
  await settle();
  played.socket.receive({ t: "err", c: "a", r: "unauthorized" });
  const channel = played.client.channel("a");
  played.socket.receive({ t: "ok", c: "a" });
  assertEquals(channel.subscribed, true);
});

Deno.test("a ping is answered, what is no frame is told and ignored", async () => {
  using played = new PlayedClient();
  await played.welcome();
  played.socket.receive({ t: "ping" });
  for (const text of ["{", "[]", '{"t":"msg","c":"c"}', '{"t":7}']) played.socket.receive(text);
  played.socket.receive('{"t":"later","x":1}');
  played.socket.receive({ t: "ping" });
  assertEquals(played.socket.frames, [{ t: "pong" }, { t: "pong" }]);
  assertEquals(played.errors.map(({ code }) => code), Array(4).fill("client.protocol"));
  assertEquals(played.errors[0]?.message, "Cannot read a message: not JSON");
});

Deno.test("publishes wait in the outbox, in order, up to its limit; subscriptions never do", async () => {
  using played = new PlayedClient({ outboxLimit: 2 });
  const channel = played.client.channel("c");
  await played.welcome();
  played.socket.drop();
  for (const d of [1, 2, 3]) channel.publish("n", d);
  for (let i = 0; i < 10; i++) played.client.channel("d" + i);
  assertEquals(played.errors.map(({ code, channel, reason }) => [code, channel, reason]), [
    ["client.publish_refused", "c", "outbox full"],
  ]);
  await played.time.tick(10_000);
  await played.welcome();
  const pubs = played.socket.frames.filter((frame) => (frame as { t: string }).t === "pub");
  assertEquals(pubs.map((frame) => (frame as { d: unknown }).d), [1, 2]);
  assertEquals(played.socket.frames.length, 11 + 2);
  await played.loseAndRetry();
  await played.welcome();
  assertEquals(played.socket.frames.length, 11);
});

Deno.test("a page hears its own first event: sub goes before pub", async () => {
  using played = new PlayedClient();
  await played.welcome();
  played.client.channel("c").publish("n", 1);
  assertEquals(played.socket.frames, [sub("c"), { t: "pub", c: "c", e: "n", d: 1 }]);
  await settle();
  assertEquals(played.socket.frames.length, 2);
});

Deno.test("what can never be published is thrown where it is tried", () => {
  using played = new PlayedClient({ maxFrameBytes: 100 });
  const channel = played.client.channel("c");
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const cases: [string, unknown, string][] = [
    ["", 1, "an event name is"],
    ["a\nb", 1, "an event name is"],
    ["n", circular, "data must be a JSON value"],
    ["n", 1n, "data must be a JSON value"],
    ["n", () => {}, "data must be a JSON value"],
    ["n", Symbol("n"), "data must be a JSON value"],
    ["n", { toJSON() {} }, "data must be a JSON value"],
    ["n", "ä".repeat(50), "at most 100 bytes"],
  ];
  for (const [event, data, rule] of cases) {
    const error = assertThrows(() => channel.publish(event, data), BroadcastClientError, rule);
    assertEquals(error.code, "client.config");
  }
  const unfit = assertThrows(() => channel.publish("n", circular), BroadcastClientError);
  assert(unfit.cause instanceof TypeError);
  for (const name of ["", "no spaces", "private\u2010x", "x".repeat(201)]) {
    const hold = () => played.client.channel(name);
    assertEquals(
      assertThrows(hold, BroadcastClientError, "a channel name is").code,
      "client.config",
    );
  }
});

Deno.test("a publish may be as large as told, counted as it is sent", async () => {
  const frame = { t: "pub", c: "c", e: "n", d: "ä", n: 2, i: "x" };
  const maxFrameBytes = new TextEncoder().encode(JSON.stringify(frame)).length;
  using played = new PlayedClient({ maxFrameBytes });
  await played.welcome2();
  const channel = played.client.channel("c");
  channel.publish("n", "ä", { id: "x" });
  assertEquals<unknown>(played.sent("pub"), frame);
  assertThrows(() => channel.publish("n", "äa", { id: "x" }), BroadcastClientError, "at most");
});

Deno.test("states: connecting, connected, reconnecting, connected, disconnected", async () => {
  using played = new PlayedClient();
  assertEquals(played.client.state, "connecting");
  await played.welcome();
  await played.loseAndRetry(1001);
  await played.welcome();
  played.client.disconnect();
  played.client.disconnect();
  assertEquals(played.states, ["connected", "reconnecting", "connected", "disconnected"]);
  assertEquals(played.closes, [
    { code: 1001, willReconnect: true },
    { code: 1000, willReconnect: false },
  ]);
  assertEquals(played.socket.closed, { code: 1000, reason: "client left" });
  await played.time.tick(60_000);
  assertEquals(played.opened, 2);
  assertEquals(played.time.pendingTimers, 0);
});

Deno.test("after disconnect, connect goes on with the same channels", async () => {
  using played = new PlayedClient({ autoConnect: false });
  assertEquals(played.opened, 0);
  played.client.channel("c");
  played.client.connect();
  played.client.connect();
  await played.welcome("1");
  played.client.disconnect();
  assertEquals(played.client.id, undefined);
  played.client.connect();
  await played.welcome("2");
  assertEquals(played.opened, 2);
  assertEquals(played.socket.frames, [sub("c")]);
});

Deno.test("events of a socket that was replaced are ignored", async () => {
  using played = new PlayedClient();
  const channel = played.client.channel("c");
  const heard: unknown[] = [];
  channel.on("n", (data) => heard.push(data));
  await played.welcome("old");
  const old = played.socket;
  played.client.disconnect();
  played.client.connect();
  await played.welcome("new");
  old.receive({ t: "msg", c: "c", e: "n", d: "old", i: "1" });
  old.receive({ t: "welcome", id: "old again" });
  old.drop(4000);
  await settle();
  assertEquals(heard, []);
  assertEquals([played.client.state, played.client.id], ["connected", "new"]);
});

Deno.test("a listener may disconnect from within any event: that is the end, in order", async () => {
  for (const event of ["open", "close", "reconnecting", "state", "subscribed"] as const) {
    using played = new PlayedClient();
    const said: string[] = [];
    for (const name of ["open", "close", "reconnecting"] as const) {
      played.client.on(name, () => said.push(name));
    }
    played.client.channel("c");
    let calls = 0;
    played.client.on(event, () => {
      if (calls++ === 0) played.client.disconnect();
    });
    await played.welcome();
    played.socket.receive({ t: "ok", c: "c" });
    played.socket.drop();
    await played.time.tick(60_000);
    assertEquals(played.client.state, "disconnected", event);
    assertEquals(played.time.pendingTimers, 0, event);
    assertEquals(played.opened, 1, event);
    assertEquals(said.at(-1), "close", event);
    assertEquals(played.closes.at(-1)?.willReconnect, false, event);
  }
});

Deno.test("a listener may disconnect and connect at once: the new connection starts from scratch", async () => {
  for (const state of ["connecting", "connected", "reconnecting"]) {
    using played = new PlayedClient({ autoConnect: false });
    let calls = 0;
    played.client.on("state", ({ new: now }) => {
      if (now !== state || calls++ > 0) return;
      played.client.disconnect();
      played.client.connect();
    });
    const channel = played.client.channel("c");
    channel.publish("n", 1);
    played.client.connect();
    if (state !== "connecting") await played.welcome("1");
    if (state === "reconnecting") played.socket.drop();
    assertEquals(played.opened, 2, state);
    assertEquals(played.socket.frames, [], state);
    await played.welcome("2");
    assertEquals([played.client.state, played.client.id], ["connected", "2"], state);
    assertEquals(played.socket.frames[0], sub("c"), state);
    assertEquals(played.network.sockets[0]?.closed !== undefined || state === "reconnecting", true);
  }
});

Deno.test("a listener that connects at once hears first that it was disconnected", async () => {
  using played = new PlayedClient();
  await played.welcome();
  const told: string[] = [];
  played.client.on("state", ({ new: now }) => {
    told.push(now);
    if (now === "disconnected") played.client.connect();
  });
  played.client.on("close", () => told.push("close"));
  played.client.disconnect();
  assertEquals(told, ["disconnected", "close", "connecting"]);
});

Deno.test("what is published while the socket closes waits for the next connection", async () => {
  using played = new PlayedClient();
  const channel = played.client.channel("c");
  await played.welcome();
  Object.assign(played.socket, { readyState: 2 });
  channel.publish("n", 1);
  played.socket.send = () => {
    throw new Error("InvalidStateError");
  };
  Object.assign(played.socket, { readyState: 1 });
  channel.publish("n", 2);
  await played.loseAndRetry();
  await played.welcome();
  assertEquals(played.socket.frames, [
    sub("c"),
    { t: "pub", c: "c", e: "n", d: 1 },
    { t: "pub", c: "c", e: "n", d: 2 },
  ]);
});

Deno.test("an async listener that rejects is reported like one that throws", async () => {
  using played = new PlayedClient();
  const bug = new Error("Bug of the page");
  played.client.channel("c").on("n", () => Promise.reject(bug));
  played.client.on("open", () => Promise.reject(bug));
  await played.welcome();
  played.socket.receive({ t: "msg", c: "c", e: "n", d: 1, i: "1" });
  await settle();
  assertEquals(played.errors.map(({ message, cause }) => [message, cause]), [
    ['Cannot finish a listener of "open": it threw', bug],
    ['Cannot finish a listener of "n": it threw', bug],
  ]);
});

Deno.test("a listener of errors that rejects is not told of that, for ever", async () => {
  using played = new PlayedClient();
  let calls = 0;
  played.client.on("error", () => calls++ === 0 ? Promise.reject(new Error("Bug")) : undefined);
  await played.welcome();
  played.socket.receive("no frame");
  await settle();
  assertEquals([calls, played.errors.length], [1, 1]);
});

Deno.test("an attempt that failed at once says nothing about the next one", async () => {
  const network = new FakeNetwork();
  let fails = true;
  using client = new BroadcastClient({
    url: "ws://fake/",
    autoConnect: false,
    webSocketFactory: (url) => {
      if (fails) throw new Error("Not yet");
      return network.webSocketFactory(url);
    },
  });
  const errors: unknown[] = [];
  client.on("error", (error) => errors.push(error));
  client.connect();
  client.disconnect();
  fails = false;
  client.connect();
  await settle();
  network.last.receive({ t: "welcome", id: "1" });
  assertEquals([client.state, errors], ["connected", []]);
});

Deno.test("options: what can never work is refused with the rule", () => {
  const cases: [unknown, string][] = [
    [{ url: "ftp://x" }, 'take the host from, got "ftp://x"'],
    [{}, "there is no page to take the host from"],
    [{ url: "/live" }, "there is no page"],
    [{ url: "ws://x", autoConect: true }, 'unknown option "autoConect"'],
    [{ url: "ws://x", autoConnect: 1 }, 'must be of type boolean, got "1"'],
    [{ url: "ws://x", outboxLimit: -1 }, 'must be from 0 to Infinity, got "-1"'],
    [{ url: "ws://x", reconnectMaxDelayMs: NaN }, "from 0"],
    [{ url: "ws://x", connectTimeoutMs: 1e12 }, "from 1"],
    [{ url: "ws://x", maxSilenceMs: Infinity }, "from 1 to 2147483647"],
    [{ url: "ws://x", maxSilenceMs: 0 }, "from 1"],
    [{ url: "ws://x", reconnectInitialDelayMs: Infinity }, "from 0 to 2147483647"],
    [{ url: "ws://x", webSocketFactory: {} }, "must be of type function"],
    [{ url: "ws://x", getToken: "token" }, "must be of type function"],
    [{ url: "ws://x", transports: "sse" }, "must be of type object"],
    [{ url: "ws://x", transports: null }, 'must be a list of "websocket" and "sse"'],
    [{ url: "ws://x", transports: [] }, 'must be a list of "websocket" and "sse"'],
    [{ url: "ws://x", transports: ["sse", "carrier pigeon"] }, 'got "sse,carrier pigeon"'],
    [{ url: "ws://x", toString: 1 }, 'unknown option "toString"'],
  ];
  for (const [options, rule] of cases) {
    const error = assertThrows(
      () => new BroadcastClient(options as BroadcastClientOptions),
      BroadcastClientError,
      rule,
    );
    assertEquals(error.code, "client.config");
  }
});

Deno.test("options: the bounds themselves are taken, and undefined is not given", () => {
  for (
    const options of [
      { connectTimeoutMs: 1, reconnectInitialDelayMs: 0, outboxLimit: 0 },
      { maxSilenceMs: 2 ** 31 - 1, outboxLimit: Infinity },
      { url: "ws://x", maxSilenceMs: undefined, getToken: undefined, transports: undefined },
    ]
  ) {
    using played = new PlayedClient(options);
    assertEquals(played.opened, 1);
  }
});

Deno.test("the url: http becomes ws, a URL object will do, a hash goes", () => {
  const opened = (url: string | URL) => {
    using played = new PlayedClient({ url });
    return played.socket.url;
  };
  assertEquals(opened("https://app.example/_broadcast"), "wss://app.example/_broadcast?v=2");
  assertEquals(opened(new URL("http://localhost:8000/live#x")), "ws://localhost:8000/live?v=2");
});

Deno.test("the url: in a page a path is enough, or nothing", () => {
  const setLocation = (value?: { origin: string }) =>
    Object.defineProperty(globalThis, "location", { value, configurable: true });
  setLocation({ origin: "https://app.example" });
  try {
    for (const [url, opened] of [["/live", "/live"], [undefined, "/_broadcast"]]) {
      using played = new PlayedClient({ url });
      assertEquals(played.socket.url, `wss://app.example${opened}?v=2`);
    }
  } finally {
    setLocation();
  }
});

Deno.test("a socket that cannot be made ends in one clear error, not in a loop", async () => {
  using played = new PlayedClient({
    // No token helps.
    getToken: () => "t",
    webSocketFactory: () => {
      throw new SyntaxError("Bad URL");
    },
  });
  await settle();
  await played.time.tick(60_000);
  assertEquals(played.client.state, "disconnected");
  assertEquals(played.errors.map(({ code }) => code), ["client.connection_refused"]);
  assertEquals(
    played.errors[0]?.message,
    "Cannot connect to ws://fake/_broadcast?v=2: the transport failed",
  );
  assert(played.errors[0]?.cause instanceof SyntaxError);
  assertEquals(played.closes, [{ code: 1008, willReconnect: false }]);
});

Deno.test("where there is another transport, a socket that cannot be made is not the end", async () => {
  using played = new PlayedClient({
    transports: ["websocket", "sse"],
    webSocketFactory: () => {
      throw new SyntaxError("Bad URL");
    },
  });
  const reasons: string[] = [];
  played.client.on("reconnecting", ({ reason }) => reasons.push(reason));
  await settle();
  assertEquals([played.client.state, reasons], ["reconnecting", ["the transport failed"]]);
});
