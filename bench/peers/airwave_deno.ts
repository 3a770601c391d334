/** The gateway on `Deno.serve`. */
import { airwave } from "./airwave.ts";
import { host } from "./host.js";

await host((scenario) => {
  const { gateway, ...served } = airwave(scenario);
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    gateway.handler,
  );
  return Promise.resolve({ port: server.addr.port, ...served });
});
