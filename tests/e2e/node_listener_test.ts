/** The listener on `node:http` under the runtime that it is named after, from the same source. */
import { BroadcastClient } from "@airwave/broadcast/client";
import { assert, assertEquals } from "@std/assert";
import { ROOT } from "../../scripts/project.ts";
import { SseReader } from "../gateway/sse_reader.ts";

/** The server in a process of Node, with its port. */
async function startUnderNode(folder: string) {
  const bundle = `${folder}/node_server.mjs`;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "-o", bundle, "tests/e2e/node_server.ts"],
    cwd: ROOT,
    stdout: "null",
    stderr: "piped",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const child = new Deno.Command("node", { args: [bundle], stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return { child, port: Number(new TextDecoder().decode(value)) };
}

Deno.test(
  "under Node: sockets, streams and the end of everything",
  { timeout: 60_000 },
  async () => {
    const folder = await Deno.makeTempDir();
    const { child, port } = await startUnderNode(folder);
    const stream = await SseReader.open(fetch, {
      url: `http://127.0.0.1:${port}/_broadcast/sse`,
      channels: ["a"],
    });
    await stream.live("a");
    const client = new BroadcastClient({ url: `ws://127.0.0.1:${port}/_broadcast` });
    const heard: unknown[] = [];
    const all = Promise.withResolvers<void>();
    const live = Promise.withResolvers<void>();
    client.on("subscribed", () => live.resolve());
    const channel = client.channel("a");
    channel.on("e", (data) => heard.push(data) === 20 && all.resolve());
    await live.promise;
    const expected = Array.from({ length: 20 }, (_, i) => `ä${i}`);
    for (const data of expected) channel.publish("e", data);
    await all.promise;
    await stream.until((stream) => stream.data("a").length === 20);
    assertEquals([heard, stream.data("a")], [expected, expected]);
    const closed = Promise.withResolvers<number>();
    client.on("close", ({ code }) => closed.resolve(code));
    child.kill("SIGTERM");
    assertEquals(await closed.promise, 1001);
    client.disconnect();
    await stream.end();
    // Nothing is told to exit there: it is over when no timer, socket or listener is left.
    assertEquals((await child.status).code, 0);
    await Deno.remove(folder, { recursive: true });
  },
);
