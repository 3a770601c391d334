import { identityTrial } from "./identity_trial.ts";
import { RedisServer } from "./redis_server.ts";

identityTrial("Redis", async () => {
  const server = await RedisServer.start();
  return {
    port: server.port,
    config: (port) => ({ driver: "redis", url: `redis://127.0.0.1:${port}`, name: "identity" }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
});
