/**
 * Publishes far more than the memory's limit, a few large events on each of many channels: with a
 * small heap this process ends if anything that was dropped is still held.
 */
import { MemoryBackend } from "@airwave/broadcast";

const backend = new MemoryBackend({ historyMaxBytes: 8 * 1024 * 1024 });
for (let channel = 0; channel < 20; channel++) {
  for (let id = 0; id < 10; id++) {
    // Not a repeated text: the engine would keep that as one small piece and a count.
    const json = JSON.stringify(Array.from({ length: 100_000 }, (_, i) => i * (id + channel + 1)));
    backend.publish(`c${channel}`, { id: String(id), event: "n", json });
  }
}
console.log(backend.storedBytes <= 8 * 1024 * 1024 ? "bounded" : "over the limit");
