import type { ControlOrder } from "../core/orders.ts";
import { utf8ByteLength } from "../protocol/bytes.ts";
import { CLOSE, type CloseCode } from "../protocol/close_codes.ts";
import { parseClientMessage } from "../protocol/codec.ts";
import type { ClientFrame, Revision, ServerFrame } from "../protocol/frames.ts";
import { type ErrReason, REASONS } from "../protocol/reasons.ts";
import type { Client, ClientRequest } from "./client.ts";
import { ClientChannels } from "./client_channels.ts";
import type { ClientHost } from "./client_host.ts";
import { ClientPublishes } from "./client_publishes.ts";
import { type EncodedFrame, EncodedFrames } from "./encoded_frame.ts";
import { encode } from "./encoder.ts";
import type { Flushable } from "./flusher.ts";
import type { Beating, Heartbeats } from "./heartbeats.ts";
import { Identity, type IdentityOwner } from "./identity.ts";
import type { ConnectionInfo } from "./options.ts";
import { OutboundQueue, type OutboundQueueOwner } from "./outbound_queue.ts";
import type { SessionEnd } from "./reporter.ts";
import type { GatewaySocket, SocketEvents } from "./socket.ts";
import { Unheard } from "./unheard.ts";
import type { UpgradeRequest } from "./upgrade_request.ts";

const PING = encode({ t: "ping" });

/** What a session needs of its gateway. */
export interface SessionHost<Subject> extends ClientHost<Subject> {
  readonly heartbeats: Heartbeats;
  ended(session: Session<Subject>, end: SessionEnd): void;
  /** The socket of a session is closed; may be told more than once. */
  gone(session: Session<Subject>): void;
}

/**
 * One connection: reads the client's frames, asks the rules, passes events on. It ends when it
 * decides to or when its socket did, whichever comes first, and leaves nothing behind.
 */
