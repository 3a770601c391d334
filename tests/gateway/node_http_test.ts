/** Requests and answers of `node:http` as the platform's own. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createServer, type RequestListener } from "node:http";
import { Duplex } from "node:stream";
import { respond, respondBare, toRequest } from "../../gateway/node/http.ts";
import { listenOnLoopback } from "../servers/listen_on_loopback.ts";

/** A failure is a test that fails, not one that hangs. */
const timeout = 20_000;

/** A server that answers with a listener, and goes with all its connections. */
async function listen(listener: RequestListener) {
  const server = createServer(listener);
  const port = await listenOnLoopback(server);
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Sends a request whose body should have ten bytes, and perhaps has fewer. */
async function send(port: number, body: string): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = [
    "POST /a?b HTTP/1.1",
    `host: 127.0.0.1:${port}`,
    "content-length: 10",
    "x-last: 1",
  ];
  await connection.write(new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n${body}`));
  return connection;
}

Deno.test("a request has its address, its headers and its body", { timeout }, async () => {
  const asked = Promise.withResolvers<unknown[]>();
  await using server = await listen(async (message, response) => {
    const request = toRequest(message);
    assert(request !== undefined);
    const { method, url, headers } = request;
    asked.resolve([method, url, headers.get("x-last"), await request.text()]);
    response.end();
  });
  using _ = await send(server.port, "0123456789");
  assertEquals(await asked.promise, ["POST", `${server.origin}/a?b`, "1", "0123456789"]);
});

Deno.test("a client that leaves in the middle of its request ends the reading of it", {
  timeout,
}, async () => {
  const body = Promise.withResolvers<Promise<string> | undefined>();
  await using server = await listen((message) => body.resolve(toRequest(message)?.text()));
  const connection = await send(server.port, "half");
  const reading = assertRejects(() => body.promise, Error, "left in the middle");
  connection.close();
  await reading;
});

Deno.test("an answer may have no body", { timeout }, async () => {
  await using server = await listen((_, response) => {
    respond(response, new Response(null, { status: 204, headers: { "x-a": "1" } }));
  });
  const { status, headers, body } = await fetch(server.origin);
  assertEquals([status, headers.get("x-a"), body], [204, "1", null]);
});

Deno.test("half an answer does not look like a whole one", { timeout }, async () => {
  const failing = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>();
  await using server = await listen(async (_, response) => {
    // Whole by then, so that the connection could go on: the end of one that cannot is no sign.
    await undefined;
    const body = new ReadableStream<Uint8Array>({ start: failing.resolve });
    respond(response, new Response(body));
  });
  const answer = await fetch(server.origin);
  const controller = await failing.promise;
  controller.enqueue(new TextEncoder().encode("half"));
  controller.error(new Error("The other half is lost"));
  await assertRejects(() => answer.text());
});

Deno.test("who leaves before a refusal reached it is nobody's failure", { timeout }, async () => {
  const stream = new Duplex({
    read() {},
    write: (_bytes, _encoding, done) => done(new Error("EPIPE")),
  });
  const closed = new Promise((resolve) => stream.once("close", resolve));
  await respondBare(stream, new Response("Not found", { status: 404 }));
  await closed;
});
