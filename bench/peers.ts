import type { ScenarioName } from "./scenarios.ts";

/** Which client a peer's subscribers are: the names in load/dialects.js. */
type Dialect = "plain" | "airwave1" | "airwave2" | "socketIo";

/** A server under test. */
export interface Peer {
  readonly title: string;
  readonly runtime: "deno" | "node" | "bun";
  /** Its module, in the folder of peers. */
  readonly module: string;
  readonly dialect: Dialect;
  /** Where it takes part; everywhere unless told. */
  readonly only?: readonly ScenarioName[];
  /** Where it takes no part. */
  readonly not?: readonly ScenarioName[];
}

/** The one that all others are compared with. */
export const FLOOR = "loop";

/** Every server, by name: the floor, ours, then those that one could take instead. */
export const PEERS: Readonly<Record<string, Peer>> = {
  [FLOOR]: {
    title: "plain Deno.serve loop",
    runtime: "deno",
    module: "deno_loop.ts",
    dialect: "plain",
  },
  "deno": {
    title: "Airwave on Deno.serve",
    runtime: "deno",
    module: "airwave_deno.ts",
    dialect: "airwave2",
  },
  "http": {
    title: "Airwave on node:http, Deno",
    runtime: "deno",
    module: "airwave_http.ts",
    dialect: "airwave2",
  },
  "http-r1": {
    title: "Airwave on node:http, Deno, revision 1",
    runtime: "deno",
    module: "airwave_http.ts",
    dialect: "airwave1",
    only: ["a", "f"],
  },
  "http-node": {
    title: "Airwave on node:http, Node",
    runtime: "node",
    module: "airwave_http.js",
    dialect: "airwave2",
  },
  "ws": {
    title: "ws on Node",
    runtime: "node",
    module: "ws_node.js",
    dialect: "plain",
    not: ["h"],
  },
  "socket.io": {
    title: "Socket.IO on Node",
    runtime: "node",
    module: "socket_io.js",
    dialect: "socketIo",
    not: ["h"],
  },
  "bun": {
    title: "Bun publish",
    runtime: "bun",
    module: "bun_publish.js",
    dialect: "plain",
    not: ["h"],
  },
};
