import { endProcess } from "./end_process.ts";

const START_ATTEMPTS = 200;
const START_INTERVAL_MS = 50;

/** A Redis for this run alone: on a free port, from the PATH, with nothing on the disk. */
export class PrivateRedis implements AsyncDisposable {
  readonly url: string;
  readonly #process: Deno.ChildProcess;

  private constructor(port: number, process: Deno.ChildProcess) {
    this.url = `redis://127.0.0.1:${port}`;
    this.#process = process;
  }

  static async start(): Promise<PrivateRedis> {
    const port = freePort();
    const redis = new PrivateRedis(port, spawn(port));
    const answers = redis.#untilItAnswers(port);
    const ended = redis.#process.status.then(({ code }) => {
      throw new Error(`redis-server ended with code ${code}`);
    });
    await Promise.race([answers, ended]);
    return redis;
  }

  /** What it is, and how to find it among other processes. */
  get description(): string {
    return `Redis: a private one at ${new URL(this.url).host}, process ${this.#process.pid}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return endProcess(this.#process);
  }

  async #untilItAnswers(port: number): Promise<void> {
    for (let attempt = 0; attempt < START_ATTEMPTS; attempt++) {
      try {
        using _connection = await Deno.connect({ hostname: "127.0.0.1", port });
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, START_INTERVAL_MS));
      }
    }
    await this[Symbol.asyncDispose]();
    throw new Error("redis-server does not answer");
  }
}

function spawn(port: number): Deno.ChildProcess {
  try {
    return new Deno.Command("redis-server", {
      args: [
        ...["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        ...["--proc-title-template", "airwave-chat-redis {listen-addr}"],
      ],
      stdin: "null",
      stdout: "null",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.error("There is no redis-server on the PATH: install it, or set REDIS_URL to a Redis");
    Deno.exit(1);
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
