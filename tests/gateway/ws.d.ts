/** What the tests use of npm `ws`, which brings no types of its own. */
import type { Buffer } from "node:buffer";

export class Receiver {
  constructor(options: { readonly isServer: boolean; readonly maxPayload: number });
  write(bytes: Buffer): boolean;
  on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): this;
  on(event: "ping", listener: (payload: Buffer) => void): this;
  on(event: "conclude", listener: (code: number, reason: Buffer) => void): this;
  on(event: "error", listener: (error: Error) => void): this;
}
