import type { PostgresClient } from "@airwave/broadcast/postgres";
import { PostgresBroadcaster } from "@airwave/broadcast/postgres";
import { messageOf, mistake } from "./mistake.ts";

/** Answers as PostgreSQL 12 does that has no tables yet. */
const POSTGRES_12: PostgresClient = Object.assign(
  ([statement = ""]: TemplateStringsArray) => ({
    raw: () =>
      statement.includes("server_version_num")
        ? Promise.resolve([[new TextEncoder().encode("120022")]])
        : Promise.reject(Object.assign(new Error("no such table"), { code: "42P01" })),
  }),
  { listen: () => Promise.resolve({ unlisten: () => Promise.resolve() }) },
);

mistake("PostgreSQL 12", async () => {
  await using broadcaster = new PostgresBroadcaster({ sql: POSTGRES_12, prefix: "shop" });
  return await messageOf(() => broadcaster.publish("chat", { event: "message", data: 1 }));
});
