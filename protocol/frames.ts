/** Which revision of the protocol two peers speak: 2 where both know it, else 1. */
export type Revision = 1 | 2;

/** A position on the wire. */
export interface WirePosition {
  /** Epoch: an opaque name of one unbroken history of the channel. */
  readonly e: string;
  /** Offset in it: the number of the last event, 0 before the first. */
  readonly o: number;
}

/** When to try again what was refused or ended. */
export type RetryVerdict = "now" | "backoff" | "never";

/** What became of a resume: nothing was asked, the whole gap follows, or it cannot be proven. */
export type Recovery = "none" | "ok" | "lost";

/** A member of a `presence-` channel, as all members see it. */
export interface WireMember {
  /** User id: one member however many connections carry it. */
  readonly id: string;
  /** Anything else that all members may see. */
  readonly [key: string]: unknown;
}

/** First frame on a connection: the connection id, minted by the server. */
export interface WelcomeFrame {
  /** Frame type. */
  readonly t: "welcome";
  /** Connection id. */
  readonly id: string;
  /** Revision that both sides speak from here on; absent in revision 1. */
  readonly v?: number | undefined;
  /** Milliseconds between two pings. Revision 2. */
  readonly ping?: number | undefined;
  /** Largest message that the server takes, in UTF-8 bytes. Revision 2. */
  readonly max?: number | undefined;
  /** Secret of the uplink, where the frame stands on a stream of server-sent events. Revision 2. */
  readonly up?: string | undefined;
}

/**
 * For a `sub`: the subscription to channel `c` is live, what is published from now on arrives. In
 * revision 2 also the answer to a `pub`, an `unsub` and an `auth`, told apart by `n`.
 */
export interface OkFrame {
  /** Frame type. */
  readonly t: "ok";
  /** Channel; empty in the answer to an `auth`, which is about none. */
  readonly c: string;
  /** Number of the request that is answered. Revision 2. */
  readonly n?: number | undefined;
  /** For a `sub` the channel's top, live events start after it; for a `pub` the event's position. */
  readonly p?: WirePosition | undefined;
  /** What became of the resume. Revision 2, for a `sub`. */
  readonly r?: Recovery | undefined;
  /** With `r: "ok"`: how many missed `msg` frames follow before the live ones. */
  readonly m?: number | undefined;
  /** For a `pub`: the event's id. Revision 2. */
  readonly i?: string | undefined;
}

/** Something was refused or failed. */
export interface ErrFrame {
  /** Frame type. */
  readonly t: "err";
  /** Channel the refusal is about; empty in the answer to an `auth`. */
  readonly c: string;
  /** Reason, see {@linkcode ErrReason}. A peer accepts reasons it does not know. */
  readonly r: string;
  /** Number of the request that is refused. Revision 2. */
  readonly n?: number | undefined;
  /** Stable code of the reason. Revision 2. */
  readonly k?: string | undefined;
  /** When to try again. Revision 2. */
  readonly w?: RetryVerdict | undefined;
}

/** An event on a channel. */
export interface MsgFrame {
  /** Frame type. */
  readonly t: "msg";
  /** Channel. */
  readonly c: string;
  /** Event name. */
  readonly e: string;
  /** Data: any JSON value. */
  readonly d: unknown;
  /** Event id. */
  readonly i: string;
  /** Offset. Revision 2, where the server keeps history. */
  readonly o?: number | undefined;
}

/** The server asks for a {@linkcode PongFrame}. */
export interface PingFrame {
  /** Frame type. */
  readonly t: "ping";
}

/** The server ended the subscription to channel `c`. Revision 2. */
export interface GoneFrame {
  /** Frame type. */
  readonly t: "gone";
  /** Channel. */
  readonly c: string;
  /** Stable code of the reason. */
  readonly k: string;
  /** Reason. */
  readonly r: string;
  /** When to subscribe again. */
  readonly w: RetryVerdict;
}

/** Everybody who is on a `presence-` channel. Revision 2. */
export interface HereFrame {
  /** Frame type. */
  readonly t: "here";
  /** Channel. */
  readonly c: string;
  /** All members; absent where there are too many to list. */
  readonly m?: readonly WireMember[] | undefined;
  /** How many members there are, where they are too many to list. */
  readonly s?: number | undefined;
}

/** A member came. Revision 2. */
export interface JoinFrame {
  /** Frame type. */
  readonly t: "join";
  /** Channel. */
  readonly c: string;
  /** Who. */
  readonly m: WireMember;
}

/** A member left. Revision 2. */
export interface LeaveFrame {
  /** Frame type. */
  readonly t: "leave";
  /** Channel. */
  readonly c: string;
  /** User id. */
  readonly u: string;
}

/** The position on channel `c` moves to offset `o` without an event: it left this client out. */
export interface SkipFrame {
  /** Frame type. */
  readonly t: "skip";
  /** Channel. */
  readonly c: string;
  /** Offset. */
  readonly o: number;
}

/** The subject expires in `s` seconds: send an {@linkcode AuthFrame}. Revision 2. */
export interface ExpFrame {
  /** Frame type. */
  readonly t: "exp";
  /** Seconds. */
  readonly s: number;
}

/** The server is draining: come back after `ms`. Revision 2. */
export interface ByeFrame {
  /** Frame type. */
  readonly t: "bye";
  /** Reason. */
  readonly r: string;
  /** Milliseconds to wait, different for every connection. */
  readonly ms: number;
}

/** Subscribe to a channel. */
export interface SubFrame {
  /** Frame type. */
  readonly t: "sub";
  /** Channel. */
  readonly c: string;
  /** Request number, counted by the client. Revision 2. */
  readonly n?: number | undefined;
  /** Position to resume from. Revision 2. */
  readonly p?: WirePosition | undefined;
}

/** End the subscription to a channel. */
export interface UnsubFrame {
  /** Frame type. */
  readonly t: "unsub";
  /** Channel. */
  readonly c: string;
  /** Request number. Revision 2. */
  readonly n?: number | undefined;
}

/** Publish an event; denied unless the application allows it. */
export interface PubFrame {
  /** Frame type. */
  readonly t: "pub";
  /** Channel. */
  readonly c: string;
  /** Event name. */
  readonly e: string;
  /** Data: any JSON value. */
  readonly d: unknown;
  /** Request number. Revision 2. */
  readonly n?: number | undefined;
  /** Event id, minted by the client: publishing it twice delivers once. Revision 2. */
  readonly i?: string | undefined;
  /** `true` leaves the publishing connection out. Revision 2. */
  readonly x?: boolean | undefined;
}

/** Answer to {@linkcode PingFrame}. */
export interface PongFrame {
  /** Frame type. */
  readonly t: "pong";
}

/** A fresh token. Revision 2. */
export interface AuthFrame {
  /** Frame type. */
  readonly t: "auth";
  /** Request number. */
  readonly n: number;
  /** The token. */
  readonly k: string;
}

/** Every frame a server sends. */
export type ServerFrame =
  | WelcomeFrame
  | OkFrame
  | ErrFrame
  | MsgFrame
  | PingFrame
  | GoneFrame
  | HereFrame
  | JoinFrame
  | LeaveFrame
  | SkipFrame
  | ExpFrame
  | ByeFrame;

/** Every frame a client sends. */
export type ClientFrame = SubFrame | UnsubFrame | PubFrame | PongFrame | AuthFrame;
