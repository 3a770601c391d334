import type { IncomingMessage, ServerResponse } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** A request of `node:http` as the platform's own; `undefined` for one that is none. */
export function toRequest(message: IncomingMessage): Request | undefined {
  const { method = "GET", url = "/", rawHeaders, socket } = message;
  const scheme = "encrypted" in socket ? "https" : "http";
  const address = url.startsWith("/")
    ? `${scheme}://${message.headers.host ?? "localhost"}${url}`
    : url;
  try {
    const headers = new Headers();
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      headers.append(rawHeaders[i] ?? "", rawHeaders[i + 1] ?? "");
    }
    return new Request(address, { method, headers });
  } catch {
    // No address, or a method that no handler gets to see.
    return undefined;
  }
}

/** The answer to what is no request. */
export function badRequest(): Response {
  return new Response("Bad request\n", { status: 400 });
}

/** Answers an ordinary request. */
export async function respond(response: ServerResponse, answer: Response): Promise<void> {
  const body = new Uint8Array(await answer.arrayBuffer());
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.end(body);
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
