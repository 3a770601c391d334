/**
 * Runs a client that was written from PROTOCOL.md alone, in another language and without our code,
 * against a real gateway. What it received is compared byte for byte; only ids made by the server
 * are replaced.
 */
import type { BroadcastGatewayOptions } from "@airwave/broadcast";
import { assertEquals } from "@std/assert";
import { Stage as ForeignStage } from "./foreign_client.ts";

const WELCOME = '{"t":"welcome","id":"…"}';

class Stage extends ForeignStage {
  constructor(options: Partial<BroadcastGatewayOptions<string>> = {}) {
    super("foreign_client.py", options);
  }
}

const LEFT = { closed: [1000, "client left"] };

Deno.test("a foreign client subscribes and receives events in order", async () => {
  await using stage = new Stage();
  await using client = stage.run("subscribe");
  await client.hears(WELCOME, '{"t":"ok","c":"news"}');
  // `ok` means live: what is published from now on arrives.
  const expected = [];
  for (let n = 0; n < 200; n++) {
    await stage.publish("news", "tick", { n });
    expected.push(`{"t":"msg","c":"news","e":"tick","d":{"n":${n}},"i":"…"}`);
  }
  await stage.publish("elsewhere", "tick", "not for this client");
  await stage.publish("news", "*", '"Grüße"\n/\u0001\u2028\ud800', "an id of / the application's");
  await stage.publish("news", "end", undefined);
  await client.hears(
    ...expected,
    '{"t":"msg","c":"news","e":"*","d":"\\"Grüße\\"\\n/\\u0001\u2028\\ud800","i":"an id of / the application\'s"}',
    '{"t":"msg","c":"news","e":"end","d":null,"i":"…"}',
  );
  await client.finds(LEFT);
});

Deno.test("a second sub is answered ok again, and doubles nothing", async () => {
  await using stage = new Stage();
  await using client = stage.run("subscribe_twice");
  await client.hears(WELCOME, '{"t":"ok","c":"news"}', '{"t":"ok","c":"news"}');
  assertEquals(stage.gateway.subscriberCount("news"), 1);
  await stage.publish("news", "tick", 1);
  await client.hears(
    '{"t":"msg","c":"news","e":"tick","d":1,"i":"…"}',
    '{"t":"ok","c":"other"}',
  );
  await client.finds(LEFT);
});

Deno.test("two subs that are under way together get one answer", async () => {
  await using stage = new Stage();
  const decision = Promise.withResolvers<boolean>();
  stage.broadcaster.authorize("slow", () => decision.promise);
  await using client = stage.run("subscribe_twice_while_pending");
  // Frames are read in order, so with this answer both requests have been read.
  await client.hears(WELCOME, '{"t":"ok","c":"news"}');
  decision.resolve(true);
  await client.hears('{"t":"ok","c":"slow"}', '{"t":"ok","c":"other"}');
  await client.finds(LEFT);
});

Deno.test("unsub calls off a sub that is under way", async () => {
  await using stage = new Stage();
  const decision = Promise.withResolvers<boolean>();
  stage.broadcaster.authorize("slow", () => decision.promise);
  await using client = stage.run("unsubscribe_while_pending");
  await client.hears(WELCOME, '{"t":"ok","c":"news"}');
  decision.resolve(true);
  await stage.publish("slow", "tick", 1);
  await client.go();
  await client.hears('{"t":"ok","c":"other"}');
  assertEquals(stage.gateway.subscriberCount("slow"), 0);
  await client.finds(LEFT);
});

Deno.test("nothing comes from a channel after unsub, which has no answer", async () => {
  await using stage = new Stage();
  await using client = stage.run("unsubscribe");
  await client.hears(WELCOME, '{"t":"ok","c":"news"}', '{"t":"ok","c":"other"}');
  assertEquals(stage.gateway.subscriberCount("news"), 0);
  await stage.publish("news", "tick", 1);
  await stage.publish("other", "tick", 2);
  await client.hears('{"t":"msg","c":"other","e":"tick","d":2,"i":"…"}');
  await client.finds(LEFT);
});

