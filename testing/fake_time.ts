interface Timer {
  readonly id: number;
  readonly callback: () => void;
  readonly intervalMs: number | undefined;
  dueMs: number;
}

/** Above every id of the platform's own timers, and still one that it could have. */
const FIRST_ID = 1_000_000_000;

/** What `setTimeout` returns on Node and Bun; elsewhere it returns a number. */
class TimerHandle {
  readonly id: number;
  readonly #start: () => void;

  constructor(id: number, start: () => void) {
    this.id = id;
    this.#start = start;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  refresh(): this {
    this.#start();
    return this;
  }

  [Symbol.toPrimitive](): number {
    return this.id;
  }
}

/**
 * Replaces the platform's timers, `Date.now` and `performance.now` until it is disposed, so that a
 * test decides what time it is. Timers fire in the order they are due, those due together in the order they were set.
 *
 * @example
 * ```ts
 * import { FakeTime } from "@airwave/broadcast/testing";
 * import { assertEquals } from "@std/assert";
 *
 * using time = new FakeTime();
 * let rang = 0;
 * setTimeout(() => rang++, 30_000);
 * await time.tick(29_999);
 * assertEquals(rang, 0);
 * await time.tick(1);
 * assertEquals(rang, 1);
 * assertEquals(time.pendingTimers, 0);
 * ```
 */
export class FakeTime implements Disposable {
  readonly #timers = new Map<number, Timer>();
  readonly #restore: (() => void)[] = [];
  /** The platform's timers are objects. */
  readonly #hasHandles: boolean;
  #nowMs: number;
  #lastId = FIRST_ID;

  /** Takes over at a given time, 2026-01-01 unless told. */
  constructor(nowMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = nowMs;
    const own = setTimeout(() => {});
    clearTimeout(own);
    this.#hasHandles = typeof own !== "number";
    const { clearTimeout: clearOwn } = globalThis;
    const clear = (timer?: number | TimerHandle) => {
      const id = timer instanceof TimerHandle ? timer.id : timer;
      if (typeof id === "number" && id > FIRST_ID) this.#timers.delete(id);
      // One that was set before.
      else if (timer !== undefined && !(timer instanceof TimerHandle)) clearOwn(timer);
    };
    this.#replace(globalThis, "setTimeout", this.#set(false));
    this.#replace(globalThis, "setInterval", this.#set(true));
    this.#replace(globalThis, "clearTimeout", clear);
    this.#replace(globalThis, "clearInterval", clear);
    this.#replace(Date, "now", () => this.#nowMs);
    this.#replace(performance, "now", () => this.#nowMs);
  }

  /** What `Date.now()` returns. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Timers that are set and have not fired. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /**
   * Lets time pass. Promises that a timer settles are worked off before the next one fires, and
   * before this resolves.
   */
  async tick(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      if (next.intervalMs === undefined) this.#timers.delete(next.id);
      else next.dueMs += Math.max(1, next.intervalMs);
      next.callback();
      await settle();
    }
    this.#nowMs = untilMs;
  }

  /** Moves the clock without firing a timer, as a laptop's sleep does. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }

  /** Gives the platform's own timers back. */
  [Symbol.dispose](): void {
    for (const restore of this.#restore.splice(0)) restore();
    this.#timers.clear();
  }

  #next(untilMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers.values()) {
      if (timer.dueMs <= untilMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }

  #set(repeats: boolean) {
    return (
      callback: (...args: unknown[]) => void,
      ms = 0,
      ...args: unknown[]
    ): number | TimerHandle => {
      const id = ++this.#lastId;
      const start = () => {
        this.#timers.set(id, {
          id,
          callback: () => callback(...args),
          intervalMs: repeats ? ms : undefined,
          dueMs: this.#nowMs + ms,
        });
      };
      start();
      return this.#hasHandles ? new TimerHandle(id, start) : id;
    };
  }

  #replace(owner: object, name: string, value: unknown): void {
    const original = Object.getOwnPropertyDescriptor(owner, name);
    Object.defineProperty(owner, name, { value, configurable: true, writable: true });
    this.#restore.push(() => {
      // In a worker of a browser the platform's own is inherited.
      if (original === undefined) Reflect.deleteProperty(owner, name);
      else Object.defineProperty(owner, name, original);
    });
  }
}

/**
 * Works off promises that are due, and those that they set off: enough turns for every chain of
 * this library, whose longest is a dozen. Then what waits for the end of the event loop's turn.
 *
 * @example
 * ```ts
 * import { MemoryBroadcaster } from "@airwave/broadcast";
 * import { settle } from "@airwave/broadcast/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using broadcaster = new MemoryBroadcaster();
 * await using news = broadcaster.subscribe("news");
 * const heard: unknown[] = [];
 * news.next().then(({ value }) => heard.push(value?.data));
 * await settle();
 * await broadcaster.publish("news", { event: "headline", data: "Heard" });
 * await settle();
 * assertEquals(heard, ["Heard"]);
 * ```
 */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await undefined;
  await new Promise<void>((resolve) => {
    if ("setImmediate" in globalThis) return setImmediate(resolve);
    // Browsers have none; a message is what they deliver in a turn of its own, at once.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
