import type { Deadlines } from "../core/deadline.ts";
import type { AnyBroadcastError } from "../core/errors.ts";
import type { ChannelEvent, Position, PublishReceipt } from "../core/event.ts";
import type { SubscriptionStart } from "../core/listener.ts";
import { utf8ByteLength } from "../protocol/bytes.ts";
import { CLOSE, type CloseCode } from "../protocol/close_codes.ts";
import { parseClientMessage } from "../protocol/codec.ts";
import type {
  ClientFrame,
  PubFrame,
  Recovery,
  Revision,
  ServerFrame,
  SubFrame,
  UnsubFrame,
  WirePosition,
} from "../protocol/frames.ts";
import { type ErrReason, REASONS } from "../protocol/reasons.ts";
import { isChannelName } from "../protocol/names.ts";
import { asBroadcastError, ClientPublishes, type Publisher } from "./client_publishes.ts";
import type { EncodedFrame } from "./encoded_frame.ts";
import { encode, type EventEncoder } from "./encoder.ts";
import type { Flusher } from "./flusher.ts";
import { Heartbeat } from "./heartbeat.ts";
import { HeldChannel } from "./held_channel.ts";
import type { ConnectionInfo, GatewaySettings } from "./options.ts";
import { OutboundQueue } from "./outbound_queue.ts";
import { TokenBucket } from "./rate_limit.ts";
import type { GatewaySocket, SocketEvents } from "./socket.ts";

const PING = encode({ t: "ping" });

/** What a session needs of its gateway. */
export interface SessionHost<Subject> {
  readonly settings: GatewaySettings<Subject>;
  readonly deadlines: Deadlines;
  readonly encoder: EventEncoder;
  readonly flusher: Flusher;
  report(error: AnyBroadcastError): void;
  /** A channel became live on, or left, one connection. */
  subscribed(channel: string): void;
  unsubscribed(channel: string): void;
  ended(session: Session<Subject>, end: SessionEnd): void;
}

/** How a session ended. */
export interface SessionEnd {
  readonly code: number;
  readonly reason: string;
  /** False for one that left, or was refused, before it was known who is there. */
  readonly wasWelcomed: boolean;
}

/**
 * One connection: reads the client's frames, asks the rules, passes events on. It ends when it
 * decides to or when its socket did, whichever comes first, and leaves nothing behind.
 */
export class Session<Subject> implements SocketEvents, Publisher<Subject> {
  readonly id: string = crypto.randomUUID();
  readonly revision: Revision;
  readonly #socket: GatewaySocket;
  readonly #host: SessionHost<Subject>;
  readonly #queue: OutboundQueue;
  #heartbeat: Heartbeat | undefined;
  readonly #subscribes: TokenBucket;
  readonly #publishes: ClientPublishes<Subject>;
  readonly #channels = new Map<string, HeldChannel>();
  #subject: Subject | undefined;
  /** `joining` until it is known who is there, and nothing is read from the client. */
  #state: "joining" | "open" | "ended" = "joining";

