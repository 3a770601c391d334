/** The worker of `worker_import.js`. */
import counts from "./every_export.js";

const port = "postMessage" in globalThis
  ? globalThis
  : (await import("node:worker_threads")).parentPort;
port.postMessage(counts);
