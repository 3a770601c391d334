/** Imports every export here and in a worker, and prints how many names each has, both ways. */
import counts from "./every_export.js";

const { Worker } = "Worker" in globalThis ? globalThis : await import("node:worker_threads");
const worker = new Worker(new URL("worker_entry.js", import.meta.url), { type: "module" });
const posted = await new Promise((resolve, reject) => {
  if ("on" in worker) worker.on("message", resolve).on("error", reject);
  else {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  }
});
await worker.terminate();
console.log(JSON.stringify([counts, posted]));
