/**
 * Clients that come and go while the application still decides about them. The first such system
 * kept a client that went away during authorization subscribed for ever.
 */
import {
  type BroadcastDriver,
  BroadcastGateway,
  DriverBroadcaster,
  type DriverSubscription,
  MemoryDriver,
} from "@airwave/broadcast";
import type { PubFrame, SubFrame, UnsubFrame } from "@airwave/broadcast/protocol";
import { assertEquals } from "@std/assert";
import { type Listener, type Listening, testOnEach } from "./listeners.ts";

const BATCHES = 10;
const BATCH = 100;

/** Counts what happens, and tells when it has happened often enough. */
class Tally {
  count = 0;
  readonly #waiting = new Set<{ readonly count: number; readonly resolve: () => void }>();

  add(): void {
    this.count++;
    for (const waiter of this.#waiting) {
      if (this.count < waiter.count) continue;
      this.#waiting.delete(waiter);
      waiter.resolve();
    }
  }

  reached(count: number): Promise<void> {
    if (this.count >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.add({ count, resolve }));
  }
}

/** The memory driver, with its upstream subscriptions counted and opened when the test says so. */
class CountingDriver implements BroadcastDriver {
  readonly #memory = new MemoryDriver();
  readonly abilities = this.#memory.abilities;
  readonly publish = this.#memory.publish.bind(this.#memory);
  readonly read = this.#memory.read.bind(this.#memory);
  readonly close = this.#memory.close.bind(this.#memory);
  readonly asked = new Tally();
  readonly opened = new Tally();
  readonly closed = new Tally();
  /** What an opening waits for. */
  acknowledged: Promise<void> = Promise.resolve();

  async subscribe(
    ...args: Parameters<BroadcastDriver["subscribe"]>
  ): Promise<DriverSubscription> {
    this.asked.add();
    await this.acknowledged;
    const subscription = await this.#memory.subscribe(...args);
    this.opened.add();
    return {
      close: async () => {
        await subscription.close();
        this.closed.add();
      },
    };
  }
}

/** A gateway whose application takes its time. */
class SlowApplication implements AsyncDisposable {
  readonly driver = new CountingDriver();
  readonly broadcaster = new DriverBroadcaster(this.driver);
  readonly asked = new Tally();
  readonly gone = new Tally();
  readonly gateway: BroadcastGateway;
  #listening: Listening | undefined;
  #decision = Promise.withResolvers<void>();

  private constructor({ slowSubject = false } = {}) {
    const decide = async (answer: boolean) => {
      this.asked.add();
      await this.#decision.promise;
      return answer;
    };
    this.broadcaster.authorize("slow.*", () => decide(true));
    this.broadcaster.authorize("slow.denied.*", () => decide(false));
    this.broadcaster.authorize("slow.broken.*", () =>
      decide(true).then(() => {
        throw new Error("This rule is broken");
      }));
    this.gateway = new BroadcastGateway({
      broadcaster: this.broadcaster,
      allowClientPublish: () => decide(true),
      onDisconnect: () => this.gone.add(),
      ...(slowSubject ? { resolveSubject: () => decide(true) } : {}),
    });
  }

  static async start(listener: Listener, options?: { slowSubject: boolean }) {
    const app = new SlowApplication(options);
    app.#listening = await listener.listen(app.gateway);
    return app;
  }

  get port(): number {
    return this.#listening?.port ?? 0;
  }

  /** Everybody who waits gets an answer; who asks from now on waits for the next. */
  async decide(): Promise<void> {
    this.#decision.resolve();
    this.#decision = Promise.withResolvers();
    // What the answers set off, promises all of it, is done within this turn of the event loop.
    await new Promise((resolve) => setTimeout(resolve));
  }

  /** Expects that nobody is there and that nobody left anything. */
  async assertEmpty(): Promise<void> {
    await this.driver.closed.reached(this.driver.opened.count);
    const { clientCount, channelCount } = this.gateway;
    assertEquals({ clientCount, channelCount }, { clientCount: 0, channelCount: 0 });
    assertEquals(this.gateway.subscriberCount("open"), 0);
    assertEquals(this.driver.opened.count, this.driver.closed.count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway.close();
    await this.broadcaster.close();
    await this.#listening?.shutdown();
  }
}

/** What these clients say. */
type Request = SubFrame | UnsubFrame | PubFrame;

/** A client that may leave in any of the ways there are. */
interface Client {
  send(...frames: Request[]): Promise<void>;
  /** Leaves in its own way. */
  leave(): Promise<void>;
}

/** Leaves with a goodbye. */
class PoliteClient implements Client {
  readonly #socket: WebSocket;
  readonly #welcome: Promise<void>;
  readonly closed: Promise<number>;

