import type { GatewaySocket, SocketEvents } from "@airwave/broadcast";
import {
  encodeFrame,
  type OkFrame,
  parseServerMessage,
  type ServerFrame,
  type SubFrame,
} from "@airwave/broadcast/protocol";
import { assert, assertEquals } from "@std/assert";
import type { ModelledLog } from "./modelled_log.ts";

/** A gateway, as far as a client needs one. */
export interface Door {
  connect(socket: GatewaySocket, request: Request): SocketEvents;
}

interface Held {
  epoch: string | undefined;
  offset: number;
  /** Number of the request that is not answered yet. */
  asked: SubFrame | undefined;
  /** Missed events that were promised and have not come yet. */
  missing: number;
}

/** What a client gave up to be told of, until the server has said that it knows. */
type Left = Map<number, string>;

/**
 * A client of revision 2 in a few lines, which checks every frame against the log of what was
 * published: each offset once, one after the other, and no `lost` that is not true.
 */
export class ModelledClient {
  readonly #log: ModelledLog;
  readonly #onFailure: (failure: unknown) => void;
  readonly #held = new Map<string, Held>();
  readonly #left: Left = new Map();
  #events: SocketEvents | undefined;
  /** Tells frames of the current connection from those of one that is over. */
  #connection = 0;
  #requests = 0;

  /** `onFailure` hears of what broke a rule: a throw would end in the gateway, as a broken socket. */
  constructor(log: ModelledLog, onFailure: (failure: unknown) => void) {
    this.#log = log;
    this.#onFailure = onFailure;
  }

  get isConnected(): boolean {
    return this.#events !== undefined;
  }

  /** Whether it has, on every channel that it holds, all that was published. */
  get isCaughtUp(): boolean {
    return this.isConnected && this.#left.size === 0 &&
      [...this.#held].every(([channel, { asked, missing, epoch, offset }]) =>
        asked === undefined && missing === 0 && epoch === this.#log.epoch(channel) &&
        offset === this.#log.top(channel)
      );
  }

  connect(door: Door): void {
    if (this.isConnected) return;
    const connection = ++this.#connection;
    const hear = (text: string) => {
      if (connection !== this.#connection) return;
      try {
        for (const parsed of parseServerMessage(text, 2)) {
          assert(parsed.kind === "frame", text);
          this.#hear(parsed.frame);
        }
      } catch (failure) {
        this.#onFailure(failure);
      }
    };
    const events = door.connect(
      {
        bufferedAmount: 0,
        send: hear,
        close: () => {
          if (connection === this.#connection) this.#forget();
          events.closed(1006, "");
        },
      },
      new Request("http://model.example/_broadcast?v=2"),
    );
    this.#events = events;
    for (const channel of this.#held.keys()) this.#ask(channel);
  }

  /** The connection breaks. The gateway learns of it now, or from whoever calls what is returned. */
  cut(): () => void {
    const events = this.#events;
    this.#forget();
    return () => events?.closed(1006, "");
  }

  subscribe(channel: string): void {
    if (this.#held.has(channel)) return;
    this.#held.set(channel, { epoch: undefined, offset: 0, asked: undefined, missing: 0 });
    if (this.isConnected) this.#ask(channel);
  }

  unsubscribe(channel: string): void {
    if (!this.#held.delete(channel) || !this.isConnected) return;
    const n = ++this.#requests;
    this.#left.set(n, channel);
    this.#events?.message(encodeFrame({ t: "unsub", c: channel, n }));
  }

  #forget(): void {
    this.#connection++;
    this.#events = undefined;
    this.#left.clear();
    for (const held of this.#held.values()) {
      held.asked = undefined;
      held.missing = 0;
    }
  }

  #ask(channel: string): void {
    const held = this.#held.get(channel);
    if (held === undefined) return;
    const { epoch: e, offset: o } = held;
    held.asked = {
      t: "sub",
      c: channel,
      n: ++this.#requests,
      ...(e === undefined ? {} : { p: { e, o } }),
    };
    held.missing = 0;
    this.#events?.message(encodeFrame(held.asked));
  }

  #hear(frame: ServerFrame): void {
    switch (frame.t) {
      case "welcome":
      case "ping":
      case "bye":
        return;
      case "ok":
        return this.#onOk(frame);
      case "msg":
        assertEquals(frame.d, frame.i);
        return this.#onEvent(frame.c, frame.o, frame.i);
      case "gone": {
        const held = this.#held.get(frame.c);
        // One that crossed with a later request says nothing about that.
        if (held !== undefined && held.asked === undefined) this.#ask(frame.c);
        return;
      }
      default:
        throw new Error(`Nobody expected ${JSON.stringify(frame)}`);
    }
  }

  #onOk(ok: OkFrame): void {
    if (ok.n !== undefined && this.#left.delete(ok.n)) return;
    const held = this.#held.get(ok.c);
    const { p } = ok;
    // A late answer to a request that was called off.
    if (held?.asked === undefined || ok.n !== held.asked.n) return;
    assert(p !== undefined, "a position");
    const { p: asked } = held.asked;
    held.asked = undefined;
    if (ok.r === "ok") {
      assert(asked !== undefined && ok.m !== undefined, "resumed without asking");
      assertEquals(p, { e: asked.e, o: asked.o + ok.m });
      held.missing = ok.m;
      return;
    }
    assertEquals([ok.r, ok.m], [asked === undefined ? "none" : "lost", undefined]);
    if (asked !== undefined) this.#log.assertLost(ok.c, asked);
    held.epoch = p.e;
    held.offset = p.o;
  }

  #onEvent(channel: string, offset: number | undefined, id: string): void {
    const held = this.#held.get(channel);
    if (held === undefined || held.asked !== undefined) {
      // What crossed with an unsub, or is of the subscription before the one that was asked for.
      const isExpected = [...this.#left.values()].includes(channel) || held !== undefined;
      assert(isExpected, `an event on "${channel}", which nobody holds`);
      return;
    }
    assertEquals(offset, held.offset + 1, `the next offset on "${channel}"`);
    this.#log.assertIs(channel, { e: held.epoch ?? "", o: offset ?? 0 }, id);
    held.offset++;
    if (held.missing > 0) held.missing--;
  }
}
