import { driverContract } from "@airwave/broadcast/testing";
import { PostgresDriver } from "../../drivers/postgres/driver.ts";
import { PostgresServer } from "./postgres_server.ts";

let server: PostgresServer;
let cases = 0;

Deno.test.beforeAll(async () => {
  server = await PostgresServer.start();
});

Deno.test.afterAll(() => server[Symbol.asyncDispose]());

// Tables of its own for each case.
driverContract(() => {
  const prefix = `contract_${cases++}`;
  return {
    driver: () =>
      new PostgresDriver({
        url: server.url,
        schema: "broadcast",
        prefix,
        historySize: 1_000,
        historyTtlMs: 60_000,
        listen: true,
        pollIntervalMs: 1_000,
        timeoutMs: 10_000,
        maxConnections: 4,
        prepare: true,
        maxEventBytes: 1024 * 1024,
      }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}, Deno.test);
