/** Plays the example sessions of PROTOCOL.md against a real gateway: the text cannot drift away. */
import {
  BroadcastGateway,
  type BroadcastGatewayOptions,
  MemoryBroadcaster,
  type PresenceListener,
} from "@airwave/broadcast";
import { CLOSE, closeVerdict, REASONS } from "@airwave/broadcast/protocol";
import { assert, assertEquals, assertExists } from "@std/assert";
import { type Listener, type Listening, testOnEach } from "../gateway/listeners.ts";

const PROTOCOL = await Deno.readTextFile(new URL("../../PROTOCOL.md", import.meta.url));

interface Line {
  readonly who: "C" | "S" | "*";
  readonly text: string;
}

/** The fenced blocks of a kind, each with the heading above it. */
function blocks(kind: string): { readonly heading: string; readonly lines: string[] }[] {
  const found = [];
  let heading = "";
  for (const part of PROTOCOL.matchAll(/^#+ (.*)$|^```(\w+)\n([^]*?)^```$/gm)) {
    const [, title, language, body] = part;
    if (title !== undefined) heading = title;
    if (language === kind && body !== undefined) {
      found.push({ heading, lines: body.trimEnd().split("\n") });
    }
  }
  return found;
}

function readLine(text: string): Line {
  const who = text[0];
  assert((who === "C" || who === "S" || who === "*") && text[1] === " ", text);
  return { who, text: text.slice(2) };
}

/** Ids that the server makes are the only bytes that differ from run to run, beside epochs. */
function withoutServerIds(text: string): string {
  return text
    .replace(/^(\{"t":"welcome","id":)"[0-9a-f-]{36}"/, '$1"…"')
    .replace(/^(\{"t":"msg",.*"i":)"[0-9A-HJKMNP-TV-Z]{26}"(,"o":\d+)?\}$/, '$1"…"$2}');
}

const EPOCH = /(?<="p":\{"e":")[^"]+(?=")/;

/** Which epoch of the server stands for one in the text: one each, the whole session through. */
class Epochs {
  readonly #actual = new Map<string, string>();

  /** What the gateway should have said, with the epoch that it gave. */
  expect(text: string, heard: string): string {
    const [named] = EPOCH.exec(text) ?? [];
    const [actual] = EPOCH.exec(heard) ?? [];
    if (named !== undefined && actual !== undefined && !this.#actual.has(named)) {
      assert(![...this.#actual.values()].includes(actual), "two names for one epoch");
      this.#actual.set(named, actual);
    }
    return this.translate(text);
  }

  /** What the client says of the epochs that it was told. */
  translate(text: string): string {
    return text.replace(EPOCH, (named) => this.#actual.get(named) ?? named);
  }
}

/** One client's side of a session: what came, in order, and how the connection ended. */
class Player {
  readonly #socket: WebSocket;
  readonly #frames: string[] = [];
  #wake = Promise.withResolvers<void>();
  readonly closed: Promise<string>;

  constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = ({ data }) => {
      // A gateway joins frames without touching them; what is parsed and written again is the same.
      const parsed = url.endsWith("?v=2") ? JSON.parse(data) : undefined;
      if (Array.isArray(parsed)) this.#frames.push(...parsed.map((frame) => JSON.stringify(frame)));
      else this.#frames.push(data);
      this.#wake.resolve();
    };
    this.closed = new Promise((resolve) => {
      this.#socket.onclose = ({ code, reason }) => {
        resolve(`${code} ${reason}`);
        this.#wake.resolve();
      };
    });
  }

  async next(): Promise<string | undefined> {
    if (this.#frames.length === 0 && this.#socket.readyState !== WebSocket.CLOSED) {
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
    return this.#frames.shift();
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  async close(code: number, reason: string): Promise<void> {
    this.#socket.close(code, reason);
    await this.closed;
  }
}

/** Watches who is present and tells nobody. */
const UNTOLD: PresenceListener = { here() {}, join() {}, leave() {} };

/** A token of the application around the gateway: good ones hold for three and a half seconds. */
function resolveToken(token: string): unknown {
  return token === "good" ? { expiresAt: Date.now() + 3_500 } : undefined;
}

/** The application around the gateway, as the text says it is. */
class Stage implements AsyncDisposable {
  readonly #broadcaster = new MemoryBroadcaster({ presenceGraceMs: 0 });
  readonly #pings: boolean;
  readonly #listener: Listener;
  #gateway: BroadcastGateway;
  #listening: Listening | undefined;
  #player: Player | undefined;
  readonly #epochs = new Epochs();
  /** What makes those who entered leave. */
  readonly #present = new Map<string, () => void>();

  constructor(listener: Listener, pings: boolean) {
    this.#listener = listener;
    this.#pings = pings;
    this.#broadcaster.authorize("private-broken", () => {
      throw new Error("broken");
    });
    // Asked again when its permission expires, the rule says no.
    const hours = [{ authorized: true, expiresAt: Date.now() + 200 }];
    this.#broadcaster.authorize("private-hour", () => hours.pop() ?? false);
    this.#broadcaster.authorize(
      "presence-room",
      () => ({ authorized: true, presence: { id: "ada", name: "Ada" } }),
    );
    this.#gateway = this.#openGateway();
  }

  async connect(query = ""): Promise<void> {
    this.#listening ??= await this.#listener.listen(this.#gateway);
    const url = `ws://127.0.0.1:${this.#listening.port}/_broadcast`;
    this.#player = new Player(query === "" ? url : `${url}?${query}`);
  }

  async play({ who, text }: Line): Promise<void> {
    if (who === "C") return this.#client.send(this.#epochs.translate(text));
    if (who === "S") {
      const heard = await this.#client.next() ?? "";
      assertEquals(withoutServerIds(heard), withoutServerIds(this.#epochs.expect(text, heard)));
      return;
    }
    const [action, ...args] = readAction(text);
    switch (action) {
      case "the client connects":
        if (args[1] !== undefined) this.#gateway = this.#openGateway({ resolveToken });
        return await this.connect(args[0]);
      case "enters": {
        const [id = "", channel = ""] = args;
        const leave = this.#broadcaster.watchPresence(channel, UNTOLD, { id });
        this.#present.set(id, leave);
        return;
      }
      case "leaves":
        this.#present.get(args[0] ?? "")?.();
        return;
      case "the gateway drains":
        this.#gateway.drain();
        return;
      case "the client says nothing":
        return;
      case "the application publishes": {
        const [event = "", channel = "", json = ""] = args;
        await this.#broadcaster.publish(channel, { event, data: JSON.parse(json) });
        return;
      }
      case "the client closes the connection":
        return await this.#client.close(Number(args[0]), args[1] ?? "");
      case "the gateway closes the connection": {
        const [code, reason] = args;
        const isClosing = code === "1001";
        if (isClosing) await this.#gateway.close();
        assertEquals(await this.#client.closed, `${code} ${reason}`);
        if (isClosing) {
          await this.#listening?.shutdown();
          this.#listening = undefined;
          this.#gateway = this.#openGateway();
        }
        return;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway.close();
    await this.#player?.closed;
    assertEquals(await this.#player?.next(), undefined, "the gateway said more than the text");
    await this.#listening?.shutdown();
    await this.#broadcaster.close();
  }

  get #client(): Player {
    assertExists(this.#player);
    return this.#player;
  }

  #openGateway(options: Partial<BroadcastGatewayOptions> = {}): BroadcastGateway {
    return new BroadcastGateway({
      ...options,
      broadcaster: this.#broadcaster,
      allowClientPublish: ({ channel }) => channel === "chat.1",
      ...(this.#pings ? { pingIntervalMs: 250, pongTimeoutMs: 250 } : {}),
    });
  }
}

/** An action and what it says beside that. */
function readAction(text: string): string[] {
  const closes = /^(the (?:client|gateway) closes the connection): (\d{4}) (.+)$/.exec(text);
  const publishes = /^(the application publishes) "([^"]+)" on "([^"]+)": (.+)$/.exec(text);
  const connects =
    /^(the client connects)(?: with (v=2))?( to an application that asks for tokens)?$/.exec(text);
  const presence = /^"([^"]+)" (enters|leaves) "([^"]+)"$/.exec(text);
  if (presence !== null) return [presence[2] ?? "", presence[1] ?? "", presence[3] ?? ""];
  if (text === "the gateway drains" || text === "the client says nothing") return [text];
  const [, ...words] = closes ?? publishes ?? connects ?? [];
  assert(words.length > 0, `nobody knows how to play "${text}"`);
  return words;
}

Deno.test("PROTOCOL.md has its numbered example sessions", () => {
  assertEquals(blocks("session").map(({ heading }) => heading), [
    "1. First subscription",
    "2. Denied",
    "3. Publish",
    "4. Reconnect",
    "5. Ping",
    "6. What is ignored",
    "8. Positions",
    "9. Resume",
    "10. Lost",
    "11. Publish, once",
    "12. Batches and what is ignored",
    "13. Ended by the server",
    "14. Drained",
    "15. Who is present",
    "16. Tokens",
  ]);
});

/** What does not come is a test that fails, not one that hangs. */
const timeout = 20_000;

for (const { heading, lines } of blocks("session")) {
  testOnEach(
    `the gateway plays session ${heading} byte for byte`,
    { timeout },
    async (listener) => {
      await using stage = new Stage(listener, lines.includes('S {"t":"ping"}'));
      for (const line of lines) await stage.play(readLine(line));
    },
  );
}

Deno.test("the bytes on the wire in PROTOCOL.md are the frames they stand under", () => {
  const [block] = blocks("bytes");
  assertExists(block);
  assertEquals(block.lines.length, 4);
  for (let i = 0; i < block.lines.length; i += 2) {
    const { who, text } = readLine(block.lines[i] ?? "");
    const bytes = (block.lines[i + 1] ?? "").trim().split(" ").map((hex) => parseInt(hex, 16));
    const [start, length = 0] = bytes;
    assertEquals(start, 0x81);
    const isMasked = length >= 0x80;
    assertEquals(isMasked, who === "C");
    const mask = isMasked ? bytes.slice(2, 6) : [0, 0, 0, 0];
    const payload = bytes.slice(isMasked ? 6 : 2).map((byte, j) => byte ^ (mask[j % 4] ?? 0));
    assertEquals(payload.length, length & 0x7f);
    assertEquals(new TextDecoder().decode(new Uint8Array(payload)), text);
  }
});

Deno.test("PROTOCOL.md has every reason and close code, with its code and verdict", () => {
  const rows = PROTOCOL.split("\n").filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim().replaceAll("`", "")));
  for (const [reason, { k, w }] of Object.entries(REASONS)) {
    assert(rows.some((row) => row[0] === k && row[1] === reason && row[2] === w), reason);
  }
  for (const { code, reason } of Object.values(CLOSE)) {
    const row = rows.find((row) => row[0] === String(code) && row[1] === reason);
    // Who closes because the application said so does not come back by itself.
    const verdict = code === CLOSE.clientLeft.code ? "" : closeVerdict(code);
    assertEquals(row?.at(-1), verdict, `${code} ${reason}`);
  }
});
