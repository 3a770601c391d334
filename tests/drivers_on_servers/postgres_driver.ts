import { PostgresDriver, type PostgresDriverOptions } from "../../drivers/postgres/driver.ts";

/** A driver without a broadcaster, for the suites that are about drivers. */
export function postgresDriver(
  options: Pick<PostgresDriverOptions, "url" | "schema" | "prefix" | "historySize">,
): PostgresDriver {
  return new PostgresDriver({
    historyTtlMs: 60_000,
    listen: true,
    pollIntervalMs: 1_000,
    timeoutMs: 10_000,
    maxConnections: 4,
    prepare: true,
    maxEventBytes: 1024 * 1024,
    ...options,
  });
}
