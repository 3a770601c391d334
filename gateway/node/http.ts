import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { plainAnswer } from "../plain_answer.ts";
import type { UpgradeRequest } from "../upgrade_request.ts";

/** A request of `node:http` as the platform's own; `undefined` for one that is none. */
export function toRequest(message: IncomingMessage): Request | undefined {
  const { method = "GET" } = message;
  try {
    const headers = new Headers();
    for (const [name, value] of rawHeaders(message)) headers.append(name, value);
    const hasBody = method !== "GET" && method !== "HEAD";
    const body = hasBody ? { body: toWeb(message), duplex: "half" } : {};
    return new Request(addressOf(message), { method, headers, ...body });
  } catch {
    // No address, or a method that no handler gets to see.
    return undefined;
  }
}

/**
 * What decides about an upgrade, or `undefined` for what is no request. The platform's own costs more
 * than all else about a connection.
 */
export function readUpgrade(message: IncomingMessage): UpgradeRequest | undefined {
  const url = addressOf(message);
  if (!URL.canParse(url)) return undefined;
  return {
    method: message.method ?? "GET",
    url,
    headers: {
      get(name) {
        const value = message.headers[name];
        return (Array.isArray(value) ? value.join(", ") : value) ?? null;
      },
      [Symbol.iterator]: () => rawHeaders(message),
    },
  };
}

function addressOf({ url = "/", headers, socket }: IncomingMessage): string {
  const scheme = "encrypted" in socket && socket.encrypted === true ? "https" : "http";
  return url.startsWith("/") ? `${scheme}://${headers.host ?? "localhost"}${url}` : url;
}

/** Names and values as they came. */
function* rawHeaders({ rawHeaders }: IncomingMessage): Generator<[name: string, value: string]> {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    yield [rawHeaders[i] ?? "", rawHeaders[i + 1] ?? ""];
  }
}

/** The answer to what is no request. */
export function badRequest(): Response {
  return plainAnswer(400, "Bad request");
}

/**
 * Answers an ordinary request, however long the answer goes on; resolves when it is over. A client
 * that leaves cancels the body, and one that reads slowly is read for as slowly.
 */
export async function respond(response: ServerResponse, answer: Response): Promise<void> {
  // What nobody wants to read of a request is not waited for: its connection ends with the answer.
  if (!response.req.complete) response.shouldKeepAlive = false;
  response.writeHead(answer.status, [...answer.headers].flat());
  if (answer.body === null) {
    response.end();
    return;
  }
  response.flushHeaders();
  const reader = answer.body.getReader();
  // Ends the wait for room. Not one promise for the end of all: it would remember each of the waits.
  let goOn = () => {};
  let isOpen = true;
  response.on("drain", () => goOn());
  response.once("close", () => {
    isOpen = false;
    goOn();
    reader.cancel().catch(() => {});
  });
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      if (response.write(read.value) || !isOpen) continue;
      await new Promise<void>((resolve) => goOn = resolve);
    }
    response.end();
  } catch {
    // Half an answer must not look like a whole one.
    response.destroy();
  }
}

/** Answers a request for an upgrade that gets none, on its bare connection, which ends with it. */
export async function respondBare(stream: Duplex, answer: Response): Promise<void> {
  // The client may leave at any time, and that is nobody's failure.
  stream.on("error", () => stream.destroy());
  const body = new Uint8Array(await answer.arrayBuffer());
  const head = [
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ""}`,
    ...Array.from(answer.headers, ([name, value]) => `${name}: ${value}`),
    `content-length: ${body.byteLength}`,
  ].filter((line) => !line.startsWith("connection:"));
  stream.write(`${head.join("\r\n")}\r\nconnection: close\r\n\r\n`);
  stream.end(body, () => stream.destroy());
}

/** The body of a request, which is read as it is asked for. */
function toWeb(message: IncomingMessage): ReadableStream<Uint8Array> {
  const stop = new AbortController();
  const body: UnderlyingDefaultSource<Uint8Array> = {
    start(controller) {
      on("data", (chunk) => {
        controller.enqueue(chunk);
        message.pause();
      });
      on("end", () => controller.close());
      on(
        "close",
        () => controller.error(new Error("The client left in the middle of its request")),
      );
      message.pause();
    },
    pull() {
      message.resume();
    },
    cancel() {
      stop.abort();
      // The rest must not stand in the way of the connection's next request, or of its end.
      message.resume();
    },
  };
  function on(event: string, listener: (chunk: Uint8Array) => void): void {
    message.on(event, (chunk) => {
      if (stop.signal.aborted) return;
      if (event !== "data") stop.abort();
      listener(chunk);
    });
  }
  return new ReadableStream(body, { highWaterMark: 0 });
}
