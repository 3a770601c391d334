import type { ErrorReporter } from "./hooks.ts";

/**
 * How the backplane is, as this node sees it:
 *
 * - `connecting`: not reached yet.
 * - `up`: reachable; what is published is stored and passed on.
 * - `down`: was reachable and is not; publishes reject, subscriptions wait for the gap to be closed.
 * - `closed`: the broadcaster was closed.
 */
export type BackplaneState = "connecting" | "up" | "down" | "closed";

/** What `onHealth` is told. */
export interface HealthChange {
  /** State before. */
  readonly old: BackplaneState;
  /** State now. */
  readonly new: BackplaneState;
  /** What went wrong, where something did. */
  readonly cause?: unknown;
}

/** The state of a backplane, with one setter and one hook. */
export class Health {
  readonly #reporter: ErrorReporter;
  readonly #onChange: ((change: HealthChange) => void) | undefined;
  #state: BackplaneState;

  constructor(
    state: BackplaneState,
    reporter: ErrorReporter,
    onChange: ((change: HealthChange) => void) | undefined,
  ) {
    this.#state = state;
    this.#reporter = reporter;
    this.#onChange = onChange;
  }

  get state(): BackplaneState {
    return this.#state;
  }

  /** Answers whether that is news. */
  set(state: BackplaneState, cause?: unknown): boolean {
    const old = this.#state;
    // A driver that hears of its end late must not make a closed one look alive.
    if (old === state || old === "closed") return false;
    this.#state = state;
    const change = { old, new: state, ...(cause === undefined ? {} : { cause }) };
    this.#reporter.run("onHealth", () => this.#onChange?.(change));
    return true;
  }
}
