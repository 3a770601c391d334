import { BroadcastError } from "./errors.ts";

/** Hears of errors that no caller could be told of. It must not throw; if it does, that is dropped. */
export type ErrorHook = (error: BroadcastError) => void;

/** Passes errors to the hooks that the application gave, and survives them. */
export class ErrorReporter {
  readonly #hooks: readonly (ErrorHook | undefined)[];

  constructor(...hooks: (ErrorHook | undefined)[]) {
    this.#hooks = hooks;
  }

  report(error: BroadcastError): void {
    for (const hook of this.#hooks) {
      try {
        hook?.(error);
      } catch {
        // The place errors are reported to has failed: there is nowhere left to say so.
      }
    }
  }

  /** Runs a callback of the application; a throw is reported and ends here. */
  run(what: string, callback: () => void, context: Readonly<Record<string, unknown>> = {}): void {
    try {
      callback();
    } catch (cause) {
      this.report(new BroadcastError("broadcast.hook", `${what} threw`, { context, cause }));
    }
  }
}
