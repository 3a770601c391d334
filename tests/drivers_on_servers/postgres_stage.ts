import type postgres from "postgres";
import type { AnyBroadcastError } from "../../core/mod.ts";
import { PostgresBroadcaster, type PostgresBroadcasterOptions } from "../../drivers/postgres.ts";
import type { PostgresServer, Stranger } from "./postgres_server.ts";

let stages = 0;

/** Nodes over tables of their own on a server that other tests use too, and a client to meddle. */
export class Stage implements AsyncDisposable {
  readonly prefix = `stage_${stages++}`;
  /** What the nodes reported. */
  readonly errors: AnyBroadcastError[] = [];
  readonly sql: postgres.Sql;
  readonly #server: PostgresServer;
  readonly #stranger: Stranger;
  readonly #nodes: PostgresBroadcaster[] = [];

  constructor(server: PostgresServer) {
    this.#server = server;
    this.#stranger = server.client();
    this.sql = this.#stranger.sql;
  }

  /** Opens a node, which is closed with the stage. */
  node(options: Partial<PostgresBroadcasterOptions> = {}): PostgresBroadcaster {
    const node = new PostgresBroadcaster({
      ...(options.sql === undefined ? { url: this.#server.url } : {}),
      schema: "stages",
      prefix: this.prefix,
      onError: (error) => this.errors.push(error),
      ...options,
    });
    this.#nodes.push(node);
    return node;
  }

  /** Two of them. */
  nodes(
    options: Partial<PostgresBroadcasterOptions> = {},
  ): [PostgresBroadcaster, PostgresBroadcaster] {
    return [this.node(options), this.node(options)];
  }

  /** The name of a table or function, for a statement. */
  name(what: string): string {
    return `stages.${this.prefix}_${what}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.close()));
    await this.#stranger[Symbol.asyncDispose]();
  }
}
