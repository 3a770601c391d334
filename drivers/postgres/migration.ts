import { BroadcastConfigError } from "../../core/errors.ts";
import { describe } from "../../core/options.ts";
import { epochFunctions } from "./migration/epochs.ts";
import { leaseFunctions } from "./migration/leases.ts";
import { publishFunctions } from "./migration/publishing.ts";
import { readFunctions } from "./migration/reading.ts";
import { retentionFunctions } from "./migration/retention.ts";
import { createTables } from "./migration/tables.ts";
import { Names, type PostgresNames, sqlName } from "./names.ts";

/** Version of the tables and functions. */
export const SCHEMA_VERSION = 3;

/**
 * The SQL that prepares a database, for people who run their migrations themselves. It may run any
 * number of times and from many nodes at once. The broadcaster runs it on first use where it has not
 * been run yet. Needs PostgreSQL 13 or later.
 *
 * @example
 * ```ts
 * import { postgresMigration } from "@airwave/broadcast/postgres";
 *
 * const sql = postgresMigration({ schema: "broadcast" }); // hand it to your migration tool
 * ```
 *
 * @throws {BroadcastConfigError} Where a name breaks the rule.
 */
export function postgresMigration(names: PostgresNames): string {
  for (const [option, value] of Object.entries(names)) {
    const rule = value === undefined ? undefined : sqlName(value);
    if (rule === undefined) continue;
    throw new BroadcastConfigError(
      `Cannot write a migration: option "${option}" must be ${rule}, got ${describe(value)}`,
      { context: { option, value } },
    );
  }
  return migration(new Names(names));
}

/** One statement, so that it is one transaction wherever it is pasted. */
export function migration(names: Names): string {
  return `do $migration$
declare
  lock_timeout constant text := current_setting('lock_timeout');
begin
  perform set_config('client_min_messages', 'warning', true);
  -- Who waits for a table keeps waiting all who want it next, and goes on when its node has given up:
  -- while somebody held a table, as a backup does, every attempt would keep one more connection.
  perform set_config('lock_timeout', '3s', true);
  perform pg_advisory_xact_lock(hashtextextended('${names.bell} migration', 0));
  perform set_config('lock_timeout', '1s', true);
  if to_regnamespace('${names.schema}') is null then
    create schema ${names.schema};
  end if;

${createTables(names)}
${epochFunctions(names, SCHEMA_VERSION)}
${publishFunctions(names)}
${readFunctions(names)}
${retentionFunctions(names)}
${leaseFunctions(names)}
  perform ${names.of("check")}();
  update ${names.of("store")} set version = ${SCHEMA_VERSION} where version < ${SCHEMA_VERSION};
  perform set_config('lock_timeout', lock_timeout, true);
end
$migration$;
`;
}
