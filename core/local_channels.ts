import { isChannelName } from "../protocol/names.ts";
import type { BroadcastDriver } from "./driver.ts";
import type { ErrorReporter } from "./hooks.ts";
import type { Attachment, ChannelListener } from "./listener.ts";
import { LocalChannel } from "./local_channel.ts";
import type { Position } from "./position.ts";
import { RecentEvents, RecentEventsLimit } from "./recent_events.ts";
import type { Gate } from "./sequencer.ts";

/** The channels that somebody on this node listens to, each for as long as that is so. */
export class LocalChannels {
  readonly #driver: BroadcastDriver;
  readonly #reporter: ErrorReporter;
  readonly #gate: Gate;
  readonly #channels = new Map<string, LocalChannel>();
  readonly #recent = new RecentEventsLimit();

  /** `gate` is for the channels of the application: the core's own say who must not hear those. */
  constructor(driver: BroadcastDriver, reporter: ErrorReporter, gate: Gate) {
    this.#driver = driver;
    this.#reporter = reporter;
    this.#gate = gate;
  }

  /** Adds a listener to a channel, see {@linkcode LocalChannel.attach}. */
  attach(name: string, listener: ChannelListener, after?: Position | undefined): Attachment {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = this.#create(name);
      this.#channels.set(name, channel);
    }
    return channel.attach(listener, after);
  }

  /** Ends every listener. */
  close(): void {
    for (const channel of [...this.#channels.values()]) channel.close();
    this.#channels.clear();
  }

  #create(name: string): LocalChannel {
    return new LocalChannel(
      name,
      this.#driver,
      this.#reporter,
      new RecentEvents(this.#recent, this.#driver.abilities.localHistory ?? false),
      isChannelName(name) ? this.#gate : undefined,
      () => this.#channels.delete(name),
    );
  }
}
