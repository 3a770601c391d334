/** Mistakes that only a real PostgreSQL answers. */
import { PostgresBroadcaster, type PostgresBroadcasterOptions } from "../../drivers/postgres.ts";
import { messageOf, mistake } from "../mistakes/mistake.ts";
import { freePort } from "../servers/port.ts";
import { PgBouncer, PostgresServer, Stranger } from "./postgres_server.ts";

/** The first word on what is wrong: the hook's, or that of a publish. */
async function firstWord(options: PostgresBroadcasterOptions): Promise<string> {
  const reported = Promise.withResolvers<string>();
  await using broadcaster = new PostgresBroadcaster({
    prefix: "shop",
    timeoutMs: 5_000,
    onError: ({ message }) => reported.resolve(message),
    ...options,
  });
  const published = messageOf(() => broadcaster.publish("chat", { event: "message", data: 1 }));
  return await Promise.race([reported.promise, published]);
}

mistake(
  "PostgreSQL is not there",
  () => firstWord({ url: `postgres://shop@127.0.0.1:${freePort()}/shop` }),
);
mistake("A database that PostgreSQL does not have", async () => {
  await using postgres = await PostgresServer.start();
  return await firstWord({ url: postgres.url.replace(/shop$/, "store") });
});
mistake("A wrong password for PostgreSQL", async () => {
  const rules = await Deno.makeTempFile({ prefix: "airwave-hba-" });
  await Deno.writeTextFile(rules, "host all all 127.0.0.1/32 scram-sha-256\n");
  await Deno.chmod(rules, 0o644);
  try {
    await using postgres = await PostgresServer.start("-c", `hba_file=${rules}`);
    return await firstWord({ url: postgres.url.replace("shop@", "shop:wrong@") });
  } finally {
    await Deno.remove(rules);
  }
});
mistake("A user of PostgreSQL who may not make tables", async () => {
  await using postgres = await PostgresServer.start();
  await using owner = postgres.client();
  await owner.sql`revoke create on schema public from public`;
  await owner.sql`create schema broadcast`;
  const guest = postgres.url.replace("shop@", "guest@");
  await using root = new Stranger(postgres.url.replace("shop@", "postgres@"), {});
  await root.sql`create role guest login`;
  await root.sql`grant usage on schema broadcast to guest`;
  return await firstWord({ url: guest, schema: "broadcast" });
});
mistake("A standby of PostgreSQL", async () => {
  // As one answers, without the second that it takes to make one.
  await using postgres = await PostgresServer.start("-c", "default_transaction_read_only=on");
  return await firstWord({ url: postgres.url });
});
mistake("TLS to a PostgreSQL without it", async () => {
  await using postgres = await PostgresServer.start();
  return await firstWord({ url: `${postgres.url}?sslmode=require` });
});
mistake("LISTEN behind PgBouncer in transaction mode", async () => {
  await using postgres = await PostgresServer.start();
  await using bouncer = await PgBouncer.start(postgres.port);
  const deaf = Promise.withResolvers<string>();
  await using _ = new PostgresBroadcaster({
    url: postgres.url.replace(`:${postgres.port}`, `:${bouncer.port}`),
    prefix: "shop",
    prepare: false,
    timeoutMs: 3_000,
    onError: ({ message }) => deaf.resolve(message),
  });
  return await deaf.promise;
});
