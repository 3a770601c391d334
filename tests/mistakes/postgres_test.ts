/** Mistakes that a PostgreSQL would answer which is not at hand. */
import { PostgresBroadcaster, type PostgresClient } from "@airwave/broadcast/postgres";
import { messageOf, mistake } from "./mistake.ts";

/** A client whose server answers a statement with a row of one column, or with an error. */
function clientOf(answer: (statement: string) => string | Error): PostgresClient {
  const run = ([statement = ""]: TemplateStringsArray) => ({
    raw() {
      const said = answer(statement);
      if (said instanceof Error) return Promise.reject(said);
      return Promise.resolve([[new TextEncoder().encode(said)]]);
    },
  });
  return Object.assign(run, { options: {} });
}

/** An error as the server sends it. */
function sqlError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

async function publishBy(sql: PostgresClient): Promise<string> {
  await using broadcaster = new PostgresBroadcaster({ sql, prefix: "shop", listen: false });
  return await messageOf(() => broadcaster.publish("chat", { event: "message", data: 1 }));
}

mistake(
  "PostgreSQL 12",
  () =>
    publishBy(
      clientOf((statement) =>
        statement.includes("server_version_num")
          ? "120022"
          : sqlError("42P01", 'relation "shop_store" does not exist')
      ),
    ),
);
mistake(
  "Prepared statements behind PgBouncer in transaction mode",
  () => publishBy(clientOf(() => sqlError("26000", 'prepared statement "yx3p0m1" does not exist'))),
);
