import { assert, assertEquals, assertLess } from "@std/assert";
import { BroadcastClient, BroadcastClientError } from "@airwave/broadcast/client";
import { FakeNetwork, settle } from "@airwave/broadcast/testing";
import { backoffDelayMs } from "../../client/backoff.ts";
import { PlayedClient } from "./harness.ts";

/** Replaces chance for the time of a test. */
function withRandom(value: number): Disposable {
  const original = Math.random;
  Math.random = () => value;
  return { [Symbol.dispose]: () => void (Math.random = original) };
}

Deno.test("backoff: the whole range below a bound that doubles from 250 ms to 10 s", () => {
  using _chance = withRandom(1);
  const bounds = [1, 2, 3, 4, 5, 6, 7, 8, 100].map((attempt) =>
    backoffDelayMs(attempt, 250, 10_000)
  );
  assertEquals(bounds, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
  using _none = withRandom(0);
  assertEquals(backoffDelayMs(5, 250, 10_000), 0);
});

Deno.test("the wait doubles while attempts fail", async () => {
  using _chance = withRandom(1);
  using played = new PlayedClient();
  await played.welcome();
  for (let attempt = 0; attempt < 7; attempt++) {
    played.socket.drop();
    await played.time.tick(played.delaysMs.at(-1) ?? 0);
  }
  assertEquals(played.delaysMs, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000]);
});

Deno.test("a break is told with its code and reason, each attempt with its number, wait and cause", async () => {
  using _chance = withRandom(1);
  using played = new PlayedClient();
  const told: unknown[] = [];
  for (const event of ["open", "state", "close", "reconnecting"] as const) {
    played.client.on(event, (info) => told.push(info));
  }
  await played.welcome("7");
  played.socket.drop(1012, "restart");
  await played.time.tick(250);
  played.socket.drop(1006, "refused");
  assertEquals(told, [
    { old: "connecting", new: "connected" },
    { id: "7" },
    { old: "connected", new: "reconnecting" },
    { code: 1012, reason: "restart", willReconnect: true },
    { attempt: 1, delayMs: 250, reason: "restart" },
    { attempt: 2, delayMs: 500, reason: "refused" },
  ]);
});

Deno.test("a socket that gives neither code nor reason: what its error said is the reason", async () => {
  using played = new PlayedClient();
  const reasons: string[] = [];
  played.client.on("close", ({ reason }) => reasons.push(reason));
  for (const message of ["no route", undefined]) {
    await played.welcome();
    // Browsers do not say what went wrong, other runtimes do.
    if (message) played.socket.onerror?.({ message } as never);
    await played.loseAndRetry(0);
  }
  assertEquals(reasons, ["no route", ""]);
  assertEquals(played.closes.map(({ code }) => code), [1006, 1006]);
});

// The wait was once reset by open: a server that accepts and drops was hammered.
Deno.test("open does not reset the wait, welcome does", async () => {
  using _chance = withRandom(1);
  using played = new PlayedClient();
  for (let attempt = 0; attempt < 4; attempt++) {
    played.socket.open();
    played.socket.drop();
    await played.time.tick(played.delaysMs.at(-1) ?? 0);
  }
  assertEquals(played.delaysMs, [250, 500, 1_000, 2_000]);
  await played.welcome();
  played.socket.drop();
  assertEquals(played.delaysMs.at(-1), 250);
});

Deno.test("the close code decides: never, with backoff, or at once", async () => {
  using _chance = withRandom(1);
  for (const code of [1008, 1009, 4000, 4099]) {
    using played = new PlayedClient();
    await played.welcome();
    played.socket.drop(code, "because");
    await played.time.tick(60_000);
    assertEquals(played.client.state, "disconnected");
    assertEquals(played.opened, 1);
    assertEquals(played.closes, [{ code, willReconnect: false }]);
    assertEquals(played.errors.map(({ code, message }) => [code, message]), [[
      "client.connection_refused",
      `Cannot connect to ws://fake/_broadcast?v=2: the server said ${code} because`,
    ]]);
  }
  for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013, 4100, 4199, 4999, 0]) {
    using played = new PlayedClient();
    await played.welcome();
    await played.loseAndRetry(code);
    assertEquals(played.opened, 2, String(code));
  }
  using played = new PlayedClient();
  for (let attempt = 0; attempt < 5; attempt++) {
    played.socket.drop(4200);
    await played.time.tick(250);
  }
  assertEquals(played.delaysMs, [250, 250, 250, 250, 250]);
});

