import type { BroadcastClientEvents } from "./events.ts";
import { Listeners } from "./listeners.ts";
import { reportOnPage } from "./page.ts";

/** What is told to those who hold a channel, beside its events. */
export type ChannelChange = "subscribed" | "recovered" | "lost" | "join" | "leave";

/**
 * Tells the application what happened once it has happened: while something changes, announcements
 * wait, so that a listener finds a client at rest and may connect, disconnect or publish at will.
 */
export class Announcer {
  /** Those who listen to the client. */
  readonly listeners: Listeners = new Listeners(this);
  /** What is to be done and told by the change that is under way, if one is. */
  #steps: (() => void)[] | undefined;

  /** Makes a change, then tells what it announced, in order, and what listeners set off by that. */
  change(run: () => void): void {
    if (this.#steps) return run();
    this.#steps = [run];
    try {
      // One that is added meanwhile is walked over, too.
      for (const step of this.#steps) step();
    } finally {
      this.#steps = undefined;
    }
  }

  /** Announces something about the client. */
  tell<Name extends keyof BroadcastClientEvents>(
    what: Name,
    info: BroadcastClientEvents[Name],
  ): void;
  /** Announces what happened to a channel to those who hold it, too. */
  tell(what: ChannelChange, info: unknown, holds: Iterable<Listeners>): void;
  tell(what: string, info: unknown, holds: Iterable<Listeners> = []): void {
    this.change(() =>
      this.#steps?.push(() => {
        const isHeard = this.listeners.call(what, info);
        if (info instanceof Error && !isHeard) reportOnPage(info);
        for (const listeners of holds) listeners.call("\0" + what, info);
      })
    );
  }
}
