import { assert, assertEquals } from "@std/assert";
import { Cluster } from "ioredis";
import { RedisBroadcaster } from "../../drivers/redis.ts";
import { trial } from "../drivers/trial.ts";
import { Publisher } from "../drivers/publisher.ts";
import { Witness } from "../drivers/witness.ts";
import { hashSlot } from "../../drivers/redis/hash_slot.ts";
import { ClusterBackend } from "./redis_cluster.ts";

trial("Redis Cluster", () => ClusterBackend.open(), { isProxied: false });

Deno.test("Redis Cluster: channels on the other masters go on while one is gone", async () => {
  await using backend = await ClusterBackend.open();
  await using node = backend.node();
  // By their hash: slots 3,300, 7,365 and 11,298 of 16,384.
  const channels = ["b", "c", "d"];
  const witness = await Witness.on(node, channels);
  const [first] = backend.masters;
  await first?.kill();
  const publisher = new Publisher(node, "p", ["c", "d"]);
  await publisher.more(50);
  await first?.restart();
  await node.publish("b", { event: "n", data: null, id: "after" });
  await witness.until("the event after", () => witness.idsOn("b").includes("after"));
  await publisher.stop();
  assertEquals(publisher.failures, []);
  assertEquals(witness.lost, []);
});

Deno.test("guarantees 1, 2: slots of a cluster that move, and come back at once, lose nothing, and nobody stays deaf", async () => {
  await using backend = await ClusterBackend.open();
  const [first, second, third] = backend.masters;
  assert(first !== undefined && second !== undefined && third !== undefined);
  // Three on the first master, two on the second, one on the third: what goes to one master goes together.
  const channels = ["b", "f", "n", "c", "g", "d"];
  await using a = backend.node();
  // Each of these two learns of a move by one way only: its publishes, or its subscriptions.
  await using speaker = backend.node();
  await using listener = backend.node();
  const witnesses = await Promise.all([a, listener].map((node) => Witness.on(node, channels)));
  const publishers = [a, speaker].map((node, i) => new Publisher(node, `p${i}`, channels));
  const more = () => Promise.all(publishers.map((publisher) => publisher.more(100)));
  const heard = async (id: string) => {
    for (const channel of channels) await a.publish(channel, { event: "n", data: null, id });
    for (const witness of witnesses) {
      await witness.until(
        `${id} on all`,
        () => channels.every((channel) => witness.idsOn(channel).includes(id)),
      );
    }
  };
  await more();
  // On channels whose slot does not move, and so busily that hardly anything goes without them.
  const others = new Publisher(speaker, "other", ["f", "n", "g"]);
  await backend.move(hashSlot("b"), first, second, () => others.more(20));
  await more();
  await heard("after one has moved");
  await backend.move(hashSlot("c"), second, third);
  await backend.move(hashSlot("c"), third, second);
  await heard("after one has come back at once");
  await more();
  const all = [...publishers, others];
  await Promise.all(all.map((publisher) => publisher.stop()));
  await heard("the last");
  assertEquals(all.flatMap(({ failures }) => failures), []);
  for (const channel of channels) {
    for (const witness of witnesses) {
      const seen = witness.seen.get(channel) ?? [];
      assertEquals(seen.map(({ position }) => position?.offset), seen.map((_, i) => i + 1));
      for (const publisher of all) {
        const resolved = publisher.resolved.get(channel) ?? [];
        const own = new Set(resolved);
        // A publisher counts its events, and publishes them in this order.
        assertEquals(
          witness.idsOn(channel).filter((id) => own.has(id)),
          resolved.toSorted(byNumber),
        );
      }
    }
  }
  assertEquals(witnesses.flatMap(({ lost }) => lost), []);
});

function byNumber(a: string, b: string): number {
  return Number(a.split("-")[1]) - Number(b.split("-")[1]);
}

Deno.test("health is not down because a channel is the first on its master", async () => {
  await using backend = await ClusterBackend.open();
  const changes: string[] = [];
  await using node = backend.node({
    onHealth: ({ new: state, cause }) => changes.push(`${state} ${cause}`),
  });
  await Witness.on(node, ["b"]);
  // The first two are live before there is a connection to the masters of the others.
  await Witness.on(node, ["f", "n", "c", "d"]);
  assertEquals(changes, ["up undefined"]);
});

Deno.test("guarantee 9: close leaves nothing, also right after a slot has moved", async () => {
  await using backend = await ClusterBackend.open();
  const [first, second] = backend.masters;
  assert(first !== undefined && second !== undefined);
  const node = backend.node();
  await Witness.on(node, ["b"]);
  await backend.move(hashSlot("b"), first, second);
  await node.close();
});

Deno.test("what an application's client of a cluster makes of answers does not matter to ours", async () => {
  await using backend = await ClusterBackend.open();
  const addresses = backend.masters.map(({ port }) => ({ host: "127.0.0.1", port }));
  const redisOptions = { stringNumbers: true, keyPrefix: "theirs:" };
  const client = new Cluster(addresses, { lazyConnect: true, redisOptions });
  await using node = new RedisBroadcaster({ client, prefix: "trial" });
  const witness = await Witness.on(node, ["c"]);
  await node.publish("c", { event: "n", data: 1 });
  await witness.until("it", ({ count }) => count === 1);
});
