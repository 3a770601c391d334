import { type AnyBroadcastError, BroadcastHookError, isBroadcastError } from "./errors.ts";
import { reasonOf } from "./reason.ts";

/** Hears of errors that no caller could be told of. What it throws itself is dropped. */
export type ErrorHook = (error: AnyBroadcastError) => void;

/**
 * Calls back into the application. A throw goes to `onFailure`, and so does a rejection: `async`
 * functions are callbacks too, and one that nobody watches would end the process.
 */
export function callSafely(call: () => unknown, onFailure: (cause: unknown) => void): void {
  try {
    watch(call(), onFailure);
  } catch (cause) {
    onFailure(cause);
  }
}

/** Hears of the rejection, if a callback returned a promise. */
export function watch(result: unknown, onFailure: (cause: unknown) => void): void {
  if (result instanceof Promise) result.catch(onFailure);
}

/** Passes errors to the hooks that the application gave, and survives them. */
export class ErrorReporter {
  readonly #hooks: readonly (ErrorHook | undefined)[];

  constructor(...hooks: (ErrorHook | undefined)[]) {
    this.#hooks = hooks;
  }

  report(error: AnyBroadcastError): void {
    for (const hook of this.#hooks) {
      // Where the place errors are reported to has failed, there is nowhere left to say so.
      callSafely(() => hook?.(error), () => {});
    }
  }

  /** Runs a callback of the application; what it throws is reported and ends here. */
  run(what: string, callback: () => unknown): void {
    callSafely(callback, (cause) => {
      this.report(new BroadcastHookError(`${what} threw: ${reasonOf(cause)}`, { cause }));
    });
  }
}

/** An error of this library as it is; anything else was thrown by a callback. */
export function asBroadcastError(error: unknown, message: string): AnyBroadcastError {
  return isBroadcastError(error)
    ? error
    : new BroadcastHookError(`${message}: a callback threw: ${reasonOf(error)}`, { cause: error });
}
