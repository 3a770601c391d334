import { monotonicUlid } from "@std/ulid";
import type { BroadcastDriver } from "./driver.ts";
import {
  type AnyBroadcastError,
  BroadcastConfigError,
  BroadcastHookError,
  BroadcastPublishError,
  BroadcastSubscribeError,
} from "./errors.ts";
import type { ChannelEvent } from "./event.ts";
import type { BackplaneState } from "./health.ts";
import { callSafely, type ErrorReporter } from "./hooks.ts";
import type { LeaseStore } from "./leases.ts";
import type { Attachment, ChannelListener } from "./listener.ts";
import { Loader, type LoaderHost } from "./loader.ts";
import {
  type ControlOrder,
  encodeOrder,
  type OrderOptions,
  parseOrder,
  readOrderOptions,
} from "./orders.ts";
import { OrdersInForce } from "./orders_in_force.ts";
import { explainBy } from "./reason.ts";

/** Where orders are announced and listed; no client can name it. */
export const CONTROL_TOPIC = "!control";

/** Hears of orders. A throw is reported. */
export type ControlListener = (order: ControlOrder) => void;

/** A gateway's ear for orders. */
export interface ControlWatch {
  /**
   * Whether every order in force is known here. While it is not, for the backplane is out of reach or
   * was a moment ago, nobody who could be revoked may be let in.
   */
  readonly isCurrent: boolean;
  /**
   * Resolves when every order in force is known here, not while the backplane is out of reach; or when
   * the wait is called off.
   */
  whenCurrent(signal?: AbortSignal): Promise<void>;
  /** Whether an order in force keeps a user off a channel. */
  isRevoked(user: string, channel: string): boolean;
  /** Whether an order in force keeps a user out altogether. */
  isDisconnected(user: string): boolean;
  /** Ends it. */
  close(): void;
}

/** An order as it is listed, and how long it is still in force. */
interface StoredOrder {
  readonly id: string;
  readonly value: string;
  readonly forMs: number;
}

/**
 * Carries out on every node what one was told: to disconnect somebody, or to revoke what she may hear.
 * An order is stored for as long as it is remembered and announced to the nodes that live; a node
 * that was away loads what it missed, and until then knows that it does not know.
 */
export class Control implements ChannelListener, LoaderHost<readonly StoredOrder[]> {
  readonly #driver: BroadcastDriver;
  readonly #reporter: ErrorReporter;
  readonly #listen: (listener: ChannelListener) => Attachment;
  readonly #listeners = new Set<ControlListener>();
  readonly #orders = new OrdersInForce();
  readonly #loader = new Loader<readonly StoredOrder[]>(this);
  #backplane: BackplaneState;
  #state: "idle" | "loading" | "current" = "idle";
  /** What makes those look again who wait until every order in force is known. */
  readonly #waiting = new Set<() => void>();
  #attachment: Attachment | undefined;

  constructor(
    driver: BroadcastDriver,
    reporter: ErrorReporter,
    listen: (listener: ChannelListener) => Attachment,
    backplane: BackplaneState,
  ) {
    this.#driver = driver;
    this.#reporter = reporter;
    this.#listen = listen;
    this.#backplane = backplane;
  }