  constructor(socket: GatewaySocket, revision: Revision, host: SessionHost<Subject>) {
    const { settings } = host;
    this.revision = revision;
    this.#socket = socket;
    this.#host = host;
    this.#queue = new OutboundQueue(socket, host.flusher, {
      maxBytes: settings.maxQueuedBytes,
      batches: revision === 2,
      onBroken: () => this.#finish(1006, "socket closed"),
    });
    this.#subscribes = new TokenBucket(settings.subscribeRate);
    this.#publishes = new ClientPublishes(host, this);
  }

  /** Who this connection is, as hooks are told. */
  get info(): ConnectionInfo<Subject> {
    return { id: this.id, subject: this.#subject };
  }

  get subject(): Subject | undefined {
    return this.#subject;
  }

  get isEnded(): boolean {
    return this.#state === "ended";
  }

  /** Welcomes the client; from here on it is heard, and asked for signs of life. */
  start(subject: Subject | undefined, announce: () => void): void {
    this.#subject = subject;
    this.#state = "open";
    announce();
    if (this.isEnded) return;
    const { pingIntervalMs, pongTimeoutMs, maxFrameBytes } = this.#host.settings;
    this.#heartbeat = new Heartbeat(pingIntervalMs, pongTimeoutMs, {
      ping: () => this.#sendEncoded(PING),
      dead: () => this.end(CLOSE.pingTimeout),
    });
    const limits = { v: 2, ping: pingIntervalMs, max: maxFrameBytes };
    this.#send({ t: "welcome", id: this.id, ...(this.revision === 1 ? {} : limits) });
  }

  message(data: unknown): void {
    if (this.#state !== "open") return;
    this.#heartbeat?.heard();
    if (typeof data !== "string") {
      // No frame is binary, but what is dropped must not be free of the limit either.
      const isOver = data instanceof ArrayBuffer &&
        data.byteLength > this.#host.settings.maxFrameBytes;
      if (isOver) this.end(CLOSE.frameTooLarge);
      return;
    }
    if (isLargerThan(data, this.#host.settings.maxFrameBytes)) {
      this.end(CLOSE.frameTooLarge);
      return;
    }
    const frames = parseClientMessage(data, this.revision);
    for (const parsed of frames) {
      // A frame may end the connection, and what stands behind it in a batch is not heard any more.
      if (this.isEnded) return;
      if (parsed.kind === "frame") this.#receive(parsed.frame, data.length / frames.length);
    }
  }

  closed(code: number, reason: string): void {
    this.#finish(code, reason);
  }

  /** Closes the connection with a code that tells the client what to do next. */
  end(close: CloseCode): void {
    // Nothing that was said before is lost on a peer that reads.
    this.#queue.flush();
    if (!this.#finish(close.code, close.reason)) return;
    // What a client said before it left counts; what is left of one that was cut off does not.
    this.#publishes.clear();
    try {
      this.#socket.close(close.code, close.reason);
    } catch {
      // The socket is gone already, which is what was wanted.
    }
  }

  #finish(code: number, reason: string): boolean {
    if (this.#state === "ended") return false;
    const wasWelcomed = this.#state === "open";
    this.#state = "ended";
    this.#heartbeat?.stop();
    this.#queue.clear();
    for (const channel of [...this.#channels.values()]) this.#release(channel);
    this.#host.ended(this, { code, reason, wasWelcomed });
    return true;
  }

  #receive(frame: ClientFrame, size: number): void {
    switch (frame.t) {
      case "sub":
        return this.#subscribe(frame);
      case "unsub":
        return this.#unsubscribe(frame);
      case "pub":
        return this.#publishes.accept(frame, size);
      case "auth":
      case "pong":
        // Every message counts as a sign of life.
        return;
    }
  }

  #subscribe(request: SubFrame): void {
    const { c: name } = request;
    const held = this.#channels.get(name);
    if (held !== undefined) return this.#subscribeAgain(held, request);
    if (!this.#subscribes.take()) return this.refuse(request, "rate limited");
    if (!isChannelName(name)) return this.refuse(request, "invalid channel name");
    if (this.#channels.size >= this.#host.settings.maxChannelsPerConnection) {
      return this.refuse(request, "too many channels");
    }
    const channel = new HeldChannel(request, {
      live: (channel, start) => this.#onLive(channel, start),
      event: (channel, event) => this.#deliver(channel, event),
      lost: (channel) => this.#onLost(channel),
      over: (channel, reason, error) => {
        if (error !== undefined) this.#host.report(error);
        this.#drop(channel, reason);
      },
    });
    this.#channels.set(name, channel);
    this.#open(channel, request.p);
  }

  #subscribeAgain(held: HeldChannel, request: SubFrame): void {
    if (held.isLive) return this.#answerSub(request, held.position, "none");
    // One that is still on its way is answered when it is live; revision 1 has one answer for all.
    if (this.revision === 1) return;
    if (!this.#subscribes.take()) return this.refuse(request, "rate limited");
    held.requests.push(request);
  }

  async #open(channel: HeldChannel, p: WirePosition | undefined): Promise<void> {
    const { broadcaster } = this.#host.settings;
    try {
      const decision = await broadcaster.authorizeFor(channel.name, this.#subject);
      if (channel.isReleased) return;
      if (decision.authorized !== true) return this.#drop(channel, "unauthorized");
      const after = p && { epoch: p.e, offset: p.o };
      channel.open(
        (listener) => broadcaster.listen(channel.name, listener, { after }),
        decision.expiresAt,
      );
    } catch (error) {
      if (channel.isReleased) return;
      const failure = asBroadcastError(error, "Cannot open a subscription");
      this.#host.report(failure);
      const isRuleFailure = failure.code === "broadcast.authorization_failed";
      this.#drop(channel, isRuleFailure ? "authorization failed" : "subscription failed");
    }
  }

  #onLive(channel: HeldChannel, { position, recovery, missed }: SubscriptionStart): void {
    this.#host.subscribed(channel.name);
    const requests = channel.requests.splice(0);
    for (const request of requests) {
      // Who asked from another position than the first was not resumed from there.
      const isResumed = isSamePosition(request.p, requests[0]?.p);
      this.#answerSub(request, position, isResumed ? recovery : "none", missed);
    }
  }

  /** Revision 1 has no word for it; the client goes on with what follows. */
  #onLost(channel: HeldChannel): void {
    if (this.revision === 2) this.#drop(channel, "position lost");
  }

  /** Tells the client that it does not hold the channel, or not any more. */
  #drop(channel: HeldChannel, reason: ErrReason): void {
    const { name } = channel;
    const wasLive = channel.isLive;
    this.#release(channel);
    if (wasLive && this.revision === 2) {
      const { k, w } = REASONS[reason];
      this.#send({ t: "gone", c: name, k, r: reason, w });
      return;
    }
    const requests = wasLive ? [{ c: name }] : channel.requests;
    for (const request of requests) this.refuse(request, reason);
  }

  #release(channel: HeldChannel): void {
    if (channel.isLive) this.#host.unsubscribed(channel.name);
    channel.release();
    // A later subscription of the same name may have taken its place.
    if (this.#channels.get(channel.name) === channel) this.#channels.delete(channel.name);
  }

  #unsubscribe({ c, n }: UnsubFrame): void {
    const channel = this.#channels.get(c);
    if (channel !== undefined) this.#release(channel);
    if (n !== undefined) this.#send({ t: "ok", c, n });
  }

  holds(channel: string): boolean {
    return this.#channels.get(channel)?.isLive === true;
  }

  published({ c, n }: PubFrame, { id, position }: PublishReceipt): void {
    if (n !== undefined) this.#send({ t: "ok", c, n, i: id, p: toWire(position) });
  }

  refuse({ c, n }: { readonly c: string; readonly n?: number | undefined }, reason: ErrReason) {
    const details = this.revision === 1 ? undefined : { n, ...REASONS[reason] };
    this.#send({ t: "err", c, r: reason, ...details });
  }

  #answerSub(
    { c, n }: SubFrame,
    position: Position | undefined,
    r: Recovery,
    missed = 0,
  ): void {
    const p = toWire(position);
    const details = this.revision === 1
      ? undefined
      : { n, p, r, m: r === "ok" ? missed : undefined };
    this.#send({ t: "ok", c, ...details });
  }

  #deliver(channel: HeldChannel, event: ChannelEvent): void {
    channel.position = event.position;
    if (event.except !== undefined && event.except === this.id) return this.#skip(event);
    this.#sendEncoded(this.#host.encoder.encode(event, this.revision));
  }

  /** The client is left out, but must know where the channel stands. */
  #skip({ channel, position }: ChannelEvent): void {
    if (this.revision === 1 || position === undefined) return;
    this.#send({ t: "skip", c: channel, o: position.offset });
  }

  #send(frame: ServerFrame): void {
    this.#sendEncoded(encode(frame));
  }

  #sendEncoded(frame: EncodedFrame): void {
    if (this.#state !== "open") return;
    if (!this.#queue.push(frame)) this.end(CLOSE.slowConsumer);
  }
}

/** A text is at least as many bytes as it has characters, so most are decided without counting. */
function isLargerThan(text: string, maxBytes: number): boolean {
  return text.length > maxBytes || (text.length * 3 > maxBytes && utf8ByteLength(text) > maxBytes);
}

function toWire(position: Position | undefined): WirePosition | undefined {
  return position && { e: position.epoch, o: position.offset };
}

function isSamePosition(a: WirePosition | undefined, b: WirePosition | undefined): boolean {
  return a?.e === b?.e && a?.o === b?.o;
}
