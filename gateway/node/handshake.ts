import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { plainAnswer } from "../plain_answer.ts";

/** What a key is put in front of: section 1.3 of RFC 6455. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Sixteen bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** Neither an extension nor a subprotocol is spoken, so none is chosen. */
const HEAD = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
  "sec-websocket-accept: ";

/** The answer that makes a WebSocket of a request, or nothing for one that does not ask rightly. */
export function handshake(headers: IncomingHttpHeaders): Buffer | undefined {
  const key = headers["sec-websocket-key"];
  if (key === undefined || !KEY.test(key) || headers["sec-websocket-version"] !== "13") return;
  const accept = createHash("sha1").update(key + GUID).digest("base64");
  return Buffer.from(`${HEAD}${accept}\r\n\r\n`, "latin1");
}

/** The answer to a request that does not ask rightly. */
export function badHandshake(): Response {
  return plainAnswer(400, "Not a WebSocket handshake", { "sec-websocket-version": "13" });
}
