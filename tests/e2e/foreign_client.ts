import {
  BroadcastGateway,
  type BroadcastGatewayOptions,
  MemoryBroadcaster,
  type MemoryBroadcasterOptions,
} from "@airwave/broadcast";
import { assertEquals } from "@std/assert";

/** One run of the client: what it finds, line by line. */
export class ForeignClient implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #lines: AsyncGenerator<string, void>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  #failed = false;

  constructor(script: string, url: string, scenario: string) {
    this.#process = new Deno.Command("python3", {
      // -B: no compiled copy of the script is left beside it.
      args: ["-B", `${import.meta.dirname}/${script}`, url, scenario],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#lines = readLines(this.#process.stdout);
    this.#input = this.#process.stdin.getWriter();
  }

  /** The next findings, as many as are expected. */
  async finds(...expected: unknown[]): Promise<void> {
    for (const finding of expected) {
      const { value: line = "null" } = await this.#lines.next();
      try {
        assertEquals(withoutServerIds(JSON.parse(line)), finding);
      } catch (error) {
        this.#failed = true;
        this.#stop();
        throw error;
      }
    }
  }

  /** It may wait for something that will never come, or have given up by itself. */
  #stop(): void {
    try {
      this.#process.kill();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }

  /** The next text messages that the client received. */
  hears(...texts: string[]): Promise<void> {
    return this.finds(...texts.map((received) => ({ received })));
  }

  /** The client goes on after it has waited for this test to do its part. */
  async go(): Promise<void> {
    await this.#input.write(new TextEncoder().encode("\n"));
  }

  /** Expects that the client has nothing more to say and found everything in order. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    const rest = await Array.fromAsync(this.#lines);
    const { code } = await this.#process.status;
    if (!this.#failed) assertEquals({ rest, code }, { rest: [], code: 0 });
  }
}

async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = `${rest}${chunk}`.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

function withoutServerIds(finding: unknown): unknown {
  if (typeof finding !== "object" || finding === null || !("received" in finding)) return finding;
  return {
    received: String(finding.received)
      .replace(/^(\{"t":"welcome","id":)"[0-9a-f-]{36}"\}$/, '$1"…"}')
      .replace(/^(\{"t":"msg",.*"i":)"[0-9A-HJKMNP-TV-Z]{26}"\}$/, '$1"…"}'),
  };
}

/** A gateway on a free port, over memory, and what is around it. */
export class Stage implements AsyncDisposable {
  readonly broadcaster: MemoryBroadcaster<string>;
  readonly gateway: BroadcastGateway<string>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  readonly #script: string;

  constructor(
    script: string,
    options: Partial<BroadcastGatewayOptions<string>> = {},
    broadcasterOptions: MemoryBroadcasterOptions = {},
  ) {
    this.#script = script;
    this.broadcaster = new MemoryBroadcaster(broadcasterOptions);
    this.broadcaster.authorize("private-broken", () => {
      throw new Error("This rule is broken");
    });
    this.gateway = new BroadcastGateway({ broadcaster: this.broadcaster, ...options });
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      this.gateway.handler,
    );
  }

  run(scenario: string): ForeignClient {
    return new ForeignClient(
      this.#script,
      `ws://127.0.0.1:${this.#server.addr.port}/_broadcast`,
      scenario,
    );
  }

  async publish(channel: string, event: string, data: unknown, id?: string): Promise<void> {
    await this.broadcaster.publish(channel, { event, data, ...(id === undefined ? {} : { id }) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway.close();
    await this.broadcaster.close();
    await this.#server.shutdown();
  }
}