export class Session<Subject>
  implements SocketEvents, Client<Subject>, Flushable, IdentityOwner, OutboundQueueOwner, Beating {
  readonly id: string = crypto.randomUUID();
  readonly revision: Revision;
  wasHeard = true;
  readonly #socket: GatewaySocket;
  readonly #host: SessionHost<Subject>;
  readonly outbound: OutboundQueue;
  readonly #channels: ClientChannels<Subject>;
  /** Made with the first publish: most clients only listen. */
  #publishes: ClientPublishes<Subject> | undefined;
  readonly #identity: Identity<Subject>;
  /** Made with the first frame that came too early: most clients wait until they are known. */
  #unheard: Unheard | undefined;
  /**
   * `joining` until it is known who is there, `leaving` when it was told to come back later: in both,
   * nothing is read from the client.
   */
  #state: "joining" | "open" | "leaving" | "ended" = "joining";

  constructor(socket: GatewaySocket, revision: Revision, host: SessionHost<Subject>) {
    this.revision = revision;
    this.#socket = socket;
    this.#host = host;
    this.outbound = new OutboundQueue(socket, host.flusher, this);
    this.#identity = new Identity(host, this);
    this.#channels = new ClientChannels(host, this);
  }

  /** Who this connection is, as hooks are told. */
  get info(): ConnectionInfo<Subject> {
    return { id: this.id, subject: this.subject, user: this.user };
  }

  get subject(): Subject | undefined {
    return this.#identity.subject;
  }

  get user(): string | undefined {
    return this.#identity.user;
  }

  get maxQueuedBytes(): number {
    return this.#host.settings.maxQueuedBytes;
  }

  get isEnded(): boolean {
    return this.#state === "ended";
  }

  /** Begins: the client is welcomed when it is known whose request that was. */
  start(request: UpgradeRequest): void {
    this.#identity.start(request);
  }

  /** From here on the client is heard, and asked for signs of life. */
  welcome(): void {
    this.#state = "open";
    this.#host.reporter.connected(this);
    if (this.isEnded) return;
    this.#host.heartbeats.add(this);
    const { pingIntervalMs, maxFrameBytes } = this.#host.settings;
    const limits = { v: 2, ping: pingIntervalMs, max: maxFrameBytes };
    this.send({ t: "welcome", id: this.id, ...(this.revision === 1 ? {} : limits) });
  }

  ping(): void {
    this.sendEncoded(PING);
  }

  dead(): void {
    this.end(CLOSE.pingTimeout);
  }

  /**
   * Tells the client to come back after `ms` milliseconds, here or elsewhere, and ends when it has
   * what was on its way to it.
   */
  drain(ms: number): void {
    if (this.#state !== "open" || this.revision === 1) {
      return this.end(this.revision === 1 ? CLOSE.goingAway : CLOSE.draining);
    }
    this.#state = "leaving";
    // What is published from now on reaches the client when it resumes.
    this.#channels.releaseAll();
    this.send({ t: "bye", r: CLOSE.draining.reason, ms });
    if (!this.flush()) this.#host.flusher.waitForRoom(this);
  }

  /** Cuts the connection off, where the platform can. */
  terminate(): void {
    this.end(CLOSE.draining);
    this.#socket.terminate?.();
  }

  message(data: unknown): void {
    this.wasHeard = true;
    if (this.#state !== "open") return;
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
      if (this.#state !== "open") return;
      if (parsed.kind === "frame") this.#receive(parsed.frame, data.length / frames.length);
    }
  }

  closed(code: number, reason: string): void {
    this.#finish(code, reason);
    this.#host.gone(this);
  }

  broken(): void {
    this.#finish(1006, "socket closed");
  }

  /** Closes the connection with a code that tells the client what to do next. */
  end(close: CloseCode): void {
    // Nothing that was said before is lost on a peer that reads.
    this.#channels.flush();
    this.outbound.flush();
    if (!this.#finish(close.code, close.reason)) return;
    // What a client said before it left counts; what is left of one that was cut off does not.
    this.#publishes?.clear();
    try {
      this.#socket.close(close.code, close.reason);
    } catch {
      // The socket is gone already, which is what was wanted.
    }
  }

  /** Ends a session that leaves once nothing is on its way any more; true when it has ended. */
  flush(): boolean {
    if (this.#state !== "leaving") return true;
    if (!this.outbound.flush() || this.#publishes?.isIdle === false) return false;
    this.end(CLOSE.draining);
    return true;
  }

  #finish(code: number, reason: string): boolean {
    if (this.#state === "ended") return false;
    const wasWelcomed = this.#state !== "joining";
    this.#state = "ended";
    this.#host.heartbeats.delete(this);
    this.#identity.stop();
    this.#unheard = undefined;
    this.outbound.clear();
    this.#host.flusher.remove(this);
    this.#channels.releaseAll();
    this.#host.ended(this, { code, reason, wasWelcomed });
    return true;
  }

  /** Everything that was decided about the client has to be asked again, or for the first time. */
  identified(isFirst: boolean): void {
    const { user } = this;
    if (user !== undefined && this.#host.access.isDisconnected(user)) {
      return this.end(CLOSE.disconnected);
    }
    if (!isFirst) return this.#channels.reauthorize();
    const early = this.#unheard?.frames ?? [];
    this.#unheard = undefined;
    for (const { frame, size } of early) this.#receive(frame, size);
  }

  /** Asks for every channel again whether it may be held. */
  reauthorize(): void {
    this.#channels.reauthorize();
  }

  /** Does as the application told all nodes, if it is about this client. */
  obey(order: ControlOrder): void {
    const isMeant = "user" in order ? order.user === this.user : order.clientId === this.id;
    if (!isMeant) return;
    if (order.type === "disconnect") this.end(CLOSE.disconnected);
    else this.#channels.revoke(order.channel);
  }

  /** Keeps what cannot be decided yet. */
  #keepUnheard(frame: ClientFrame, size: number): void {
    const { maxQueuedBytes, subscribeRate } = this.#host.settings;
    this.#unheard ??= new Unheard(maxQueuedBytes, subscribeRate.burst);
    if (this.#unheard.keep(frame, size)) return;
    if (frame.t === "sub") this.refuse(frame, "rate limited");
    else if (frame.t === "pub") this.refuse(frame, "publish rate limited");
  }

  #receive(frame: ClientFrame, size: number): void {
    if (!this.#identity.isKnown && frame.t !== "auth" && frame.t !== "pong") {
      return this.#keepUnheard(frame, size);
    }
    switch (frame.t) {
      case "sub":
        return this.#channels.subscribe(frame);
      case "unsub":
        return this.#channels.unsubscribe(frame);
      case "pub":
        this.#publishes ??= new ClientPublishes(this.#host, this, this.#channels);
        return this.#publishes.accept(frame, size);
      case "auth":
        this.#identity.renew(frame);
        return;
      case "pong":
        // Every message counts as a sign of life.
        return;
    }
  }

  /** For channels and publishes, which must not go on to fill a queue that is full. */
  get hasRoom(): boolean {
    return this.outbound.hasRoom;
  }

  refuse({ c, n }: ClientRequest, reason: ErrReason): void {
    const details = this.revision === 1 ? undefined : { n, ...REASONS[reason] };
    this.send({ t: "err", c, r: reason, ...details });
  }

  send(frame: ServerFrame): void {
    this.sendEncoded(encode(frame));
  }

  sendEncoded(frame: EncodedFrame): void {
    if (this.#state === "joining" || this.#state === "ended") return;
    if (!this.outbound.push(new EncodedFrames([frame]))) this.cutOff();
  }

  cutOff(): void {
    this.end(CLOSE.slowConsumer);
  }
}

/** A text is at least as many bytes as it has characters, so most are decided without counting. */
function isLargerThan(text: string, maxBytes: number): boolean {
  return text.length > maxBytes || (text.length * 3 > maxBytes && utf8ByteLength(text) > maxBytes);
}
