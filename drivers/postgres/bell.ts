import { Deadlines } from "../../core/deadline.ts";
import { Alarm } from "./alarm.ts";
import { OwnClient, template } from "./client.ts";
import type { Store } from "./store.ts";

/** How long the bell may be silent before this node rings it to hear whether it still works. */
const SILENCE_MS = 5_000;
/** How long to wait before LISTEN is tried again. */
const RETRY_MS = 500;
/** How long not to ring again while more is being published: every ring wakes every node. */
const REST_MS = 10;

/** How long the ring before the end may take. */
const LAST_RING_MS = 1_000;

/** What a bell is made from. */
export interface BellOptions {
  /** Where the connection that listens leads: a URL, or the options of the application's client. */
  readonly server: string | object;
  readonly name: string;
  readonly timeoutMs: number;
  /** Hears of every ring, and when LISTEN begins. */
  readonly onRing: () => void;
  /** Hears once that LISTEN was taken and no ring has ever come, not even this node's own. */
  readonly onDeaf: () => void;
  /** Tells whether this node is about to have stored more. */
  readonly isPublishing: () => boolean;
}

/** `silent`: nothing was heard since this node began to wait. `ended`: LISTEN has to be said again. */
type Line = "silent" | "heard" | "ended" | "closed";

/**
 * NOTIFY without payload: it says that there is something to read, never what. It only makes reading
 * start sooner; whoever hears nothing reads at the next poll. It is rung after the commit, in a
 * statement of its own, as a NOTIFY inside a transaction makes all commits wait for one another.
 */
export class Bell {
  readonly #store: Store;
  readonly #options: BellOptions;
  readonly #deadlines = new Deadlines();
  readonly #alarm = new Alarm();
  readonly #pause = new Alarm();
  readonly #rest = new Alarm();
  #ringing: "idle" | "busy" | "again" = "idle";
  #line: Line = "silent";
  #listening: Promise<void> | undefined;

  constructor(store: Store, options: BellOptions) {
    this.#store = store;
    this.#options = options;
  }

  open(): void {
    this.#listening = this.#listen();
  }

  /**
   * Rings once for everything that was stored since the ring before: at once, unless it has just rung
   * and this node goes on publishing.
   */
  async ring(): Promise<void> {
    if (this.#ringing !== "idle") {
      this.#ringing = "again";
      return;
    }
    do {
      this.#ringing = "busy";
      // Once more on a new connection, if it was only that. Otherwise nobody misses more than a poll's
      // time, and who publishes hears of the outage.
      await this.#store.ring().catch(() => this.#store.ring()).catch(() => {});
      if (this.#options.isPublishing()) await this.#rest.wait(REST_MS);
    } while (this.#wantsAgain());
    this.#ringing = "idle";
  }

  /** Rings for what is still due, or others would hear of it at their next poll. */
  async finish(): Promise<void> {
    if (this.#ringing !== "again") return;
    this.#ringing = "busy";
    // A server that is stuck is not waited for.
    await this.#deadlines.race(this.#store.ring(), LAST_RING_MS).catch(() => {});
  }

  async close(): Promise<void> {
    this.#line = "closed";
    this.#alarm.ring();
    this.#pause.ring();
    this.#rest.ring();
    this.#deadlines.close();
    await this.#listening;
  }

  #wantsAgain(): boolean {
    return this.#ringing === "again" && !this.#isClosed();
  }

  async #listen(): Promise<void> {
    const { server, name, timeoutMs, onRing } = this.#options;
    const listen = template([`listen "${name}"`]);
    const ask = template(["select"]);
    let hasHeard = false;
    while (!this.#isClosed()) {
      const client = new OwnClient(server, {
        max: 1,
        prepare: false,
        connectTimeoutMs: timeoutMs,
        onnotify: () => {
          this.#set("heard");
          onRing();
        },
        onclose: () => this.#set("ended"),
      });
      try {
        await this.#deadlines.race(client.sql(listen), timeoutMs);
        onRing();
        while (await this.#hears(() => client.sql(ask))) hasHeard = true;
        if (!hasHeard && this.#is("silent")) {
          hasHeard = true;
          this.#options.onDeaf();
        }
      } catch {
        // Polling goes on; whether the backplane is up, its own statements say.
      }
      await client.discard();
      if (!this.#isClosed()) await this.#pause.wait(RETRY_MS);
    }
  }

  /**
   * Waits for a ring, and when there is none for long, rings itself to hear whether it comes back. A
   * server sends what it was told to notify of before it answers what it is asked afterwards, so the
   * answer to `ask`, on the connection that listens, ends the wait: then nothing is on its way. Where
   * the ring or the question fails there is no answer to that, and it rejects.
   */
  async #hears(ask: () => Promise<unknown>): Promise<boolean> {
    this.#set("silent");
    await this.#alarm.wait(SILENCE_MS);
    if (this.#is("silent")) {
      const { timeoutMs } = this.#options;
      await this.#deadlines.race(this.#store.ring(), timeoutMs);
      await this.#deadlines.race(ask(), timeoutMs);
    }
    return this.#is("heard");
  }

  #set(line: Exclude<Line, "closed">): void {
    if (this.#isClosed()) return;
    this.#line = line;
    if (line === "silent") this.#alarm.clear();
    else this.#alarm.ring();
  }

  #is(line: Line): boolean {
    return this.#line === line;
  }

  #isClosed(): boolean {
    return this.#is("closed");
  }
}
