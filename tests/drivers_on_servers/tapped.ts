import type postgres from "postgres";
import type { PostgresClient } from "../../drivers/postgres.ts";

/** A client of an application whose every statement passes a test's hands, which may break it. */
export function tapped(
  sql: postgres.Sql,
  around: (statement: string, run: () => Promise<unknown>) => Promise<unknown>,
): PostgresClient {
  return Object.assign(
    (template: TemplateStringsArray, ...parameters: (string | null)[]) => ({
      raw: () => around(template.join("?"), async () => await sql(template, ...parameters).raw()),
    }),
    { options: sql.options },
  );
}
