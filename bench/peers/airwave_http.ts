/** The gateway on `node:http`, under Deno and, bundled, under Node. */
import { serve } from "@airwave/broadcast/node";
import { airwave } from "./airwave.ts";
import { host } from "./host.js";

await host(async (scenario) => {
  const { gateway, ...served } = airwave(scenario);
  const server = await serve(gateway, { hostname: "127.0.0.1", port: 0 });
  return { port: server.port, ...served };
});
