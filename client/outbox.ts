import { utf8ByteLength } from "../protocol/bytes.ts";
import { encodeFrame } from "../protocol/codec.ts";
import { EVENT_NAME_RULE, isEventName } from "../protocol/names.ts";
import { invalidArgument } from "./errors.ts";
import type { ClientSettings } from "./options.ts";

/** Encodes publishes, and keeps those for which there is no connection yet. */
export class Outbox {
  readonly #settings: ClientSettings;
  readonly #waiting: string[] = [];

  constructor(settings: ClientSettings) {
    this.#settings = settings;
  }

  /**
   * The frame of a publish.
   *
   * @throws {BroadcastClientError} Where it can never be sent.
   */
  encode(channel: string, event: string, data: unknown): string {
    const action = `publish on "${channel}"`;
    if (!isEventName(event)) throw invalidArgument(action, EVENT_NAME_RULE, event);
    let text: string;
    try {
      text = encodeFrame({ t: "pub", c: channel, e: event, d: data ?? null });
    } catch (cause) {
      throw invalidArgument(action, "data must be a JSON value", data, cause);
    }
    const bytes = utf8ByteLength(text);
    const { maxFrameBytes } = this.#settings;
    if (bytes > maxFrameBytes) {
      throw invalidArgument(action, `a publish is at most ${maxFrameBytes} bytes`, bytes);
    }
    return text;
  }

  /** Keeps a frame for the next connection; false if the outbox is full. */
  keep(text: string): boolean {
    if (this.#waiting.length >= this.#settings.outboxLimit) return false;
    this.#waiting.push(text);
    return true;
  }

  /** Everything that waited, in order. */
  takeAll(): string[] {
    return this.#waiting.splice(0);
  }
}
