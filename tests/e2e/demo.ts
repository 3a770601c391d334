import { deadline } from "@std/async";
import config from "../../deno.json" with { type: "json" };
import { ROOT } from "../../scripts/project.ts";

/** Also a busy machine has bundled the page by then. */
const START_TIMEOUT_MS = 60_000;

/** The demo as a process of its own, started with exactly what `deno task demo` runs. */
export class Demo implements AsyncDisposable {
  #process: Deno.ChildProcess | undefined;
  #port = "0";

  private constructor() {}

  /** Starts it on a free port. */
  static async start(): Promise<Demo> {
    const demo = new Demo();
    await demo.restart();
    return demo;
  }

  /** Where its page is. */
  get url(): string {
    return `http://localhost:${this.#port}`;
  }

  /** Starts it on the port that it had, and waits until it says that it is there. */
  async restart(): Promise<void> {
    // Not by the task itself: its shell would be the process, and the server a child of that.
    const [command, ...args] = config.tasks.demo.split(" ");
    if (command !== "deno") throw new Error(`The demo task starts "${command}", not deno`);
    this.#process = new Deno.Command(Deno.execPath(), {
      args,
      cwd: ROOT,
      env: { PORT: this.#port },
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    try {
      this.#port = await deadline(readPort(this.#process.stdout), START_TIMEOUT_MS);
    } catch (cause) {
      await this.kill();
      throw new Error("The demo did not start", { cause });
    }
  }

  /** `kill -9`: nothing is said to anybody. Idempotent. */
  async kill(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    process?.kill("SIGKILL");
    await process?.status;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** The port that a server says it listens on. Leaving the loop closes the pipe: it has no more to say. */
export async function readPort(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let output = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    output += text;
    const port = /http:\/\/(?:localhost|127\.0\.0\.1):(\d+)\/?\s/.exec(output)?.[1];
    if (port !== undefined) return port;
  }
  throw new Error(`It ended before it listened: ${output}`);
}
