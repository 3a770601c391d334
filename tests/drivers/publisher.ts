import { deadline, delay } from "@std/async";
import { BroadcastPublishError, type DriverBroadcaster } from "../../core/mod.ts";

/** How long an application waits after a failure before it publishes the next event. */
const PAUSE_MS = 20;

/** Also a busy machine has published by then; what needs longer has stopped. */
const PATIENCE_MS = 60_000;

/** How many publishes of one publisher are under way at once. */
const CONCURRENCY = 8;

/** An application that publishes on and on, and writes down what became of it. */
export class Publisher {
  /** Ids of the publishes that resolved, by channel. */
  readonly resolved = new Map<string, string[]>();
  /** What the others rejected with. */
  readonly failures: unknown[] = [];
  readonly #node: DriverBroadcaster;
  readonly #channels: readonly string[];
  readonly #name: string;
  readonly #waiting = new Set<() => void>();
  readonly #done: Promise<unknown>;
  #state: "publishing" | "stopping" = "publishing";
  #begun = 0;
  #resolved = 0;

  /** Begins at once; ends after `total` publishes or with {@linkcode Publisher.stop}. */
  constructor(
    node: DriverBroadcaster,
    name: string,
    channels: readonly string[],
    total: number = Infinity,
  ) {
    this.#node = node;
    this.#name = name;
    this.#channels = channels;
    for (const channel of channels) this.resolved.set(channel, []);
    this.#done = Promise.all(Array.from({ length: CONCURRENCY }, () => this.#publish(total)));
  }

  /** How many have resolved so far. */
  get resolvedCount(): number {
    return this.#resolved;
  }

  /** Resolves when this many more have resolved than now. */
  async more(count: number): Promise<void> {
    const goal = this.#resolved + count;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => {
      if (this.#resolved >= goal) resolve();
    };
    this.#waiting.add(look);
    try {
      await deadline(promise, PATIENCE_MS);
    } catch (cause) {
      const failure = this.failures.at(-1) ?? cause;
      throw new Error(`Waited for publishes to resolve; ${this.#resolved} have`, {
        cause: failure,
      });
    } finally {
      this.#waiting.delete(look);
    }
  }

  /** Begins no more; resolves when each has resolved or rejected. */
  async stop(): Promise<void> {
    this.#state = "stopping";
    await this.#done;
  }

  /** Resolves when all have resolved or rejected. */
  async finished(): Promise<void> {
    await this.#done;
  }

  async #publish(total: number): Promise<void> {
    while (this.#state === "publishing" && this.#begun < total) {
      const number = this.#begun++;
      const id = `${this.#name}-${number}`;
      const channel = this.#channels[number % this.#channels.length] ?? "";
      try {
        await this.#node.publish(channel, { event: "n", data: number, id });
        this.resolved.get(channel)?.push(id);
        this.#resolved++;
        for (const look of this.#waiting) look();
      } catch (error) {
        this.failures.push(error);
        if (!(error instanceof BroadcastPublishError)) return;
        await delay(PAUSE_MS);
      }
    }
  }
}
