/**
 * 10,000 random and mutated frames: whatever a client sends, the process lives, nobody else notices,
 * and nothing is left when it is gone. The seed is printed; FUZZ_SEED=… repeats a run.
 */
import {
  type BroadcastDriver,
  type BroadcastError,
  BroadcastGateway,
  DriverBroadcaster,
  type GatewaySocket,
  MemoryDriver,
  type SocketEvents,
} from "@airwave/broadcast";
import { type ClientFrame, parseServerMessage } from "@airwave/broadcast/protocol";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Listener, type Listening, testOnEach } from "./listeners.ts";

const seed = Number(Deno.env.get("FUZZ_SEED") ?? crypto.getRandomValues(new Int32Array(1))[0]);
console.log(`FUZZ_SEED=${seed}`);

const FRAMES = 10_000;
const MAX_FRAME_BYTES = 8 * 1024;
/** A lost event is a test that fails, not one that hangs. */
const timeout = 60_000;
const BYSTANDER = "bystander";

type Message = string | Uint8Array<ArrayBuffer>;

const validName = fc.constantFrom(
  BYSTANDER,
  "a",
  "b",
  "open.1",
  "open.2",
  "private-x",
  "PRESENCE-x",
  "denied",
  "throws",
  "rejects",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "toString",
  "x".repeat(200),
);

const name = fc.oneof(
  { weight: 3, arbitrary: validName },
  fc.constantFrom("", " a", "a\0", "\0", "\ud800", "a\udfff", "ﬀ", "\u2028", "x".repeat(201)),
);

const anyText = fc.string({
  unit: fc.oneof(
    fc.integer({ min: 0, max: 0xffff }),
    fc.integer({ min: 0, max: 0x7f }),
    fc.integer({ min: 0xd800, max: 0xdfff }),
  ).map((unit) => String.fromCharCode(unit)),
  maxLength: 30,
});

const anyJson = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.dictionary(name, fc.jsonValue({ maxDepth: 1 }), { maxKeys: 4 }).map((o) => JSON.stringify(o)),
  fc.constantFrom(
    "1e999",
    "-1e-999",
    "-0",
    "9".repeat(400),
    `0.${"1".repeat(400)}`,
    "9007199254740993",
    '"\\ud800"',
    '"\\u0000"',
    '{"__proto__":{"t":"sub"},"constructor":{"prototype":null},"toJSON":1}',
    '{"a":1,"a":2}',
  ),
);

const validFrame = fc.oneof(
  fc.record({ t: fc.constantFrom("sub", "unsub"), c: name }).map((f) => JSON.stringify(f)),
  fc.tuple(name, fc.oneof(name, anyText), anyJson).map(([c, e, d]) =>
    `{"t":"pub","c":${JSON.stringify(c)},"e":${JSON.stringify(e)},"d":${d}}`
  ),
  fc.constant('{"t":"pong"}'),
);

const oddFrame = fc.dictionary(
  fc.constantFrom("t", "c", "e", "d", "i", "id", "r", "n", "__proto__", "constructor", "toString"),
  fc.oneof(
    fc.constantFrom("sub", "unsub", "pub", "pong", "welcome", "ok", "err", "msg", "ping", "auth"),
    name,
    fc.jsonValue({ maxDepth: 1 }),
  ),
).map((fields) => JSON.stringify(fields));

/** A frame with one place changed: something cut out, put in, or everything after it gone. */
const mutatedFrame = fc.tuple(
  fc.oneof(validFrame, oddFrame),
  fc.nat(),
  fc.nat({ max: 4 }),
  fc.oneof(anyText, fc.constantFrom("", "", '"', "{", "}", "[", ",", ":", "\\", "null", "\0")),
  fc.boolean(),
).map(([text, place, cut, put, truncated]) => {
  const at = place % (text.length + 1);
  return text.slice(0, at) + put + (truncated ? "" : text.slice(at + cut));
});

const deep = fc.tuple(
  fc.constantFrom("[", '{"t":', '{"__proto__":', '[{"c":'),
  fc.integer({ min: 1, max: 1000 }),
  fc.constantFrom("", '{"t":"pub","c":"a","e":"e","d":'),
).map(([open, depth, before]) => before + open.repeat(depth));

const deepData = fc.integer({ min: 1, max: 4000 }).map((depth) =>
  `{"t":"pub","c":"open.1","e":"deep","d":${"[".repeat(depth)}${"]".repeat(depth)}}`
);

const oversize = fc.tuple(validFrame, fc.constantFrom("x", "é", "\ud800")).map(([text, unit]) =>
  text + unit.repeat(MAX_FRAME_BYTES)
);

