/**
 * What a page sees of an outage behind its gateway: nothing but what it asks for itself. Called with
 * a way to open a backend that has a proxy.
 *
 * @module
 */
import { deadline } from "@std/async";
import { assert, assertEquals } from "@std/assert";
import { BroadcastGateway } from "@airwave/broadcast";
import type { TrialBackend } from "../drivers/trial.ts";
import { listen } from "../gateway/listeners.ts";
import { Guest } from "../recipes/shop.ts";

const PATIENCE_MS = 60_000;

/** Registers the trial. */
export function pageTrial(name: string, open: () => Promise<TrialBackend>): void {
  Deno.test(`${name}: a page stays through an outage, is told what it asks for, and misses nothing`, async () => {
    await using backend = await open();
    const { proxy } = backend;
    if (proxy === undefined) throw new Error("This backend has no proxy");
    const isDown = Promise.withResolvers<void>();
    await using near = backend.node({
      proxied: true,
      onHealth: ({ new: state }) => state === "down" && isDown.resolve(),
    });
    await using far = backend.node();
    const gateway = new BroadcastGateway({ broadcaster: near, allowClientPublish: () => true });
    const server = await listen(gateway);
    await using _ = {
      async [Symbol.asyncDispose]() {
        await gateway.close();
        await server.shutdown();
      },
    };
    await using guest = new Guest(`http://127.0.0.1:${server.port}`);
    const { client } = guest;
    const told: string[] = [];
    for (const event of ["state", "close", "recovered", "lost"] as const) {
      client.on(event, () => told.push(event));
    }

    const held = client.channel("held");
    await deadline(held.ready, PATIENCE_MS);
    told.length = 0;
    const heard: unknown[] = [];
    const all = Promise.withResolvers<void>();
    held.on("n", (data) => {
      if (heard.push(data) === 3) all.resolve();
    });

    proxy.swallow();
    for (const data of [1, 2, 3]) await far.publish("held", { event: "n", data });
    const refused = await deadline(held.publish("n", 0), PATIENCE_MS);
    assertEquals(!refused.ok && refused.code, "publish_failed");
    const later = client.channel("later");
    const { reason } = await guest.error(() => {});
    await deadline(isDown.promise, PATIENCE_MS);
    assertEquals([reason, heard, told], ["subscription failed", [], []]);

    proxy.heal();
    await deadline(all.promise, PATIENCE_MS);
    await deadline(later.ready, PATIENCE_MS);
    assertEquals(heard, [1, 2, 3]);
    assertEquals(told, []);
    // The same again, by the id of the one that failed, is one event, whether or not that was stored.
    const again = await deadline(held.publish("n", 0, { id: refused.id }), PATIENCE_MS);
    assert(again.ok);
  });
}
