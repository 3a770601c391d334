import { NETWORK_ADVICE } from "../../core/network_advice.ts";
import { type Advice, explain } from "../../core/reason.ts";

/** What PostgreSQL says when it was set up differently than we need it, and what to do. */
const ADVICE: Advice = [
  [/^password authentication failed|^role /, "correct user and password in the URL"],
  [/no PostgreSQL user name/, "give a user, as postgres://user:password@host/database"],
  [/^database .* does not exist/, "make it with createdb, or correct its name in the URL"],
  [/^no pg_hba\.conf entry/, "pg_hba.conf of the server lets this user in from elsewhere only"],
  [
    /^permission denied for (?:schema|database)/,
    "grant this user CREATE on it, or have its owner run the SQL of postgresMigration()",
  ],
  [
    /^permission denied for table/,
    "have its owner grant this user select, insert, update and delete on it, or take another prefix",
  ],
  [/^must be owner/, "have its owner run the SQL of postgresMigration(), or take another prefix"],
  [/too many clients|connection slots/, "lower maxConnections, or raise max_connections"],
  [
    /^prepared statement/,
    'behind PgBouncer in transaction mode set "prepare" and "listen" to false',
  ],
  [/lock timeout$/, "a transaction holds a lock on these tables and does not end"],
  [
    /read-only transaction|^recovery is in progress/,
    "this is a standby; give the address of the primary",
  ],
  [/^No answer within/, "the server hangs, or is no PostgreSQL"],
  ...NETWORK_ADVICE,
];

/** What went wrong and what to do, in one sentence. */
export function explainPostgres(cause: unknown): string {
  return explain(cause, ADVICE);
}