const message: fc.Arbitrary<Message> = fc.oneof(
  { weight: 30, arbitrary: validFrame },
  { weight: 30, arbitrary: mutatedFrame },
  { weight: 15, arbitrary: oddFrame },
  { weight: 10, arbitrary: anyText },
  { weight: 5, arbitrary: anyJson },
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 100 }).map((bytes) => new Uint8Array(bytes)) },
  { weight: 2, arbitrary: validFrame.map((text) => new TextEncoder().encode(text)) },
  { weight: 2, arbitrary: deep },
  { weight: 1, arbitrary: deepData },
  { weight: 1, arbitrary: oversize },
);

/** What the application throws. Beside it only an event that is too large may ever be reported. */
class RuleFailure extends Error {}

/** The application around the gateway: rules and hooks that misbehave, and everything counted. */
class Application implements AsyncDisposable {
  readonly driver = new CountedDriver();
  readonly reported: BroadcastError[] = [];
  readonly broadcaster: DriverBroadcaster;
  readonly gateway: BroadcastGateway;
  #listening: Listening | undefined;
  readonly #unhandled: unknown[] = [];
  readonly #onUnhandled = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    this.#unhandled.push(event.reason);
  };
  #allGone = Promise.withResolvers<void>();

  constructor() {
    const onError = (error: BroadcastError) => this.reported.push(error);
    const unlimited = { burst: 1e9, perSecond: 1e9 };
    this.broadcaster = new DriverBroadcaster(this.driver.driver, { onError, maxEventBytes: 4096 });
    this.broadcaster.authorize("denied", () => false);
    this.broadcaster.authorize("rejects", () => Promise.reject(new RuleFailure()));
    this.broadcaster.authorize("throws", () => {
      throw new RuleFailure();
    });
    this.gateway = new BroadcastGateway({
      broadcaster: this.broadcaster,
      maxFrameBytes: MAX_FRAME_BYTES,
      subscribeRate: unlimited,
      publishRate: unlimited,
      onError,
      onDisconnect: () => this.gateway.clientCount === 0 && this.#allGone.resolve(),
      allowClientPublish: ({ channel, event }) => {
        if (event === "toString") throw new RuleFailure();
        if (event === "constructor") return Promise.reject(new RuleFailure());
        return channel !== BYSTANDER;
      },
    });
    globalThis.addEventListener("unhandledrejection", this.#onUnhandled);
  }

  static async start(listener: Listener): Promise<Application> {
    const app = new Application();
    app.#listening = await listener.listen(app.gateway);
    return app;
  }

  get port(): number {
    return this.#listening?.port ?? 0;
  }

  /** Expects that all clients have gone and took everything with them. */
  async assertNothingLeft(): Promise<void> {
    if (this.gateway.clientCount > 0) await this.#allGone.promise;
    await this.driver.idle();
    const { clientCount, channelCount } = this.gateway;
    assertEquals({ clientCount, channelCount }, { clientCount: 0, channelCount: 0 });
    for (const channel of [BYSTANDER, "a", "open.1", "__proto__", "constructor"]) {
      assertEquals(this.gateway.subscriberCount(channel), 0, channel);
    }
    assertEquals(this.driver.opened, this.driver.closed);
    assertEquals(this.#unhandled, []);
    const unexpected = this.reported.filter(({ code, cause }) =>
      !(cause instanceof RuleFailure) && code !== "broadcast.publish"
    );
    assertEquals(unexpected, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    globalThis.removeEventListener("unhandledrejection", this.#onUnhandled);
    await this.gateway.close();
    await this.broadcaster.close();
    await this.#listening?.shutdown();
  }
}

/** The memory driver, with its subscriptions counted. */
class CountedDriver {
  opened = 0;
  closed = 0;
  readonly driver: BroadcastDriver;
  #idle = Promise.withResolvers<void>();

  constructor() {
    const memory = new MemoryDriver();
    this.driver = {
      abilities: memory.abilities,
      publish: (channel, record) => memory.publish(channel, record),
      read: (channel, after) => memory.read(channel, after),
      close: () => memory.close(),
      subscribe: async (channel, sink) => {
        this.opened++;
        const subscription = await memory.subscribe(channel, sink);
        return {
          close: async () => {
            await subscription.close();
            if (++this.closed === this.opened) this.#idle.resolve();
          },
        };
      },
    };
  }

  /** Resolves when every subscription that was opened is closed. */
  async idle(): Promise<void> {
    while (this.opened !== this.closed) {
      this.#idle = Promise.withResolvers();
      await this.#idle.promise;
    }
  }
}

/** A client over a real socket, which keeps all that it is told. */
class Client {
  readonly #socket: WebSocket;
  /** Held by nobody else: an answer on it tells that everything before was dealt with. */
  readonly #fence = `fence-${crypto.randomUUID()}`;
  readonly closed: Promise<number>;
  #until = { text: "", reached: Promise.withResolvers<void>() };

  private constructor(port: number, heard: string[]) {
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/_broadcast`);
    this.#socket.onmessage = ({ data }) => {
      heard.push(data);
      if (data.startsWith(this.#until.text)) this.#until.reached.resolve();
    };
    this.closed = new Promise((resolve) => {
      this.#socket.onclose = ({ code }) => {
        this.#until.reached.reject(new Error(`Closed with ${code} instead of an answer`));
        resolve(code);
      };
    });
  }

  static async connect(port: number, heard: string[]): Promise<Client> {
    const client = new Client(port, heard);
    await client.#hear('{"t":"welcome"');
    client.send(JSON.stringify({ t: "sub", c: client.#fence }));
    await client.#hear(`{"t":"ok","c":"${client.#fence}"}`);
    return client;
  }

  send(message: Message): void {
    this.#socket.send(message);
  }

  /** Resolves when the gateway has dealt with all that was sent so far, publishes included. */
  async settled(): Promise<void> {
    this.send(JSON.stringify({ t: "pub", c: this.#fence, e: "fence", d: null }));
    await this.#hear(`{"t":"msg","c":"${this.#fence}"`);
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.closed;
  }

  async #hear(text: string): Promise<void> {
    this.#until = { text, reached: Promise.withResolvers() };
    await this.#until.reached.promise;
    this.#until = { text: "nothing", reached: Promise.withResolvers() };
    // Closing on purpose is nobody's failure.
    this.#until.reached.promise.catch(() => {});
  }
}

/** A session on a socket of the test's own, which can deliver what no real one would. */
class SocketlessClient {
  readonly session: SocketEvents;
  isClosed = false;
  #onText: (text: string) => void = () => {};

  constructor(app: Application, heard: string[]) {
    const socket: GatewaySocket = {
      bufferedAmount: 0,
      send: (text) => {
        heard.push(text);
        this.#onText(text);
      },
      close: () => this.isClosed = true,
    };
    this.session = app.gateway.connect(socket, new Request("http://127.0.0.1/_broadcast"));
  }

  /** Resolves when all that was delivered so far is dealt with, publishes included. */
  async settled(): Promise<void> {
    await this.#ask({ t: "sub", c: "fence" }, '{"t":"ok","c":"fence"}');
    await this.#ask({ t: "pub", c: "fence", e: "e", d: null }, '{"t":"msg","c":"fence"');
  }

  #ask(frame: ClientFrame, answer: string): Promise<void> {
    return new Promise((resolve) => {
      this.#onText = (text) => text.startsWith(answer) && resolve();
      this.session.message(JSON.stringify(frame));
    });
  }
}

/** A client that minds its own business, and what the application publishes for it. */
class Bystander {
  readonly #app: Application;
  readonly #socket: WebSocket;
  readonly #heard: string[] = [];
  #published = 0;
  #heardEnough = Promise.withResolvers<void>();

  private constructor(app: Application) {
    this.#app = app;
    this.#socket = new WebSocket(`ws://127.0.0.1:${app.port}/_broadcast`);
  }

  static async connect(app: Application): Promise<Bystander> {
    const bystander = new Bystander(app);
    const live = Promise.withResolvers<void>();
    bystander.#socket.onmessage = ({ data }) => {
      if (data.startsWith('{"t":"welcome"')) {
        return bystander.#socket.send(`{"t":"sub","c":"${BYSTANDER}"}`);
      }
      if (data === `{"t":"ok","c":"${BYSTANDER}"}`) return live.resolve();
      bystander.#heard.push(data);
      if (bystander.#heard.length >= bystander.#published) bystander.#heardEnough.resolve();
    };
    await live.promise;
    return bystander;
  }

  async publish(): Promise<void> {
    const n = this.#published++;
    await this.#app.broadcaster.publish(BYSTANDER, { event: "n", data: n, id: `${n}` });
  }

  /** Expects that it heard each event once and in order, and nothing else; then it leaves. */
  async assertUndisturbed(): Promise<void> {
    this.#heardEnough = Promise.withResolvers();
    await this.publish();
    await this.#heardEnough.promise;
    assertEquals(
      this.#heard,
      Array.from(
        { length: this.#published },
        (_, n) => `{"t":"msg","c":"${BYSTANDER}","e":"n","d":${n},"i":"${n}"}`,
      ),
    );
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    this.#socket.close();
    await closed;
  }
}

function isOversize(message: Message): boolean {
  return typeof message === "string" && new TextEncoder().encode(message).length > MAX_FRAME_BYTES;
}

/** Every answer that a random frame should get now and then: the generators still reach them all. */
const ANSWERS = [
  "err authorization failed",
  "err invalid channel name",
  "err invalid event name",
  "err publish denied",
  "err publish failed",
  "err unauthorized",
  "msg",
  "ok",
  "welcome",
];

/** Which kinds of answers came; nothing but frames may. */
function answersIn(texts: readonly string[]): string[] {
  const kinds = texts.map((text) => {
    const [parsed] = parseServerMessage(text, 1);
    assert(parsed?.kind === "frame", text);
    return parsed.frame.t === "err" ? `err ${parsed.frame.r}` : parsed.frame.t;
  });
  return [...new Set(kinds)].sort();
}

/** Sends messages one after the other, coming back where one ended the connection. */
async function attack(
  app: Application,
  bystander: Bystander,
  messages: readonly Message[],
): Promise<string[]> {
  const heard: string[] = [];
  let client = await Client.connect(app.port, heard);
  for (const [i, message] of messages.entries()) {
    client.send(message);
    if (i % 10 === 0) await bystander.publish();
    if (isOversize(message)) {
      assertEquals(await client.closed, 1009);
      client = await Client.connect(app.port, heard);
    } else if (i % 100 === 0) {
      await client.settled();
    }
  }
  await client.settled();
  await client.close();
  return heard;
}

testOnEach(
  `${FRAMES} random frames over real sockets touch nobody else`,
  { timeout },
  async (listener) => {
    await using app = await Application.start(listener);
    const bystander = await Bystander.connect(app);
    const messages = fc.sample(message, { numRuns: FRAMES, seed });
    const heard = await Promise.all(
      [0, 1, 2, 3].map((n) => attack(app, bystander, messages.filter((_, i) => i % 4 === n))),
    );
    await bystander.assertUndisturbed();
    await app.assertNothingLeft();
    assertEquals(answersIn(heard.flat()), ANSWERS);
  },
);

Deno.test(`${FRAMES} random inputs to sessions throw nothing`, { timeout }, async () => {
  await using app = new Application();
  const heard: string[] = [];
  // Not only what a socket can deliver: lone surrogates as they are, and no messages at all.
  const input = fc.oneof(
    { weight: 9, arbitrary: message },
    { weight: 1, arbitrary: fc.anything({ withBigInt: true }) },
  );
  let client = new SocketlessClient(app, heard);
  for (const [i, data] of fc.sample(input, { numRuns: FRAMES, seed }).entries()) {
    client.session.message(data);
    // Some leave with everything they asked for still under way.
    if (i % 100 === 0 && !client.isClosed) await client.settled();
    if (i % 60 === 0 || client.isClosed) {
      client.session.closed(1006, "");
      client.session.closed(0, "");
      client = new SocketlessClient(app, heard);
    }
  }
  client.session.closed(1000, "");
  await app.assertNothingLeft();
  assertEquals(answersIn(heard), ANSWERS);
});

testOnEach("random bytes below the protocol touch nobody else", { timeout }, async (listener) => {
  await using app = await Application.start(listener);
  const bystander = await Bystander.connect(app);
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 300 }),
    // The first byte says what kind of WebSocket frame it is, the next how long: worth more tries.
    fc.tuple(
      fc.constantFrom(0x00, 0x01, 0x80, 0x81, 0x82, 0x83, 0x88, 0x89, 0x8a, 0xc1, 0xf1),
      fc.constantFrom(0x00, 0x05, 0x7e, 0x7f, 0x80, 0x85, 0xfe, 0xff),
      fc.uint8Array({ maxLength: 140 }),
    ).map(([first, second, rest]) => new Uint8Array([first, second, ...rest])),
  );
  for (const garbage of fc.sample(bytes, { numRuns: 200, seed })) {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: app.port });
    await connection.write(new TextEncoder().encode(
      `GET /_broadcast HTTP/1.1\r\nHost: 127.0.0.1:${app.port}\r\nUpgrade: websocket\r\n` +
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
        `Sec-WebSocket-Key: ${btoa("0123456789abcdef")}\r\n\r\n`,
    ));
    // Until the welcome is there, whose text is the first with a brace.
    const buffer = new Uint8Array(1024);
    for (let text = ""; !text.includes("}");) {
      const length = await connection.read(buffer);
      assert(length !== null, "closed before the welcome");
      text += new TextDecoder("latin1").decode(buffer.subarray(0, length));
    }
    await connection.write(garbage);
    await bystander.publish();
  }
  await bystander.assertUndisturbed();
  await app.assertNothingLeft();
});