Deno.test("after too many failed attempts it gives up, with one error", async () => {
  using played = new PlayedClient({ maxReconnectAttempts: 2 });
  for (let attempt = 0; attempt < 3; attempt++) await played.loseAndRetry();
  await played.time.tick(60_000);
  assertEquals(played.opened, 3);
  assertEquals(played.client.state, "disconnected");
  assertEquals(played.errors.map(({ code }) => code), ["client.connection_refused"]);
  assertEquals(played.closes, [{ code: 1006, willReconnect: false }]);
  assertEquals(played.time.pendingTimers, 0);
  // Who connects anew has all of them again.
  played.client.connect();
  for (let attempt = 0; attempt < 2; attempt++) await played.loseAndRetry();
  assertEquals([played.client.state, played.opened], ["reconnecting", 6]);
});

Deno.test("a server that accepts and says nothing is given up after a time", async () => {
  using played = new PlayedClient({ connectTimeoutMs: 3_000 });
  played.socket.open();
  await played.time.tick(2_999);
  assertEquals(played.socket.closed, undefined);
  const first = played.socket;
  await played.time.tick(1);
  assertEquals(first.closed, { code: 4102, reason: "server silent" });
  assertEquals(played.client.state, "reconnecting");
});

Deno.test("a connection that falls silent is dead; one that speaks is not", async () => {
  using played = new PlayedClient({ maxSilenceMs: 10_000 });
  await played.welcome();
  for (let i = 0; i < 5; i++) {
    await played.time.tick(9_000);
    played.socket.receive({ t: "ping" });
  }
  assertEquals(played.client.connected, true);
  await played.time.tick(9_999);
  assertEquals(played.client.connected, true);
  await played.time.tick(1);
  assertEquals(played.client.state, "reconnecting");
  assertEquals(played.closes, [{ code: 4102, willReconnect: true }]);
});

Deno.test("after a sleep the first timer finds the silence", async () => {
  using played = new PlayedClient({ maxSilenceMs: 10_000 });
  await played.welcome();
  await played.time.tick(5_000);
  played.socket.receive({ t: "ping" });
  played.time.jump(3_600_000);
  await played.time.tick(5_000);
  assertEquals(played.client.connected, false);
});

/** A page, as far as the client asks for one. */
function withPage(): { hidden: boolean; dispatch(type: string): void } & Disposable {
  const document = { hidden: false };
  Object.defineProperty(globalThis, "document", { value: document, configurable: true });
  return {
    get hidden() {
      return document.hidden;
    },
    set hidden(hidden) {
      document.hidden = hidden;
    },
    // In a page, "visibilitychange" bubbles from the document to the window.
    dispatch: (type) => void globalThis.dispatchEvent(new Event(type)),
    [Symbol.dispose]: () => void Reflect.deleteProperty(globalThis, "document"),
  };
}

Deno.test("online, pageshow and becoming visible shorten the wait", async () => {
  for (const type of ["online", "pageshow", "visibilitychange"]) {
    using page = withPage();
    using chance = {
      value: 1,
      original: Math.random,
      [Symbol.dispose]() {
        Math.random = this.original;
      },
    };
    Math.random = () => chance.value;
    using played = new PlayedClient();
    await played.welcome();
    for (let attempt = 0; attempt < 6; attempt++) await played.loseAndRetry();
    played.socket.drop();
    assertEquals(played.delaysMs.at(-1), 10_000);
    const opened = played.opened;
    await played.time.tick(1_000);
    page.dispatch(type);
    await played.time.tick(250);
    assertEquals(played.opened, opened + 1, type);
    page.dispatch(type);
    assertEquals(played.opened, opened + 1, type);
    await played.welcome();
    page.dispatch(type);
    await settle();
    assertEquals(played.opened, opened + 1, type);
    played.client.disconnect();
    page.dispatch(type);
    await played.time.tick(60_000);
    assertEquals(played.opened, opened + 1, type);
  }
});

