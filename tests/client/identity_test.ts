import { assertEquals, assertStringIncludes } from "@std/assert";
import { settle } from "@airwave/broadcast/testing";
import { PlayedClient } from "./harness.ts";

/** Tokens t1, t2, …; counts how many were asked for. */
function tokens() {
  let count = 0;
  return {
    get count() {
      return count;
    },
    getToken: () => Promise.resolve(`t${++count}`),
  };
}

Deno.test("the token goes in a frame, and nothing else does before it was accepted", async () => {
  const { getToken } = tokens();
  using played = new PlayedClient({ getToken });
  const channel = played.client.channel("c");
  channel.publish("n", 1);
  await settle();
  assertEquals(played.socket.url, "ws://fake/_broadcast?v=2");
  await played.welcome2();
  const { n } = played.sent("auth");
  assertEquals(played.socket.frames, [{ t: "auth", n, k: "t1" }]);
  assertEquals(played.client.connected, false);
  played.socket.receive({ t: "ok", c: "", n });
  await settle();
  assertEquals(played.client.connected, true);
  assertEquals(played.socket.frames.slice(1).map((frame) => (frame as { t: string }).t), [
    "sub",
    "pub",
  ]);
});

Deno.test("a fresh token is awaited before every attempt", async () => {
  const source = tokens();
  using played = new PlayedClient({ getToken: source.getToken });
  await settle();
  await played.loseAndRetry();
  await played.loseAndRetry();
  assertEquals([source.count, played.opened], [3, 3]);
  await played.welcome2();
  assertEquals(played.sent("auth").k, "t3");
});

Deno.test("exp: a fresh token on the same connection, nothing is asked for again", async () => {
  const { getToken } = tokens();
  using played = new PlayedClient({ getToken });
  played.client.channel("c");
  await settle();
  await played.welcome2();
  played.socket.receive({ t: "ok", c: "", n: played.sent("auth").n });
  played.socket.receive({ t: "exp", s: 30 });
  await settle();
  assertEquals(played.sent("auth").k, "t2");
  played.socket.receive({ t: "ok", c: "", n: played.sent("auth").n });
  await settle();
  assertEquals([played.allSent("sub").length, played.opened], [1, 1]);
  assertEquals(played.states, ["connected"]);
});

Deno.test("a refused token is asked for once more, and then it is over, with one error", async () => {
  const source = tokens();
  using played = new PlayedClient({ getToken: source.getToken });
  const refuse = async () => {
    await played.welcome2();
    const { n } = played.sent("auth");
    played.socket.receive({ t: "err", c: "", n, r: "unauthorized", k: "unauthorized", w: "never" });
    await played.time.tick(10_000);
  };
  await settle();
  await refuse();
  assertEquals([played.client.state, source.count, played.errors], ["reconnecting", 2, []]);
  await refuse();
  await played.time.tick(60_000);
  assertEquals([played.client.state, source.count, played.opened], ["disconnected", 2, 2]);
  assertEquals(played.errors.map(({ code, reason }) => [code, reason]), [
    ["client.connection_refused", "unauthorized"],
  ]);
  assertEquals(played.closes, [{ code: 4000, willReconnect: false }]);
});

Deno.test("a connection that was closed for good is tried once more with a fresh token", async () => {
  const source = tokens();
  using played = new PlayedClient({ getToken: source.getToken });
  await settle();
  await played.loseAndRetry(4001);
  assertEquals([source.count, played.opened], [2, 2]);
  await played.loseAndRetry(4001);
  assertEquals([played.client.state, played.errors.length], ["disconnected", 1]);
});

Deno.test("a server that cannot check a token now is asked later", async () => {
  const source = tokens();
  using played = new PlayedClient({ getToken: source.getToken });
  await settle();
  for (let attempt = 1; attempt < 5; attempt++) {
    await played.welcome2();
    const { n } = played.sent("auth");
    played.socket.receive({ t: "err", c: "", n, r: "failed", k: "failed", w: "backoff" });
    await played.time.tick(10_000);
    assertEquals([played.client.state, source.count], ["reconnecting", attempt + 1]);
  }
});

Deno.test("exp: a server that cannot check the fresh token now is left, and asked later", async () => {
  using played = new PlayedClient({ getToken: tokens().getToken });
  await settle();
  await played.welcome2();
  played.socket.receive({ t: "ok", c: "", n: played.sent("auth").n });
  played.socket.receive({ t: "exp", s: 30 });
  await settle();
  const { n } = played.sent("auth");
  played.socket.receive({ t: "err", c: "", n, r: "failed", k: "failed", w: "backoff" });
  assertEquals(played.closes, [{ code: 4100, willReconnect: true }]);
});

Deno.test("a token that cannot be had is asked for again later, and told", async () => {
  let fails = true;
  using played = new PlayedClient({
    getToken: () => fails ? Promise.reject(new Error("offline")) : "t",
  });
  await settle();
  assertEquals([played.client.state, played.opened], ["reconnecting", 0]);
  assertEquals(played.errors.map(({ code, message }) => [code, message]), [
    ["client.token", "Cannot connect to ws://fake/_broadcast?v=2: getToken failed"],
  ]);
  fails = false;
  await played.time.tick(10_000);
  await played.welcome2();
  assertEquals(played.sent("auth").k, "t");
});

