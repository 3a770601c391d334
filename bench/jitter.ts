/**
 * How long it takes a client on a bad network to have what it missed, over each driver:
 * `deno run -A bench/jitter.ts`. It is the trial of `tests/jitter`, one driver after the other, so that
 * none takes the machine from another. The servers' programs must be there; `deno task test` installs
 * them.
 */
import { PostgresServer } from "../tests/drivers_on_servers/postgres_server.ts";
import { RedisServer } from "../tests/drivers_on_servers/redis_server.ts";
import { describe, jitter, WHOLE } from "../tests/jitter/trial.ts";
import type { NodeConfig } from "../tests/nodes/config.ts";
import { NodeProcess } from "../tests/nodes/node_process.ts";

async function measure(config: Omit<NodeConfig, "port">, count: number): Promise<void> {
  const nodes = await Promise.all(Array.from({ length: count }, () => NodeProcess.start(config)));
  const result = await jitter(nodes, { ...WHOLE, kill: count > 1 });
  console.log(`${config.driver}, ${count} nodes: ${describe(result)}`);
  for (const node of nodes) await node.kill();
}

await measure({ driver: "memory", name: "jitter" }, 1);
{
  await using server = await RedisServer.start();
  await measure({ driver: "redis", url: server.url, name: "jitter" }, 2);
}
{
  await using server = await PostgresServer.start();
  await measure({ driver: "postgres", url: server.url, name: "jitter" }, 2);
}
