import type { AnyBroadcastError } from "../core/errors.ts";
import { ErrorReporter } from "../core/hooks.ts";
import { CLOSE } from "../protocol/close_codes.ts";
import type { ConnectionInfo, GatewaySettings } from "./options.ts";

/** A session, as far as the application is told of it. */
interface Connection<Subject> {
  readonly id: string;
  readonly info: ConnectionInfo<Subject>;
}

/** How a session ended. */
export interface SessionEnd {
  readonly code: number;
  readonly reason: string;
  /** False for one that left, or was refused, before it was known who is there. */
  readonly wasWelcomed: boolean;
}

/**
 * Tells the application what happens on its gateway, by hooks and in the log. What these throw is
 * reported and ends here.
 */
export class GatewayReporter<Subject> {
  readonly #settings: GatewaySettings<Subject>;
  readonly #errors: ErrorReporter;

  constructor(settings: GatewaySettings<Subject>) {
    this.#settings = settings;
    this.#errors = new ErrorReporter(
      settings.onError,
      (error) => settings.logger?.error(error.message, { code: error.code, error }),
    );
  }

  /** Something failed that no caller can be told of. */
  report(error: AnyBroadcastError): void {
    this.#errors.report(error);
  }

  connected(connection: Connection<Subject>): void {
    this.#log("debug", "Client connected", { id: connection.id });
    this.#errors.run("onConnect", () => this.#settings.onConnect?.(connection.info));
  }

  disconnected(
    connection: Connection<Subject>,
    { code, reason, wasWelcomed }: SessionEnd,
  ): void {
    const isFault = code === CLOSE.slowConsumer.code || code === CLOSE.frameTooLarge.code;
    const context = { id: connection.id, code, reason };
    this.#log(isFault ? "warn" : "debug", "Client disconnected", context);
    if (!wasWelcomed) return;
    this.#errors.run(
      "onDisconnect",
      () => this.#settings.onDisconnect?.({ ...connection.info, code, reason }),
    );
  }

  /** A page of an origin that is not allowed asked for a connection. */
  foreign(origin: string | null): void {
    const message = "Refused a connection from a foreign origin, see allowedOrigins";
    this.#log("warn", message, { origin });
  }

  /**
   * A client was refused something; the operator hears why, so that a mistake of ours is found. A plain
   * no, without a reason, is what rules are for.
   */
  refused(what: string, reason?: string): void {
    if (reason === undefined) this.#log("debug", `Refused ${what}`, {});
    else this.#log("warn", `Refused ${what}: ${reason}`, {});
  }

  #log(level: "debug" | "warn", message: string, context: Record<string, unknown>): void {
    this.#errors.run("logger", () => this.#settings.logger?.[level](message, context));
  }
}
