import type { Revision, ServerFrame } from "../protocol/frames.ts";
import type { ErrReason } from "../protocol/reasons.ts";
import type { EncodedFrame } from "./encoded_frame.ts";
import type { OutboundQueue } from "./outbound_queue.ts";

/** What a frame of a client that is answered says about itself. */
export interface ClientRequest {
  /** Channel. */
  readonly c: string;
  /** Request number. */
  readonly n?: number | undefined;
}

/** The client at the other end of a connection, as its channels and publishes know it. */
export interface Client<Subject> {
  readonly id: string;
  readonly subject: Subject | undefined;
  readonly user: string | undefined;
  readonly revision: Revision;
  /** What goes to it; for events alone, which a live channel sends past everything else. */
  readonly outbound: OutboundQueue;
  readonly isEnded: boolean;
  /** Whether the socket takes more without anything having to wait. */
  readonly hasRoom: boolean;
  send(frame: ServerFrame): void;
  sendEncoded(frame: EncodedFrame): void;
  refuse(request: ClientRequest, reason: ErrReason): void;
  /** It reads too slowly: ends the connection. */
  cutOff(): void;
}
