import { driverContract } from "@airwave/broadcast/testing";
import { postgresDriver } from "./postgres_driver.ts";
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
      postgresDriver({ url: server.url, schema: "broadcast", prefix, historySize: 1_000 }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}, Deno.test);
