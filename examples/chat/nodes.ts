import { endProcess } from "./end_process.ts";

/** A node of the chat. */
interface NodeSettings {
  readonly name: string;
  /** 0 for any; once there is one it is kept. */
  readonly port: number;
  /** 0 where it says nothing itself. */
  readonly radioIntervalMs: number;
}

/** Nodes over one Redis, each a process of its own. One that ends is started again after a while. */
export class Nodes implements AsyncDisposable {
  readonly #redisUrl: string;
  readonly #restartDelayMs: number;
  readonly #processes = new Set<Deno.ChildProcess>();
  readonly #running: Promise<void>[] = [];
  readonly #stop = new AbortController();

  constructor(redisUrl: string, restartDelayMs: number) {
    this.#redisUrl = redisUrl;
    this.#restartDelayMs = restartDelayMs;
  }

  run(node: NodeSettings): void {
    this.#running.push(this.#keepUp(node));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.#processes].map(endProcess));
    await Promise.all(this.#running);
  }

  async #keepUp({ name, port, radioIntervalMs }: NodeSettings): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const process = this.#spawn(port, radioIntervalMs);
      this.#processes.add(process);
      port = await readPort(process) ?? port;
      console.log(`Node ${name}: http://localhost:${port}, process ${process.pid}`);
      await process.status;
      this.#processes.delete(process);
      if (this.#stop.signal.aborted) return;
      console.log(`Node ${name} ended, and is back in ${this.#restartDelayMs / 1_000} s`);
      await pause(this.#restartDelayMs, this.#stop.signal);
    }
  }

  #spawn(port: number, radioIntervalMs: number): Deno.ChildProcess {
    return new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--allow-net", "--allow-read", "--allow-env", "--allow-run", "--allow-write"],
        ...["--unstable-bundle", new URL("main.ts", import.meta.url).href],
      ],
      env: {
        PORT: `${port}`,
        REDIS_URL: this.#redisUrl,
        RADIO_INTERVAL_MS: `${radioIntervalMs}`,
      },
      stdin: "null",
      stdout: "piped",
    }).spawn();
  }
}

/** The port that a node says it listens on; `undefined` where it ended before. */
async function readPort({ stdout }: Deno.ChildProcess): Promise<number | undefined> {
  let output = "";
  // Leaving the loop closes the pipe: it has no more to say.
  for await (const text of stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    const port = /http:\/\/localhost:(\d+)\s/.exec(output)?.[1];
    if (port !== undefined) return Number(port);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
