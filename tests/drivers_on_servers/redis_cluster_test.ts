import { assertEquals } from "@std/assert";
import { trial } from "../drivers/trial.ts";
import { Publisher } from "../drivers/publisher.ts";
import { Witness } from "../drivers/witness.ts";
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