  constructor(port: number) {
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/_broadcast`);
    this.#welcome = new Promise((resolve) => this.#socket.onmessage = () => resolve());
    this.closed = new Promise((resolve) => {
      this.#socket.onclose = ({ code }) => resolve(code);
    });
  }

  async send(...frames: Request[]): Promise<void> {
    await this.#welcome;
    for (const frame of frames) this.#socket.send(JSON.stringify(frame));
  }

  async leave(): Promise<void> {
    this.#socket.close();
    await this.closed;
  }
}

/** Vanishes without a word: its TCP connection is cut. */
class RudeClient implements Client {
  readonly #connection: Deno.TcpConn;

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Asks for the connection, and does not wait for the answer. */
  static async ask(port: number): Promise<RudeClient> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode(
      `GET /_broadcast HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
        `Sec-WebSocket-Key: ${btoa("0123456789abcdef")}\r\n\r\n`,
    ));
    return new RudeClient(connection);
  }

  static async connect(port: number): Promise<RudeClient> {
    const client = await RudeClient.ask(port);
    const buffer = new Uint8Array(1024);
    const decoder = new TextDecoder();
    // The welcome is the first text with a brace.
    for (let text = ""; !text.includes("}");) {
      const length = await client.#connection.read(buffer);
      if (length === null) throw new Error("Closed before the welcome");
      text += decoder.decode(buffer.subarray(0, length), { stream: true });
    }
    return client;
  }

  async send(...frames: Request[]): Promise<void> {
    for (const frame of frames) {
      const payload = new TextEncoder().encode(JSON.stringify(frame));
      // Masked with zeros, which leaves the payload as it is.
      await this.#connection.write(
        new Uint8Array([0x81, 0x80 | payload.length, 0, 0, 0, 0, ...payload]),
      );
    }
  }

  leave(): Promise<void> {
    this.#connection.close();
    return Promise.resolve();
  }
}

/** Calls everything off before it goes. */
class TidyClient extends PoliteClient {
  readonly #held = new Set<string>();

  override async send(...frames: Request[]): Promise<void> {
    for (const { c } of frames) this.#held.add(c);
    await super.send(...frames);
  }

