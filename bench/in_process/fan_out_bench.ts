/**
 * What one delivery costs inside the process: the callback that a gateway uses beside the async
 * iterable that an application uses. `deno bench` prints both and their ratio, measured in one run.
 */
import { type ChannelListener, MemoryBroadcaster } from "@airwave/broadcast";

const SUBSCRIBERS = 1_000;

const byCallback = new MemoryBroadcaster();
let delivered = 0;
const listener: ChannelListener = {
  live() {},
  event: () => void delivered++,
  lost() {},
  ended() {},
};
for (let i = 0; i < SUBSCRIBERS; i++) byCallback.listen("c", listener);

const byIterator = new MemoryBroadcaster();
const subscriptions = Array.from({ length: SUBSCRIBERS }, () => byIterator.subscribe("c"));
await Promise.all(subscriptions.map(({ ready }) => ready));

Deno.bench(
  `one event to ${SUBSCRIBERS} callbacks`,
  { group: "fan-out", baseline: true },
  async () => {
    const before = delivered;
    await byCallback.publish("c", { event: "n", data: { text: "Hello" } });
    if (delivered !== before + SUBSCRIBERS) throw new Error("An event was lost");
  },
);

Deno.bench(`one event to ${SUBSCRIBERS} async iterators`, { group: "fan-out" }, async () => {
  await byIterator.publish("c", { event: "n", data: { text: "Hello" } });
  const events = await Promise.all(subscriptions.map((subscription) => subscription.next()));
  if (events.some(({ done }) => done)) throw new Error("An event was lost");
});
