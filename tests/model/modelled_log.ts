import type { Position } from "@airwave/broadcast";
import type { WirePosition } from "@airwave/broadcast/protocol";
import { assert, assertEquals } from "@std/assert";

/** What was published, by the word of the server that stored it. */
export class ModelledLog {
  readonly #historySize: number;
  readonly #channels = new Map<string, { epoch: string; ids: Map<number, string> }>();
  readonly #started = new Map<string, number>();
  /** Positions that a client was told of before the publisher was. */
  readonly #unproven: { channel: string; at: WirePosition; id: string }[] = [];

  constructor(historySize: number) {
    this.#historySize = historySize;
  }

  epoch(channel: string): string | undefined {
    return this.#channels.get(channel)?.epoch;
  }

  top(channel: string): number {
    return this.#channels.get(channel)?.ids.size ?? 0;
  }

  /** An event that was never published before is on its way: the server may have it already. */
  publishing(channel: string): void {
    this.#started.set(channel, (this.#started.get(channel) ?? 0) + 1);
  }

  /** A publish was acknowledged. One of an id that is known must be told the same again. */
  published(channel: string, id: string, position: Position): void {
    const { epoch, offset } = position;
    const log = this.#channels.get(channel) ?? { epoch, ids: new Map<number, string>() };
    this.#channels.set(channel, log);
    assertEquals(epoch, log.epoch, "the epoch, as the backend keeps its history");
    assertEquals(log.ids.get(offset) ?? id, id, "two events at one place");
    log.ids.set(offset, id);
  }

  /** A client was handed an event. */
  assertIs(channel: string, at: WirePosition, id: string): void {
    this.#unproven.push({ channel, at, id });
  }

  /** `lost` must be true: more is missing than history keeps. */
  assertLost(channel: string, asked: WirePosition): void {
    assertEquals(asked.e, this.epoch(channel) ?? asked.e, "the epoch of a client's position");
    const missed = (this.#started.get(channel) ?? 0) - asked.o;
    assert(missed > this.#historySize, `lost, with ${missed} missed on "${channel}"`);
  }

  /** Every event that a client was handed is what was published there, and offsets have no hole. */
  assertProven(): void {
    for (const { channel, at, id } of this.#unproven) {
      assertEquals(at.e, this.epoch(channel));
      assertEquals(id, this.#channels.get(channel)?.ids.get(at.o), `event ${at.o} of "${channel}"`);
    }
    for (const [channel, { ids }] of this.#channels) {
      const offsets = [...ids.keys()].sort((a, b) => a - b);
      assertEquals(offsets, offsets.map((_, i) => i + 1), `offsets of "${channel}"`);
      assertEquals(new Set(ids.values()).size, ids.size, `an id twice on "${channel}"`);
    }
  }
}
