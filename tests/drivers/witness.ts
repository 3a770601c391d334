import type { ChannelEvent, DriverBroadcaster, Position } from "../../core/mod.ts";
import type { Attachment, SubscriptionStart } from "../../core/listener.ts";
import { deadline } from "@std/async";

/** Also a busy machine is through by then; what needs longer has stopped. */
const PATIENCE_MS = 60_000;

/** One event as a subscriber saw it. */
export interface Sighting {
  readonly id: string;
  readonly position: Position | undefined;
}

/** A subscriber that writes down all that it hears of some channels on one node. */
export class Witness {
  /** What it saw, by channel. */
  readonly seen = new Map<string, Sighting[]>();
  /** Channels on which something was told to be lost, each time it was. */
  readonly lost: string[] = [];
  readonly #attachments: Attachment[] = [];
  /** Looked at after everything that it hears. */
  readonly #waiting = new Set<() => void>();

  /** Subscribes to all channels; resolves when all are live. */
  static async on(node: DriverBroadcaster, channels: readonly string[]): Promise<Witness> {
    const witness = new Witness();
    const starts = channels.map((channel) => witness.#listen(node, channel));
    await deadline(Promise.all(starts), PATIENCE_MS);
    return witness;
  }

  /** How many events it has seen, over all channels. */
  get count(): number {
    return [...this.seen.values()].reduce((total, events) => total + events.length, 0);
  }

  /** All ids that it has seen on a channel, in order. */
  idsOn(channel: string): string[] {
    return (this.seen.get(channel) ?? []).map(({ id }) => id);
  }

  /** Waits until something holds of what it has seen. */
  async until(what: string, holds: (witness: this) => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => {
      if (holds(this)) resolve();
    };
    this.#waiting.add(look);
    look();
    try {
      await deadline(promise, PATIENCE_MS);
    } catch (cause) {
      throw new Error(`Waited for ${what}; saw ${this.count} events`, { cause });
    } finally {
      this.#waiting.delete(look);
    }
  }

  /** Ends its subscriptions. */
  leave(): void {
    for (const attachment of this.#attachments) attachment.detach();
  }

  #listen(node: DriverBroadcaster, channel: string): Promise<SubscriptionStart> {
    const events: Sighting[] = [];
    this.seen.set(channel, events);
    return new Promise((resolve, reject) => {
      this.#attachments.push(
        node.listen(channel, {
          live: resolve,
          event: ({ id, position }: ChannelEvent) => {
            events.push({ id, position });
            this.#look();
          },
          lost: () => {
            this.lost.push(channel);
            this.#look();
          },
          ended: (error) => reject(error ?? new Error("The node was closed")),
        }),
      );
    });
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }
}
