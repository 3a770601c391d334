import { deadline } from "@std/async";
import config from "../../deno.json" with { type: "json" };
import { ROOT } from "../../scripts/project.ts";

/** Also a busy machine has bundled the page twice by then. */
const START_TIMEOUT_MS = 60_000;

/** A node, as the demo tells of it. */
export interface Node {
  readonly url: string;
  readonly pid: number;
}

/** The demo on Redis as a process of its own, started with what `deno task demo:redis` runs. */
export class TwoNodes implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  #output = "";
  #onOutput = () => {};
  readonly #drained: Promise<void>;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#drained = this.#keep(process.stdout);
  }

  static start(): TwoNodes {
    const [command, ...args] = config.tasks["demo:redis"].split(" ");
    if (command !== "deno") throw new Error(`The demo task starts "${command}", not deno`);
    return new TwoNodes(
      new Deno.Command(Deno.execPath(), {
        args,
        cwd: ROOT,
        env: { PORT: "0", REDIS_URL: "" },
        stdin: "null",
        stdout: "piped",
        stderr: "inherit",
      }).spawn(),
    );
  }

  /** The node of that name, once it listens. */
  node(name: string): Promise<Node> {
    const said = new RegExp(`Node ${name}: (http://localhost:\\d+), process (\\d+)\n`);
    const found = Promise.withResolvers<Node>();
    this.#onOutput = () => {
      const [, url, pid] = said.exec(this.#output) ?? [];
      if (url !== undefined) found.resolve({ url, pid: Number(pid) });
    };
    this.#onOutput();
    return deadline(found.promise, START_TIMEOUT_MS);
  }

  /** It ends what it has started. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.status;
    await this.#drained;
  }

  async #keep(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#output += text;
      this.#onOutput();
    }
  }
}