Deno.test("a foreign client is denied, with the reason", async () => {
  await using stage = new Stage();
  await using client = stage.run("denied");
  await client.hears(
    WELCOME,
    '{"t":"err","c":"private-ledger","r":"unauthorized"}',
    '{"t":"err","c":"PRESENCE-room","r":"unauthorized"}',
    '{"t":"err","c":"private-broken","r":"authorization failed"}',
    '{"t":"err","c":"no spaces","r":"invalid channel name"}',
    `{"t":"err","c":"${"x".repeat(201)}","r":"invalid channel name"}`,
    '{"t":"ok","c":"news"}',
  );
  await client.finds(LEFT);
});

Deno.test("a foreign client publishes what it may and is told what it may not", async () => {
  await using stage = new Stage({
    allowClientPublish: ({ channel, event }) => {
      if (event === "throw") throw new Error("This hook is broken");
      // On the private ones only their rules are in the way.
      return channel !== "news";
    },
  });
  await using client = stage.run("publish");
  await client.hears(
    WELCOME,
    '{"t":"ok","c":"chat.1"}',
    '{"t":"msg","c":"chat.1","e":"message","d":{"text":"Grüße","list":[1,null,true]},"i":"…"}',
    '{"t":"msg","c":"chat.1","e":"typing","d":null,"i":"…"}',
    '{"t":"err","c":"news","r":"publish denied"}',
    '{"t":"err","c":"private-ledger","r":"publish denied"}',
    '{"t":"err","c":"private-broken","r":"publish denied"}',
    '{"t":"err","c":"no spaces","r":"invalid channel name"}',
    '{"t":"err","c":"chat.1","r":"invalid event name"}',
    '{"t":"err","c":"chat.1","r":"publish denied"}',
  );
  await client.finds(LEFT);
});

Deno.test("a foreign client is told of the limits and goes on", async () => {
  await using stage = new Stage({
    maxChannelsPerConnection: 2,
    // Far from coming back while the test runs.
    subscribeRate: { burst: 3, perSecond: 0.0001 },
    publishRate: { burst: 1, perSecond: 0.0001 },
  });
  await using client = stage.run("limits");
  await client.hears(
    WELCOME,
    '{"t":"ok","c":"a"}',
    '{"t":"ok","c":"b"}',
    '{"t":"err","c":"c","r":"too many channels"}',
    '{"t":"ok","c":"a"}',
    '{"t":"err","c":"d","r":"rate limited"}',
  );
  // Of two publishes in a row one is refused for its own sake and one for the rate; the first to be
  // decided answers first.
  await client.hears(
    '{"t":"err","c":"chat.1","r":"publish denied"}',
    '{"t":"err","c":"chat.1","r":"publish rate limited"}',
  );
  await client.finds(LEFT);
});

Deno.test("a subscription whose permission expires ends with unauthorized", async () => {
  await using stage = new Stage();
  // Asked again when it is over, the rule has nothing better to say.
  let expiresAt: number | undefined;
  stage.broadcaster.authorize("news", () => {
    expiresAt ??= Date.now() + 200;
    return { authorized: true, expiresAt };
  });
  await using client = stage.run("ended");
  await client.hears(
    WELCOME,
    '{"t":"ok","c":"news"}',
    '{"t":"err","c":"news","r":"unauthorized"}',
  );
  assertEquals(stage.gateway.subscriberCount("news"), 0);
  await client.finds(LEFT);
});

Deno.test("a subscription that the server ends says subscription failed", async () => {
  await using stage = new Stage();
  await using client = stage.run("ended");
  await client.hears(WELCOME, '{"t":"ok","c":"news"}');
  await stage.broadcaster.close();
  await client.hears('{"t":"err","c":"news","r":"subscription failed"}');
  await client.finds(LEFT);
});

Deno.test("a foreign client that answers its pings stays", async () => {
  await using stage = new Stage({ pingIntervalMs: 100, pongTimeoutMs: 400 });
  await using client = stage.run("answer_pings");
  await client.hears(WELCOME, '{"t":"ping"}', '{"t":"ping"}', '{"t":"ping"}');
  await client.hears('{"t":"ok","c":"news"}');
  await client.finds(LEFT);
});

Deno.test("a foreign client that does not answer its ping is closed with 4101", async () => {
  await using stage = new Stage({ pingIntervalMs: 50, pongTimeoutMs: 50 });
  await using client = stage.run("ignore_pings");
  await client.hears(WELCOME, '{"t":"ping"}');
  await client.finds({ closed: [4101, "ping timeout"] });
  assertEquals(stage.gateway.clientCount, 0);
});