Deno.test("a client that gives up says so, also where it was the token that could not be had", async () => {
  const offline = new Error("offline");
  using played = new PlayedClient({
    maxReconnectAttempts: 1,
    getToken: () => Promise.reject(offline),
  });
  await settle();
  await played.time.tick(60_000);
  assertEquals(played.client.state, "disconnected");
  assertEquals(played.errors.map(({ code, cause }) => [code, cause]), [
    ["client.token", offline],
    ["client.connection_refused", offline],
  ]);
  assertStringIncludes(
    played.errors[1]?.message ?? "",
    "too many attempts failed, the last with 1006 getToken failed",
  );
});

Deno.test("a token that comes too late is not used", async () => {
  const given = Promise.withResolvers<string>();
  using played = new PlayedClient({ getToken: () => given.promise });
  played.client.disconnect();
  given.resolve("t");
  await settle();
  assertEquals([played.opened, played.client.state], [0, "disconnected"]);
});

Deno.test("who is asked for a token may disconnect: that is the end, at the first attempt and later", async () => {
  for (const attempt of [1, 2]) {
    let asked = 0;
    using played = new PlayedClient({
      autoConnect: false,
      getToken: () => {
        if (++asked === attempt) played.client.disconnect();
        return Promise.resolve("t");
      },
    });
    played.client.connect();
    await settle();
    if (attempt === 2) await played.loseAndRetry();
    await played.time.tick(60_000);
    assertEquals([asked, played.client.state, played.opened], [
      attempt,
      "disconnected",
      attempt - 1,
    ]);
    assertEquals(played.states.at(-1), "disconnected");
    assertEquals(played.closes, [{ code: 1000, willReconnect: false }]);
  }
});

Deno.test("without a token, or with a server of revision 1, there is no auth", async () => {
  using guest = new PlayedClient({ getToken: () => undefined });
  await guest.welcome2();
  assertEquals([guest.client.connected, guest.socket.frames], [true, []]);
  guest.client.disconnect();
  const { getToken } = tokens();
  using played = new PlayedClient({ getToken });
  await settle();
  await played.welcome();
  assertEquals([played.client.connected, played.socket.frames], [true, []]);
});

// A client known by its cookie once answered "exp" with an empty token, and was sent away for good.
Deno.test("exp: a client without tokens has nothing to say to it", async () => {
  using played = new PlayedClient();
  await played.welcome2();
  played.socket.receive({ t: "exp", s: 30 });
  await settle();
  assertEquals([played.socket.frames, played.client.connected], [[], true]);
});

// Platforms refuse to close a socket with a code that is the network's, and would leave it open.
Deno.test("exp: where no fresh token can be had, the connection is left by the client's own code", async () => {
  let fails = false;
  using played = new PlayedClient({
    getToken: () => fails ? Promise.reject(new Error("offline")) : "t",
  });
  await settle();
  await played.welcome2();
  played.socket.receive({ t: "ok", c: "", n: played.sent("auth").n });
  fails = true;
  played.socket.receive({ t: "exp", s: 30 });
  await settle();
  assertEquals(played.socket.closed, { code: 1000, reason: "client left" });
  assertEquals(played.closes, [{ code: 1006, willReconnect: true }]);
});

Deno.test("exp: what is unacknowledged is not sent again, and the connection is not told as new", async () => {
  const { getToken } = tokens();
  using played = new PlayedClient({ getToken });
  let opened = 0;
  played.client.on("open", () => opened++);
  await settle();
  await played.welcome2();
  played.socket.receive({ t: "ok", c: "", n: played.sent("auth").n });
  played.client.channel("c").publish("n", 1);
  played.socket.receive({ t: "exp", s: 30 });
  await settle();
  played.socket.receive({ t: "ok", c: "", n: played.sent("auth").n });
  assertEquals([played.allSent("pub").length, opened], [1, 1]);
});

Deno.test("a connection that broke leaves the next refusal its second chance", async () => {
  const source = tokens();
  using played = new PlayedClient({ getToken: source.getToken });
  await settle();
  await played.loseAndRetry(1006);
  await played.loseAndRetry(4001);
  assertEquals([played.client.state, source.count], ["reconnecting", 3]);
});

Deno.test("a token that was accepted gives the next refusal its second chance", async () => {
  const source = tokens();
  using played = new PlayedClient({ getToken: source.getToken });
  await settle();
  for (let round = 0; round < 3; round++) {
    await played.loseAndRetry(4001);
    assertEquals(played.client.state, "reconnecting", `round ${round}`);
    await played.welcome2();
    played.socket.receive({ t: "ok", c: "", n: played.sent("auth").n });
    await settle();
    assertEquals(played.client.state, "connected");
  }
});
