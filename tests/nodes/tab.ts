import { deadline } from "@std/async";
import {
  type ClientFrame,
  parseServerMessage,
  type ServerFrame,
} from "@airwave/broadcast/protocol";

/** What does not come within this time does not come. */
const PATIENCE_MS = 60_000;

/** A bare connection of revision 2, and every frame that came on it. */
export class Tab implements AsyncDisposable {
  readonly frames: ServerFrame[] = [];
  /** The close code, once it is closed. */
  code: number | undefined;
  readonly #socket: WebSocket;
  readonly #closed = Promise.withResolvers<void>();
  readonly #waiting = new Set<() => void>();
  #requests = 0;

  private constructor(url: string) {
    this.#socket = new WebSocket(`${url}${url.includes("?") ? "&" : "?"}v=2`);
    this.#socket.onmessage = ({ data }) => {
      for (const parsed of parseServerMessage(data, 2)) {
        if (parsed.kind !== "frame") throw new Error(`No frame: ${data}`);
        this.frames.push(parsed.frame);
        if (parsed.frame.t === "ping") this.send({ t: "pong" });
      }
      this.#look();
    };
    this.#socket.onclose = ({ code }) => {
      this.code = code;
      this.#closed.resolve();
      this.#look();
    };
    this.#socket.onerror = (event) => {
      if (event instanceof ErrorEvent) event.preventDefault();
    };
  }

  /** Connects, and subscribes to channels. */
  static async open(url: string, ...channels: readonly string[]): Promise<Tab> {
    const tab = new Tab(url);
    await tab.until("the welcome", ({ frames }) => frames.length > 0);
    for (const c of channels) await tab.subscribe(c);
    return tab;
  }

  get id(): string {
    const [welcome] = this.frames;
    if (welcome?.t !== "welcome") throw new Error("There was no welcome");
    return welcome.id;
  }

  /** Subscribes, and resolves with the answer. */
  async subscribe(c: string, p?: { readonly e: string; readonly o: number }): Promise<ServerFrame> {
    const n = ++this.#requests;
    this.send({ t: "sub", c, n, p });
    return await this.answerTo(n);
  }

  /** Publishes, and resolves with the answer. */
  async publish(c: string, e: string, d: unknown): Promise<ServerFrame> {
    const n = ++this.#requests;
    this.send({ t: "pub", c, e, d, n });
    return await this.answerTo(n);
  }

  send(frame: ClientFrame): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  async answerTo(n: number): Promise<ServerFrame> {
    const isAnswer = (frame: ServerFrame) => "n" in frame && frame.n === n;
    await this.until(`the answer to ${n}`, ({ frames }) => frames.some(isAnswer));
    const answer = this.frames.find(isAnswer);
    if (answer === undefined) throw new Error(`No answer to ${n}`);
    return answer;
  }

  /** Frames of these types, in order. */
  of<Type extends ServerFrame["t"]>(...types: readonly Type[]) {
    return this.frames.filter((frame): frame is Extract<ServerFrame, { t: Type }> =>
      types.some((type) => type === frame.t)
    );
  }

  /** What a member list that applies what it was told would show. */
  members(channel: string): string[] {
    const members = new Set<string>();
    for (const frame of this.of("here", "join", "leave")) {
      if (frame.c !== channel) continue;
      if (frame.t === "join") members.add(frame.m.id);
      else if (frame.t === "leave") members.delete(frame.u);
      else {
        members.clear();
        for (const { id } of frame.m ?? []) members.add(id);
      }
    }
    return [...members].sort();
  }

  /** Resolves when it is so; looks whenever something came. */
  async until(what: string, isSo: (tab: Tab) => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => isSo(this) && resolve();
    this.#waiting.add(look);
    look();
    try {
      await deadline(promise, PATIENCE_MS);
    } catch (cause) {
      const last = JSON.stringify(this.frames.slice(-5));
      throw new Error(`Waited for ${what}; closed: ${this.code}; last frames: ${last}`, { cause });
    } finally {
      this.#waiting.delete(look);
    }
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#closed.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}