Deno.test("what is no frame is dropped without an answer, and the connection lives", async () => {
  await using stage = new Stage({ allowClientPublish: () => true });
  await using client = stage.run("malformed");
  await client.hears(WELCOME, '{"t":"ok","c":"news"}');
  await client.finds(LEFT);
});

Deno.test("fragments are one message, and a WebSocket Ping between them is answered", async () => {
  await using stage = new Stage();
  await using client = stage.run("fragments");
  await client.hears(WELCOME, '{"t":"ok","c":"news"}');
  await client.finds({ noted: "still there" }, LEFT);
});

Deno.test("a message of 65,536 bytes is read, and one byte more closes with 1009", async () => {
  await using stage = new Stage();
  {
    await using client = stage.run("largest");
    await client.hears(WELCOME, '{"t":"ok","c":"news"}');
    await client.finds(LEFT);
  }
  await using client = stage.run("oversize");
  await client.hears(WELCOME);
  await client.finds({ closed: [1009, "frame too large"] });
});

Deno.test("a client that reads too slowly is closed with 4100, after what was sent in order", async () => {
  const gone = Promise.withResolvers<number>();
  await using stage = new Stage({
    maxQueuedBytes: 256 * 1024,
    onDisconnect: ({ code }) => gone.resolve(code),
  });
  await using client = stage.run("slow");
  await client.hears(WELCOME, '{"t":"ok","c":"flood"}');
  const text = "x".repeat(100_000);
  for (let n = 0; stage.gateway.clientCount > 0 && n < 500; n++) {
    await stage.publish("flood", "block", { n, text });
    // The socket writes between two turns.
    await new Promise((resolve) => setTimeout(resolve));
  }
  assertEquals(await gone.promise, 4100);
  await client.go();
  await client.finds({ noted: "read some in order" }, { closed: [4100, "slow consumer"] });
});

Deno.test("a gateway that closes says 1001 and refuses with 503 from then on", async () => {
  await using stage = new Stage();
  {
    await using client = stage.run("await_end");
    await client.hears(WELCOME);
    await stage.gateway.close();
    await client.finds({ closed: [1001, "going away"] });
  }
  await using client = stage.run("refused");
  await client.finds({ refused: [503, "The gateway is closed\n"] });
});

Deno.test("a refused handshake is an HTTP response with a status and a sentence", async () => {
  await using stage = new Stage();
  await using client = stage.run("refusals");
  const foreign = { refused: [403, "This origin may not connect, see allowedOrigins\n"] };
  const broken = { refused: [400, "The WebSocket handshake failed\n"] };
  await client.finds(
    foreign,
    foreign,
    foreign,
    foreign,
    foreign,
    foreign,
    { refused: [404, "Not found: this gateway is at /_broadcast\n"] },
    { refused: [404, "Not found: this gateway is at /_broadcast\n"] },
    { refused: [404, "Not found: this gateway is at /_broadcast\n"] },
    {
      refused: [
        426,
        "Connect with a WebSocket: no Upgrade header came, and a proxy has to pass it on\n",
      ],
    },
    {
      refused: [
        426,
        "Connect with a WebSocket: no Upgrade header came, and a proxy has to pass it on\n",
      ],
    },
    broken,
    broken,
  );
});

Deno.test("who cannot be known is closed before a welcome, to come back later", async () => {
  await using stage = new Stage({
    resolveSubject: async (request) => {
      await Promise.resolve();
      throw new Error(`Cannot read ${request.headers.get("cookie")}`);
    },
  });
  await using client = stage.run("unknown_subject");
  await client.finds({ closed: [4103, "subject unknown"] });
});

Deno.test("a page of the gateway's own host may connect, whatever the spelling", async () => {
  await using stage = new Stage();
  await using client = stage.run("own_origins");
  const connected = { noted: "t id" };
  await client.finds(connected, connected, connected, connected);
});

Deno.test("a client that asks for revision 2 or a later one is welcomed to revision 2", async () => {
  await using stage = new Stage();
  await using client = stage.run("later_revision");
  const revision2 = { noted: "t id v ping max" };
  await client.finds(revision2, revision2, { noted: "t id" });
});
