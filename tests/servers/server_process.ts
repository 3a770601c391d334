import { deadline, delay } from "@std/async";

/** Also a busy machine has started a server by then. */
const START_TIMEOUT_MS = 30_000;

/** Between two questions whether a server answers. */
const PROBE_INTERVAL_MS = 20;

/** What is kept of what a server prints, for the message of a failure. */
const KEPT_OUTPUT_CHARACTERS = 8_000;

/** How to run a server. */
export interface ServerCommand {
  /** Path of the program. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** User and group to run as, for a program that refuses to be root. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Resolves when the server answers, and rejects while it does not. */
  probe(): Promise<unknown>;
  /** What ends it at once; `SIGKILL` unless told. */
  readonly killSignal?: Deno.Signal;
}

/** A server of a test's own, which may be killed, started again and frozen. `await using` ends it. */
export class ServerProcess implements AsyncDisposable {
  readonly #command: ServerCommand;
  #process: Deno.ChildProcess | undefined;
  #drained: Promise<unknown> = Promise.resolve();
  #output = "";

  private constructor(command: ServerCommand) {
    this.#command = command;
  }

  /** Starts a server and waits until it answers. */
  static async start(command: ServerCommand): Promise<ServerProcess> {
    const server = new ServerProcess(command);
    await server.start();
    return server;
  }

  /** The end of what it has printed. */
  get output(): string {
    return this.#output;
  }

  /** Starts it again after {@linkcode ServerProcess.kill}, and waits until it answers. */
  async start(): Promise<void> {
    const { command, args, env = {}, uid, gid } = this.#command;
    this.#process = new Deno.Command(command, {
      args: [...args],
      env,
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#drained = Promise.all([
      this.#keep(this.#process.stdout),
      this.#keep(this.#process.stderr),
    ]);
    const giveUp = new AbortController();
    const answers = this.#untilItAnswers(giveUp.signal);
    const ended = this.#process.status.then(({ code }) => {
      throw new Error(`It ended with code ${code}`);
    });
    try {
      await deadline(Promise.race([answers, ended]), START_TIMEOUT_MS);
    } catch (cause) {
      await this.kill();
      throw new Error(`Cannot start ${command} ${args.join(" ")}: ${this.#output}`, { cause });
    } finally {
      giveUp.abort();
      await answers;
    }
  }

  /** Ends it at once, nothing is said to anybody. Idempotent. */
  async kill(): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    this.#process = undefined;
    try {
      process.kill(this.#command.killSignal ?? "SIGKILL");
      // One that is frozen would never hear of it.
      this.#signalTree(process.pid, "SIGCONT");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof Deno.errors.NotFound || error instanceof TypeError)) throw error;
    }
    await process.status;
    await this.#drained;
  }

  /** Stops it and its children in the middle of what they do: they keep connections and say nothing. */
  freeze(): void {
    if (this.#process !== undefined) this.#signalTree(this.#process.pid, "SIGSTOP");
  }

  /** Lets it go on. */
  thaw(): void {
    if (this.#process !== undefined) this.#signalTree(this.#process.pid, "SIGCONT");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  /** The parent first, so that it makes no further child. */
  #signalTree(pid: number, signal: Deno.Signal): void {
    Deno.kill(pid, signal);
    for (const child of childrenOf(pid)) {
      try {
        this.#signalTree(child, signal);
      } catch (error) {
        // It has ended since it was looked for, as a server's workers come and go.
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }

  async #keep(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#output = (this.#output + text).slice(-KEPT_OUTPUT_CHARACTERS);
    }
  }

  async #untilItAnswers(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#command.probe();
        return;
      } catch {
        await delay(PROBE_INTERVAL_MS);
      }
    }
  }
}

function childrenOf(pid: number): number[] {
  try {
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
    return children.split(" ").filter((id) => id !== "").map(Number);
  } catch {
    // It has ended meanwhile.
    return [];
  }
}