  /** Whether every order in force is known here. Where no gateway listens nobody has to know. */
  get isCurrent(): boolean {
    if (this.#driver.leases === undefined || this.#listeners.size === 0) return true;
    return this.#state === "current";
  }

  /** Resolves when every order in force is known here, or the wait is called off. */
  async whenCurrent(signal?: AbortSignal): Promise<void> {
    while (!this.isCurrent && signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        signal?.addEventListener("abort", () => {
          this.#waiting.delete(resolve);
          resolve();
        });
      });
    }
  }

  /** While the backplane was away orders may have been given: they are known when the store was asked. */
  backplaneChanged(state: BackplaneState): void {
    this.#backplane = state;
    if (this.#state === "current") this.#state = "loading";
    if (state === "up") this.#load();
  }

  /** Hears of every order from now on; asks about those in force. */
  watch(listener: ControlListener): ControlWatch {
    this.#listeners.add(listener);
    if (this.#state === "idle" && this.#driver.leases !== undefined) this.#open();
    const isCurrent = () => this.isCurrent;
    return {
      get isCurrent() {
        return isCurrent();
      },
      whenCurrent: (signal) => this.whenCurrent(signal),
      isRevoked: (user, channel) => this.#orders.isRevoked(user, channel),
      isDisconnected: (user) => this.#orders.isDisconnected(user),
      close: () => {
        if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.close();
      },
    };
  }

  /**
   * Gives an order to every node.
   *
   * @throws {BroadcastPublishError} Where it could not be stored or announced: give it again.
   */
  async give(order: ControlOrder, options: OrderOptions): Promise<void> {
    const { rememberMs } = readOrderOptions(options);
    const leases = this.#leases();
    const id = monotonicUlid();
    const value = encodeOrder(order, rememberMs);
    try {
      await leases.write(ownerOf(id), rememberMs, [{ topic: CONTROL_TOPIC, key: id, value }]);
      await this.#driver.publish(CONTROL_TOPIC, { id, event: "order", json: value });
    } catch (cause) {
      throw new BroadcastPublishError(
        `Cannot ${order.type} on all nodes: ${explainBy(this.#driver, cause)}`,
        { status: 503, context: { order }, cause },
      );
    }
    this.#remember(id, order, rememberMs);
  }

  /** Ends the listening; orders are forgotten. */
  close(): void {
    this.#state = "idle";
    this.#loader.stop();
    this.#attachment?.detach();
    this.#attachment = undefined;
    this.#orders.clear();
    this.#listeners.clear();
    this.#wake();
  }

  live(): void {
    this.#load();
  }

  event({ id, json }: ChannelEvent): void {
    const parsed = parseOrder(json);
    if (parsed !== undefined) this.#remember(id, parsed.order, parsed.rememberMs);
  }

  /** Orders may be missing: the store knows. */
  lost(): void {
    this.#load();
  }

  ended(error: AnyBroadcastError | undefined): void {
    if (error === undefined || this.#state === "idle") return;
    this.#loader.fail(error, () => this.#open());
  }

  async read(): Promise<readonly StoredOrder[]> {
    const leases = this.#leases();
    const entries = await leases.list(CONTROL_TOPIC);
    const remaining = await leases.remainingMs(entries.map(({ owner }) => owner));
    return entries.map(({ owner, key, value }) => {
      return { id: key, value, forMs: remaining.get(owner) ?? 0 };
    });
  }

  loaded(orders: readonly StoredOrder[]): void {
    for (const { id, value, forMs } of orders) {
      const order = parseOrder(value)?.order;
      if (order !== undefined) this.#remember(id, order, forMs);
    }
    // What is announced while the backplane is away is not heard: it is asked again then.
    if (this.#backplane !== "up") return;
    this.#state = "current";
    this.#wake();
  }

  failed(cause: unknown): void {
    this.#state = "loading";
    this.#reporter.report(
      new BroadcastSubscribeError(
        `Cannot load who is disconnected or revoked: ${explainBy(this.#driver, cause)}`,
        { status: 503, cause },
      ),
    );
  }

  #leases(): LeaseStore {
    const { leases } = this.#driver;
    if (leases !== undefined) return leases;
    throw new BroadcastConfigError("Cannot give orders to all nodes: the driver keeps no leases");
  }

  #open(): void {
    this.#state = "loading";
    this.#attachment = this.#listen(this);
  }

  #load(): void {
    if (this.#state === "idle") return;
    this.#state = "loading";
    this.#loader.load();
  }

  /** Those who wait look again. */
  #wake(): void {
    for (const look of this.#waiting) look();
    this.#waiting.clear();
  }

  /** Once: what is announced is also listed, and the one who gave it hears of it, too. */
  #remember(id: string, order: ControlOrder, forMs: number): void {
    if (this.#listeners.size === 0 || !this.#orders.add(id, order, forMs)) return;
    for (const listener of [...this.#listeners]) {
      callSafely(
        () => listener(order),
        (cause) => this.#reporter.report(new BroadcastHookError("An order failed", { cause })),
      );
    }
  }
}

/** An order owns its lease: it lasts as long as that. */
function ownerOf(id: string): string {
  return `!order:${id}`;
}
