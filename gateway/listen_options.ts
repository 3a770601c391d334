import { callback, durationMs, integer, type OptionCheck } from "../core/options.ts";

/** Defaults of whatever closes connections. */
export const CLOSE_DEFAULTS = { closeTimeoutMs: 5_000 } as const;

/** How its options are checked. */
export const CLOSE_CHECKS = { closeTimeoutMs: durationMs(1) };

/** Defaults of every listener that `serve` starts. */
export const LISTEN_DEFAULTS = { port: 8000, hostname: "0.0.0.0" } as const;

/** How the options that they have in common are checked. */
export const LISTEN_CHECKS = {
  port: integer(0, 65_535),
  hostname: (value) => typeof value === "string" && value !== "" ? undefined : "a host name",
  signal: (value) => value instanceof AbortSignal ? undefined : "an AbortSignal",
  fallback: callback,
} as const satisfies Record<string, OptionCheck>;