Deno.test("many clients that lose a server at once come back spread over the whole range", () => {
  const delays = Array.from({ length: 2_000 }, () => backoffDelayMs(6, 250, 10_000));
  for (let second = 0; second < 8; second++) {
    const inSecond = delays.filter((ms) => ms >= second * 1_000 && ms < (second + 1) * 1_000);
    // 250 expected in each; 5 standard deviations away is not chance.
    assert(inSecond.length > 175, `${inSecond.length} in second ${second}`);
    assertLess(inSecond.length, 325);
  }
});

Deno.test("the server's ping sets the limit of silence", async () => {
  using played = new PlayedClient({ maxSilenceMs: 1_000_000 });
  await played.welcome2("1", 20_000);
  await played.time.tick(39_999);
  assertEquals(played.client.connected, true);
  await played.time.tick(1);
  assertEquals(played.closes, [{ code: 4102, willReconnect: true }]);
});

// Behind NAT, after a sleep, on a phone: the socket looks open and is dead, for minutes.
Deno.test("whoever comes back asks for a sign of life, and does not wait long for it", async () => {
  for (const type of ["online", "pageshow", "visibilitychange"]) {
    using page = withPage();
    using played = new PlayedClient();
    await played.welcome2("1", 30_000);
    page.dispatch(type);
    // A gateway answers only what has a number; this one belongs to no channel's request.
    assertEquals(played.allSent("unsub"), [{ t: "unsub", c: "", n: 0 }], type);
    played.socket.receive({ t: "ok", c: "", n: 0 });
    await played.time.tick(6_000);
    assertEquals(played.client.connected, true, type);
    page.dispatch(type);
    await played.time.tick(4_999);
    assertEquals(played.client.connected, true, type);
    await played.time.tick(1);
    assertEquals(played.closes, [{ code: 4102, willReconnect: true }], type);
  }
});

Deno.test("whoever asks again and again for a sign of life does not wait longer for it", async () => {
  using page = withPage();
  using played = new PlayedClient();
  await played.welcome2("1", 30_000);
  page.dispatch("online");
  await played.time.tick(4_000);
  page.dispatch("online");
  await played.time.tick(1_000);
  assertEquals(played.closes, [{ code: 4102, willReconnect: true }]);
});

Deno.test("in a page, an error that nobody listens for, or well, shows up as if it was thrown", () => {
  const { reportError } = globalThis;
  const reported: unknown[] = [];
  globalThis.reportError = (error) => {
    if (error instanceof BroadcastClientError) reported.push([error.code, error.channel]);
  };
  const listeners = {
    unheard: undefined,
    heard: () => {},
    thrown: () => {
      throw new Error("Bug of the page");
    },
  };
  try {
    using _page = withPage();
    for (const [name, listener] of Object.entries(listeners)) {
      const { webSocketFactory } = new FakeNetwork();
      using client = new BroadcastClient({ url: "ws://fake/", webSocketFactory, outboxLimit: 0 });
      if (listener) client.on("error", listener);
      client.channel(name).publish("n", 1);
    }
    assertEquals(reported, [
      ["client.publish_refused", "unheard"],
      ["client.listener", undefined],
    ]);
  } finally {
    globalThis.reportError = reportError;
  }
});

Deno.test("a clock that jumped asks for a sign of life, one that ticks does not", async () => {
  using played = new PlayedClient();
  await played.welcome2("1", 30_000);
  for (let second = 0; second < 100; second++) {
    await played.time.tick(1_000);
    played.socket.receive({ t: "ping" });
  }
  assertEquals(played.allSent("unsub"), []);
  played.time.jump(40_000);
  await played.time.tick(1);
  assertEquals(played.allSent("unsub").length, 1);
  await played.time.tick(5_000);
  assertEquals(played.client.connected, false);
});

Deno.test("a clock that was set back asks for a sign of life as well", async () => {
  using played = new PlayedClient();
  await played.welcome2("1", 30_000);
  // The clock alone: timers go on as they did. Both are the platform's again with the end of the play.
  const { now } = Date;
  Date.now = () => now() - 3_600_000;
  await played.time.tick(15_000);
  assertEquals(played.allSent("unsub").length, 1);
  assertEquals(played.client.connected, false);
});

