import { Cluster } from "ioredis";
import { RedisBroadcaster, type RedisBroadcasterOptions } from "../../drivers/redis.ts";
import type { DriverBroadcaster } from "../../core/mod.ts";
import type { NodeOptions, TrialBackend } from "../drivers/trial.ts";
import { freePort } from "../servers/port.ts";
import { RedisServer, type Stranger } from "./redis_server.ts";
import { until } from "./until.ts";

const SLOTS = 16_384;
const MASTERS = 3;

/** A cluster of three masters, and nodes over it. */
export class ClusterBackend implements TrialBackend {
  readonly masters: readonly RedisServer[];
  readonly #options: Partial<RedisBroadcasterOptions>;
  /** What an application would hand in; never connected. */
  readonly #client: Cluster;

  private constructor(
    masters: readonly RedisServer[],
    options: Partial<RedisBroadcasterOptions>,
  ) {
    this.masters = masters;
    this.#options = options;
    const addresses = masters.map(({ port }) => ({ host: "127.0.0.1", port }));
    this.#client = new Cluster(addresses, { lazyConnect: true });
  }

  static async open(options: Partial<RedisBroadcasterOptions> = {}): Promise<ClusterBackend> {
    const buses = Array.from({ length: MASTERS }, freePort);
    const masters = await Promise.all(buses.map((bus) =>
      RedisServer.start(
        ...["--cluster-enabled", "yes", "--cluster-port", `${bus}`],
        ...["--cluster-node-timeout", "2000"],
      )
    ));
    const backend = new ClusterBackend(masters, options);
    const [first] = masters;
    for (const [i, master] of masters.entries()) {
      await using stranger = master.stranger();
      const from = Math.floor(i * SLOTS / MASTERS);
      const to = Math.floor((i + 1) * SLOTS / MASTERS) - 1;
      await stranger.redis.cluster("ADDSLOTSRANGE", from, to);
      // Two that claim the same would never agree.
      await stranger.redis.call("CLUSTER", "SET-CONFIG-EPOCH", `${i + 1}`);
      if (first !== undefined && master !== first) {
        await stranger.redis.call("CLUSTER", "MEET", "127.0.0.1", `${first.port}`, `${buses[0]}`);
      }
    }
    await backend.#untilWhole();
    return backend;
  }

  node({ prefix = "trial", proxied: _, ...options }: NodeOptions = {}): DriverBroadcaster {
    const client = this.#client;
    return new RedisBroadcaster({
      client,
      prefix,
      historySize: 10_000,
      ...this.#options,
      ...options,
    });
  }

  /** Moves a slot to another master, as `redis-cli --cluster reshard` does; `amid` is half-way. */
  async move(
    slot: number,
    from: RedisServer,
    to: RedisServer,
    amid: () => Promise<void> = async () => {},
  ): Promise<void> {
    await using source = from.stranger();
    await using target = to.stranger();
    const cluster = (on: Stranger, ...args: string[]) => on.redis.call("CLUSTER", ...args);
    const [sourceId, targetId] = [
      String(await cluster(source, "MYID")),
      String(await cluster(target, "MYID")),
    ];
    await cluster(target, "SETSLOT", `${slot}`, "IMPORTING", sourceId);
    await cluster(source, "SETSLOT", `${slot}`, "MIGRATING", targetId);
    const migrate = async (most: number) => {
      const keys = await source.redis.cluster("GETKEYSINSLOT", slot, most);
      const args = ["127.0.0.1", to.port, "", 0, 5_000, "KEYS", ...keys];
      if (keys.length > 0) await source.redis.call("MIGRATE", ...args);
      return keys.length;
    };
    await migrate(1);
    await amid();
    while (await migrate(100) > 0);
    await cluster(target, "SETSLOT", `${slot}`, "NODE", targetId);
    await cluster(source, "SETSLOT", `${slot}`, "NODE", targetId);
  }

  async kill(): Promise<void> {
    await Promise.all(this.masters.map((master) => master.kill()));
  }

  async restart(): Promise<void> {
    await Promise.all(this.masters.map((master) => master.restart()));
    await this.#untilWhole();
  }

  freeze(): void {
    for (const master of this.masters) master.freeze();
  }

  thaw(): void {
    for (const master of this.masters) master.thaw();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.masters.map((master) => master[Symbol.asyncDispose]()));
  }

  /** Every master knows of all, and all slots are served. */
  async #untilWhole(): Promise<void> {
    for (const master of this.masters) {
      await using stranger = master.stranger();
      await until("a whole cluster", async () => {
        const info = await stranger.redis.cluster("INFO");
        return info.includes("cluster_state:ok") &&
          info.includes(`cluster_known_nodes:${MASTERS}`) &&
          info.includes(`cluster_size:${MASTERS}`);
      });
    }
  }
}