  override async leave(): Promise<void> {
    for (const c of this.#held) await super.send({ t: "unsub", c });
    await super.leave();
  }
}

/** What each client of a batch asks for: of channels and publishes, some shared, some its own. */
function requests(n: number): Request[] {
  const own = ["allowed", "denied", "broken"][Math.floor(n / 3) % 3];
  return [
    { t: "sub", c: "open" },
    { t: "sub", c: "slow.shared" },
    { t: "sub", c: `slow.${own}.${n}` },
    // Called off and asked for again at once: the first answer must not touch the second request.
    { t: "sub", c: "slow.again" },
    { t: "unsub", c: "slow.again" },
    { t: "sub", c: "slow.again" },
  ];
}

/** How often the application is asked about one client's requests. */
const QUESTIONS = 4;

/** A batch of clients, a third of each kind, all in the middle of being decided about. */
async function arrive(app: SlowApplication): Promise<Client[]> {
  const before = app.asked.count;
  const clients = await Promise.all(Array.from({ length: BATCH }, async (_, n) => {
    const client = n % 3 === 0
      ? await RudeClient.connect(app.port)
      : n % 3 === 1
      ? new PoliteClient(app.port)
      : new TidyClient(app.port);
    await client.send(...requests(n));
    return client;
  }));
  await app.asked.reached(before + BATCH * QUESTIONS);
  return clients;
}

const timeout = 30_000;

testOnEach(
  "1,000 clients come and go in the middle of a slow authorizer",
  { timeout },
  async (listener) => {
    await using app = await SlowApplication.start(listener);
    for (let batch = 0; batch < BATCHES; batch++) {
      const clients = await arrive(app);
      assertEquals(app.gateway.clientCount, BATCH);
      const left = Promise.all(clients.map((client) => client.leave()));
      if (batch % 2 === 0) {
        // The answers come when the gateway knows that nobody waits for them any more …
        await app.gone.reached((batch + 1) * BATCH);
        await app.assertEmpty();
        await app.decide();
      } else {
        // … or while the clients are on their way out.
        await app.decide();
      }
      await left;
      await app.gone.reached((batch + 1) * BATCH);
      await app.assertEmpty();
    }
    assertEquals(app.gone.count, BATCHES * BATCH);
    assertEquals(app.asked.count, BATCHES * BATCH * QUESTIONS);
  },
);

testOnEach(
  "clients that go while their publish is decided leave nothing",
  { timeout },
  async (listener) => {
    await using app = await SlowApplication.start(listener);
    const clients = await Promise.all(
      Array.from({ length: BATCH }, async (_, n) => {
        const client = n % 2 === 0
          ? await RudeClient.connect(app.port)
          : new PoliteClient(app.port);
        await client.send({ t: "pub", c: "open", e: "e", d: n });
        return client;
      }),
    );
    await app.asked.reached(BATCH);
    await Promise.all(clients.map((client) => client.leave()));
    await app.gone.reached(BATCH);
    await app.decide();
    await app.assertEmpty();
  },
);

testOnEach(
  "clients that go while the backplane opens their channel close it",
  { timeout },
  async (listener) => {
    await using app = await SlowApplication.start(listener);
    const acknowledgement = Promise.withResolvers<void>();
    app.driver.acknowledged = acknowledgement.promise;
    const clients = await arrive(app);
    await app.decide();
    // One upstream subscription a channel: three that are shared, and of some clients their own.
    const own = [...clients.keys()].flatMap(requests)
      .filter(({ c }) => c.startsWith("slow.allowed"));
    const channels = 3 + own.length;
    await app.driver.asked.reached(channels);
    await Promise.all(clients.map((client) => client.leave()));
    await app.gone.reached(BATCH);
    acknowledgement.resolve();
    await app.driver.opened.reached(channels);
    await app.assertEmpty();
    assertEquals(app.driver.opened.count, channels);
  },
);

testOnEach(
  "a gateway closed in the middle leaves nothing, whatever is decided later",
  { timeout },
  async (listener) => {
    await using app = await SlowApplication.start(listener);
    const clients = await arrive(app);
    await app.gateway.close();
    assertEquals(app.gone.count, BATCH);
    await app.assertEmpty();
    await app.decide();
    await app.assertEmpty();
    for (const client of clients) {
      if (client instanceof PoliteClient) assertEquals(await client.closed, 1001);
      else await client.leave();
    }
  },
);

testOnEach(
  "a gateway closed over a queue of publishes waits for none of them",
  { timeout },
  async (listener) => {
    await using app = await SlowApplication.start(listener);
    const clients = await Promise.all(
      Array.from({ length: BATCH }, async (_, n) => {
        const client = new PoliteClient(app.port);
        for (let i = 0; i < 5; i++) await client.send({ t: "pub", c: "open", e: "e", d: i });
        await client.send({ t: "sub", c: `slow.allowed.${n}` });
        return client;
      }),
    );
    // The first publish of each client is decided about, and all that it sent has been read.
    await app.asked.reached(2 * BATCH);
    await app.gateway.close();
    // Nobody ever decides: the sanitizers see the timers that are left.
    await Promise.all(clients.map((client) => client.closed));
    await app.assertEmpty();
  },
);

testOnEach(
  "gateway and broadcaster closed in the middle wait for no decision",
  { timeout },
  async (listener) => {
    await using app = await SlowApplication.start(listener);
    const clients = await arrive(app);
    await app.gateway.close();
    await app.broadcaster.close();
    // Nobody ever decides: the sanitizers see the timers that are left.
    await Promise.all(clients.map((client) => client.leave()));
    await app.assertEmpty();
  },
);

testOnEach(
  "clients that go while it is found out who they are leave nothing",
  { timeout },
  async (listener) => {
    await using app = await SlowApplication.start(listener, { slowSubject: true });
    const clients = await Promise.all(
      Array.from({ length: BATCH }, () => RudeClient.ask(app.port)),
    );
    await app.asked.reached(BATCH);
    await Promise.all(clients.map((client) => client.leave()));
    await app.decide();
    // One that comes after them and stays for a moment: the gateway is as it was.
    const last = new PoliteClient(app.port);
    await app.asked.reached(BATCH + 1);
    await app.decide();
    await last.send({ t: "sub", c: "open" });
    await app.driver.opened.reached(1);
    await last.leave();
    while (app.gateway.clientCount > 0) await app.gone.reached(app.gone.count + 1);
    await app.assertEmpty();
  },
);
