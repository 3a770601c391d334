import { Redis } from "ioredis";
import { RedisBroadcaster, type RedisBroadcasterOptions } from "../../drivers/redis.ts";
import type { DriverBroadcaster } from "../../core/mod.ts";
import { REDIS } from "../../scripts/programs.ts";
import type { NodeOptions, TrialBackend } from "../drivers/trial.ts";
import { pathOf } from "../servers/path_of.ts";
import { freePort } from "../servers/port.ts";
import { ServerProcess } from "../servers/server_process.ts";
import { TcpProxy } from "../servers/tcp_proxy.ts";
import { until } from "./until.ts";

/** A Redis of a test's own, in a folder of its own. Every write is on disk before it is answered. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #args: string[];
  readonly #process: ServerProcess;

  private constructor(port: number, folder: string, args: string[], process: ServerProcess) {
    this.port = port;
    this.#folder = folder;
    this.#args = args;
    this.#process = process;
  }

  /** Starts one; further arguments as in its configuration file. */
  static async start(...args: readonly string[]): Promise<RedisServer> {
    const port = freePort();
    const folder = await Deno.makeTempDir({ prefix: "airwave-redis-" });
    const allArgs = [
      ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", "always"],
      ...args,
    ];
    const process = await ServerProcess.start({
      command: pathOf(REDIS),
      args: allArgs,
      probe: () => pingRedis(port),
    });
    return new RedisServer(port, folder, allArgs, process);
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** `kill -9`. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  /** How many bytes it has appended, once all that it has answered is among them. */
  async appendedBytes(): Promise<number> {
    await using stranger = this.stranger();
    // Where it syncs once a second it may keep what is written to itself while it does.
    await until("all to be appended", async () => {
      return /^aof_buffer_length:0\r$/m.test(await stranger.redis.info("persistence"));
    });
    return (await Deno.stat(this.#appendFile)).size;
  }

  /** Loses what it has appended after so many bytes, as when the power fails; then starts again. */
  async losePower(keptBytes: number, ...args: readonly string[]): Promise<void> {
    await this.kill();
    await Deno.truncate(this.#appendFile, keptBytes);
    await this.restart(...args);
  }

  get #appendFile(): string {
    return `${this.#folder}/appendonlydir/appendonly.aof.1.incr.aof`;
  }

  /** Starts it again with what it had stored, from now on with further arguments. */
  restart(...args: readonly string[]): Promise<void> {
    this.#args.push(...args);
    return this.#process.start();
  }

  /** Starts it again with nothing. */
  async restartEmpty(): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
    await Deno.mkdir(this.#folder);
    await this.restart();
  }

  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  /** A connection for the test to look or meddle with. */
  stranger(): Stranger {
    return new Stranger(this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Somebody else on the server. */
export class Stranger implements AsyncDisposable {
  readonly redis: Redis;

  constructor(port: number) {
    this.redis = new Redis(port, "127.0.0.1", { retryStrategy: () => null });
    this.redis.on("error", () => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.redis.status === "end") return;
    const ended = new Promise((resolve) => this.redis.once("end", resolve));
    this.redis.disconnect();
    await ended;
  }
}

/** A backend over one server. */
export class RedisBackend implements TrialBackend {
  readonly server: RedisServer;
  readonly proxy: TcpProxy;
  readonly #options: Partial<RedisBroadcasterOptions>;

  private constructor(
    server: RedisServer,
    proxy: TcpProxy,
    options: Partial<RedisBroadcasterOptions>,
  ) {
    this.server = server;
    this.proxy = proxy;
    this.#options = options;
  }

  static async open(options: Partial<RedisBroadcasterOptions> = {}): Promise<RedisBackend> {
    const server = await RedisServer.start();
    return new RedisBackend(server, await TcpProxy.listen(server.port), options);
  }

  node({ prefix = "trial", proxied = false, ...options }: NodeOptions = {}): DriverBroadcaster {
    const url = proxied ? `redis://127.0.0.1:${this.proxy.port}` : this.server.url;
    return new RedisBroadcaster({ url, prefix, historySize: 10_000, ...this.#options, ...options });
  }

  kill(): Promise<void> {
    return this.server.kill();
  }

  restart(): Promise<void> {
    return this.server.restart();
  }

  freeze(): void {
    this.server.freeze();
  }

  thaw(): void {
    this.server.thaw();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

/** Resolves once a server answers, and is not reading its data any more. */
export async function pingRedis(port: number): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode("PING\r\n"));
  const answer = new Uint8Array(64);
  const length = await connection.read(answer) ?? 0;
  const text = new TextDecoder().decode(answer.subarray(0, length));
  if (!text.startsWith("+PONG")) throw new Error(`It answered ${text}`);
}
