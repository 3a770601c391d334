import { assertEquals } from "@std/assert";
import { SSE_URL, type SseReader, Streams } from "./sse_reader.ts";

const URL = `${SSE_URL}?as=events`;

function open(streams: Streams, channel: string, lastEventId?: string): Promise<SseReader> {
  return streams.open({ url: URL, channels: [channel], lastEventId });
}

/** Status and code of a request that is not answered by a stream. */
async function refusal(
  { gateway }: Streams,
  query: string,
  lastEventId = "",
): Promise<readonly [number, string]> {
  const headers = { "last-event-id": lastEventId };
  const response = await gateway.handler(new Request(`${URL}${query}`, { headers }));
  return [response.status, (await response.json()).error.code];
}

Deno.test("as=events speaks events by their names, data as JSON, and nothing else", async () => {
  await using streams = new Streams();
  const reader = await open(streams, "a");
  assertEquals(reader.response.headers.get("content-type"), "text/event-stream");
  await streams.broadcaster.publish("a", { event: "head line", data: { text: "a\r\nb" } });
  await streams.broadcaster.publish("a", { event: "message", data: null });
  await reader.until(({ messages }) => messages.length === 2);
  assertEquals(reader.messages.map(({ event, data }) => [event, data]), [
    ["head line", '{"text":"a\\r\\nb"}'],
    ["message", "null"],
  ]);
  await streams.gateway.close();
  await reader.end();
  assertEquals(reader.messages.length, 2);
});

Deno.test("as=events resumes by Last-Event-ID, and what is left out moves the position on", async () => {
  await using streams = new Streams();
  const first = await open(streams, "a");
  await streams.publish("a", 1);
  await first.until(({ messages }) => messages.length === 1);
  const { lastEventId } = first;
  await first.leave();
  await streams.publish("a", 2);
  const second = await open(streams, "a", lastEventId);
  await streams.publish("a", 3);
  await second.until(({ messages }) => messages.length === 2);
  assertEquals(second.messages.map(({ data }) => data), ["2", "3"]);
  await second.leave();
});

Deno.test("a stream of as=events has an id before the first event", async () => {
  await using streams = new Streams();
  const response = await streams.gateway.handler(new Request(`${URL}&c=a`));
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!/^id: 1\|a\+\S+\+0\n\n/m.test(text)) text += (await reader?.read())?.value;
  await reader?.cancel();
});

Deno.test("where events may be missing as=events says so by 410, whoever publishes what", async () => {
  await using streams = new Streams();
  await streams.publish("a", 1);
  const other = await streams.open({ channels: ["b"] });
  const { lastEventId = "" } = await other.live("b");
  await other.leave();
  for (const id of ["1|a+0+another+0", "not ours", lastEventId]) {
    assertEquals(await refusal(streams, "&c=a", id), [410, "sse.position_lost"], id);
  }
  assertEquals(streams.gateway.clientCount, 0);
});

Deno.test("as=events takes exactly one channel, and tells a refusal by the status", async () => {
  await using streams = new Streams();
  streams.broadcaster.authorize("private-broken", () => {
    throw new Error("No database");
  });
  assertEquals(await refusal(streams, "&c=a&c=b"), [400, "sse.channels"]);
  assertEquals(await refusal(streams, ""), [400, "sse.channels"]);
  assertEquals(await refusal(streams, "&c=no%20spaces"), [400, "sse.channel"]);
  assertEquals(await refusal(streams, "&c=private-a"), [403, "sse.unauthorized"]);
  assertEquals(await refusal(streams, "&c=private-broken"), [503, "sse.authorization_failed"]);
  assertEquals(streams.gateway.clientCount, 0);
});

Deno.test("a subscription that ends ends the stream of as=events", async () => {
  await using streams = new Streams();
  const reader = await open(streams, "a");
  await streams.broadcaster.close();
  await reader.end();
  assertEquals(streams.gateway.clientCount, 0);
  assertEquals(reader.messages, []);
});

Deno.test("a gateway that closes while a rule of as=events is asked answers 503", async () => {
  await using streams = new Streams();
  streams.broadcaster.authorize("private-a", () => new Promise(() => {}));
  const refused = refusal(streams, "&c=private-a");
  await streams.gateway.close();
  assertEquals(await refused, [503, "sse.ended"]);
});
