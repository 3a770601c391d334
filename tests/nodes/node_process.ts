import process from "node:process";
import { freePort } from "../servers/port.ts";
import { ServerProcess } from "../servers/server_process.ts";
import type { Command, NodeConfig } from "./config.ts";

/** What runs `main.ts`: where that is not Deno, there is a bundle of it beside that of the tests. */
const [COMMAND, ...ARGS] = "Deno" in globalThis
  ? [
    Deno.execPath(),
    ...["run", "--quiet", "--no-check", "--allow-all"],
    new URL("main.ts", import.meta.url).pathname,
  ] as const
  : [process.execPath, (process.argv[1] ?? "").replace(/[^/]*$/, "suite.node.js")] as const;

/** A node of the application as a process of its own, see `main.ts`. */
export class NodeProcess implements AsyncDisposable {
  readonly port: number;
  readonly #process: ServerProcess;

  private constructor(port: number, process: ServerProcess) {
    this.port = port;
    this.#process = process;
  }

  static async start(config: Omit<NodeConfig, "port">): Promise<NodeProcess> {
    const port = freePort();
    const whole: NodeConfig = { ...config, port };
    const process = await ServerProcess.start({
      command: COMMAND,
      args: [...ARGS, JSON.stringify(whole)],
      probe: async () => await (await fetch(`http://127.0.0.1:${port}/`)).body?.cancel(),
    });
    return new NodeProcess(port, process);
  }

  /** Where its gateway is, for a user. */
  url(user?: string): string {
    const query = user === undefined ? "" : `?user=${encodeURIComponent(user)}`;
    return `ws://127.0.0.1:${this.port}/_broadcast${query}`;
  }

  /** Has the node's application do something. */
  async ask(command: Command): Promise<unknown> {
    const body = JSON.stringify(command);
    const response = await fetch(`http://127.0.0.1:${this.port}/`, { method: "POST", body });
    if (!response.ok) throw new Error(await response.text());
    return await response.json();
  }

  /** `kill -9`. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  /** Starts it again on the same port. */
  restart(): Promise<void> {
    return this.#process.start();
  }

  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