Deno.test("a clock that was set back makes no second connection of an attempt that is under way", async () => {
  using page = withPage();
  using played = new PlayedClient();
  await played.loseAndRetry();
  // The clock alone: timers go on as they did.
  const { now } = Date;
  Date.now = () => now() - 3_600_000;
  page.dispatch("online");
  await played.time.tick(5_000);
  assertEquals(played.opened, 2);
});

Deno.test("a hidden page is not looked after, but its network is", async () => {
  using page = withPage();
  using played = new PlayedClient();
  await played.welcome2();
  page.hidden = true;
  page.dispatch("visibilitychange");
  assertEquals(played.allSent("unsub"), []);
  page.dispatch("online");
  assertEquals(played.allSent("unsub").length, 1);
});

Deno.test("revision 1 has no question for a sign of life, and none is sent", async () => {
  using page = withPage();
  using played = new PlayedClient();
  await played.welcome();
  page.dispatch("online");
  await played.time.tick(6_000);
  assertEquals([played.socket.frames, played.client.connected], [[], true]);
});

Deno.test("bye: nothing that happens in the page cuts its wait", async () => {
  using page = withPage();
  using played = new PlayedClient();
  await played.welcome2();
  played.socket.receive({ t: "bye", r: "draining", ms: 8_000 });
  await played.time.tick(1_000);
  page.dispatch("online");
  await played.time.tick(6_999);
  assertEquals(played.opened, 1);
  await played.time.tick(1);
  assertEquals(played.opened, 2);
});

Deno.test("before welcome nothing that the server says counts, and it has its time for it", async () => {
  using page = withPage();
  using played = new PlayedClient({ connectTimeoutMs: 25_000 });
  const heard: unknown[] = [];
  played.client.channel("c").on("n", (data) => heard.push(data));
  const { socket } = played;
  socket.open();
  for (let round = 0; round < 2; round++) {
    socket.receive({ t: "ping" });
    socket.receive({ t: "ok", c: "c" });
    socket.receive({ t: "msg", c: "c", e: "n", d: 1, i: "1" });
    page.dispatch("online");
    await played.time.tick(12_000);
  }
  assertEquals([heard, socket.frames, socket.closed], [[], [], undefined]);
  await played.time.tick(1_000);
  assertEquals(socket.closed, { code: 4102, reason: "server silent" });
});

Deno.test("a wait that was called off is not cut short any more", async () => {
  using page = withPage();
  const { random } = Math;
  Math.random = () => 1;
  try {
    using played = new PlayedClient({ reconnectInitialDelayMs: 10_000, connectTimeoutMs: 60_000 });
    await played.welcome();
    played.socket.drop();
    played.client.disconnect();
    played.client.connect();
    Math.random = () => 0.01;
    page.dispatch("online");
    await played.time.tick(20_000);
    assertEquals(played.opened, 2);
  } finally {
    Math.random = random;
  }
});

Deno.test("without a page nothing is listened to, and with one nothing after disconnect", async () => {
  const { addEventListener } = globalThis;
  const signals: (AbortSignal | undefined)[] = [];
  globalThis.addEventListener = (
    _type: string,
    _listener: unknown,
    options?: boolean | AddEventListenerOptions,
  ) => void signals.push(typeof options === "object" ? options.signal : undefined);
  try {
    using _elsewhere = new PlayedClient();
    assertEquals(signals, []);
    using _page = withPage();
    using played = new PlayedClient();
    await played.welcome();
    assertEquals(signals.map((signal) => signal?.aborted), [false, false, false]);
    played.client.disconnect();
    assertEquals(signals.map((signal) => signal?.aborted), [true, true, true]);
  } finally {
    globalThis.addEventListener = addEventListener;
  }
});

Deno.test("one failed attempt does not change the transport, however often it connects", async () => {
  using played = new PlayedClient({ transports: ["websocket", "sse"] });
  for (let round = 0; round < 3; round++) {
    await played.loseAndRetry();
    await played.welcome2();
    await played.loseAndRetry();
  }
  assertEquals(played.opened, 1 + 3 * 2);
});
