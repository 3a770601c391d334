import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";

const broadcaster = new MemoryBroadcaster();
const gateway = new BroadcastGateway({ broadcaster });
const entrypoints = [new URL("page.ts", import.meta.url).href];
const bundle = await Deno.bundle({ entrypoints, platform: "browser", write: false });
const script = bundle.outputFiles?.[0]?.text();
const page =
  "<!doctype html><title>Clock</title><h1></h1><script type=module src=/page.js></script>";

setInterval(() => broadcaster.publish("clock", { event: "tick", data: Date() }), 1000);
Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.env.get("PORT") ?? 8000) }, (request) => {
  if (gateway.match(request)) return gateway.handler(request);
  const [type, body] = request.url.endsWith("/page.js") ? ["javascript", script] : ["html", page];
  return new Response(body, { headers: { "content-type": `text/${type}` } });
});
