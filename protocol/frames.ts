/** First frame on a connection: the connection id, minted by the server. */
export interface WelcomeFrame {
  /** Frame type. */
  readonly t: "welcome";
  /** Connection id. */
  readonly id: string;
}

/** The subscription to channel `c` is live: what is published from now on arrives. */
export interface OkFrame {
  /** Frame type. */
  readonly t: "ok";
  /** Channel. */
  readonly c: string;
}

/** Something about channel `c` was refused or failed. */
export interface ErrFrame {
  /** Frame type. */
  readonly t: "err";
  /** Channel the refusal is about. */
  readonly c: string;
  /** Reason, see {@linkcode ErrReason}. A peer accepts reasons it does not know. */
  readonly r: string;
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
}

/** The server asks for a {@linkcode PongFrame}. */
export interface PingFrame {
  /** Frame type. */
  readonly t: "ping";
}

/** Subscribe to a channel. */
export interface SubFrame {
  /** Frame type. */
  readonly t: "sub";
  /** Channel. */
  readonly c: string;
}

/** End the subscription to a channel. */
export interface UnsubFrame {
  /** Frame type. */
  readonly t: "unsub";
  /** Channel. */
  readonly c: string;
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
}

/** Answer to {@linkcode PingFrame}. */
export interface PongFrame {
  /** Frame type. */
  readonly t: "pong";
}

/** Every frame a server sends in revision 1. */
export type ServerFrame = WelcomeFrame | OkFrame | ErrFrame | MsgFrame | PingFrame;

/** Every frame a client sends in revision 1. */
export type ClientFrame = SubFrame | UnsubFrame | PubFrame | PongFrame;

/**
 * The reasons an `err` frame carries. Those that start with `publish`, and `invalid event name`, are
 * about a publish; all others mean that the client is not, or no longer, subscribed. A client treats
 * a reason it does not know by the same rule.
 */
export type ErrReason =
  | "unauthorized"
  | "authorization failed"
  | "publish denied"
  | "publish failed"
  | "publish rate limited"
  | "invalid channel name"
  | "invalid event name"
  | "too many channels"
  | "rate limited"
  | "subscription failed";
