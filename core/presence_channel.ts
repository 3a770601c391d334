import { BoundedBuffer } from "./bounded_buffer.ts";
import type { AnyBroadcastError } from "./errors.ts";
import type { ChannelEvent } from "./event.ts";
import { callSafely } from "./hooks.ts";
import type { Attachment, ChannelListener } from "./listener.ts";
import { Loader, type LoaderHost } from "./loader.ts";
import type { PresenceInfo } from "./presence_info.ts";
import { parseAnnouncement } from "./presence_words.ts";
import { type PresenceWord, Roster, type RosterChange } from "./roster.ts";

/** How often a count is told while there are too many members to tell of each. */
const COUNT_INTERVAL_MS = 1_000;

/** Who is on a presence channel. */
export interface PresenceSnapshot {
  /** How many users. */
  readonly count: number;
  /** Each once; `undefined` where there are more than `maxPresenceMembers`. */
  readonly members: readonly PresenceInfo[] | undefined;
}

/** Watches a presence channel. A throw is reported and touches nobody else. */
export interface PresenceListener {
  /** The whole roster: first of all, and again where there are too many to tell of each. */
  here(snapshot: PresenceSnapshot): void;
  /** A user came. */
  join(member: PresenceInfo): void;
  /** A user left. */
  leave(user: string): void;
}

/** One who watches, from `watch` until she ends it. */
interface Watch {
  readonly listener: PresenceListener;
}

/** What a presence channel asks of its node. */
export interface PresenceChannelHost {
  /** This node's own id. */
  readonly node: string;
  readonly maxMembers: number;
  /** What other nodes have stored about the channel. */
  list(channel: string): Promise<readonly PresenceWord[]>;
  /** What this node says about its own connections. */
  ownWords(channel: string): Iterable<PresenceWord>;
  /** Listens to what nodes announce about the channel. */
  listen(channel: string, listener: ChannelListener): Attachment;
  onThrow(cause: unknown): void;
  onFailure(channel: string, cause: unknown): void;
}

/**
 * The roster of one channel on this node. It is loaded from the store once the announcements are
 * live, so that whatever the store does not show yet will be announced; each node's words are
 * numbered, so that hearing of something twice changes nothing.
 */
export class PresenceChannel implements ChannelListener, LoaderHost<readonly PresenceWord[]> {
  readonly #name: string;
  readonly #host: PresenceChannelHost;
  readonly #roster = new Roster();
  readonly #loader = new Loader<readonly PresenceWord[]>(this);
  /** One for each watch: a listener may be in several. */
  readonly #watches = new Set<Watch>();
  /** Words that came while the roster was loaded. */
  readonly #held = new BoundedBuffer<PresenceWord>();
  /** `opening` until the roster is known, `stale` while it is loaded again: it stays in force. */
  #state: "opening" | "ready" | "stale" | "closed" = "opening";
  /** Whether listeners know the members, or only how many there are. */
  #isCounted = false;
  /** The roster as it was told last: who comes before it changes is told the same. */
  #told: PresenceSnapshot | undefined;
  #attachment: Attachment;
  #count: ReturnType<typeof setTimeout> | undefined;

  constructor(name: string, host: PresenceChannelHost) {
    this.#name = name;
    this.#host = host;
    this.#attachment = host.listen(name, this);
  }

  get watchers(): number {
    return this.#watches.size;
  }

  get nodes(): Set<string> {
    return this.#roster.nodes;
  }

  /** Adds a watcher; it hears `here` as soon as the roster is known. Returns what takes it away. */
  watch(listener: PresenceListener): () => void {
    const watch = { listener };
    this.#watches.add(watch);
    if (this.#isKnown) this.#call(watch, (it) => it.here(this.#snapshot()));
    return () => {
      this.#watches.delete(watch);
    };
  }

  /** This node's own word counts at once. */
  applyOwn(word: PresenceWord): void {
    if (this.#isKnown) this.#tell(this.#roster.apply(word));
  }

  dropNode(node: string): void {
    this.#tell(this.#roster.dropNode(node));
  }

  close(): void {
    this.#state = "closed";
    this.#loader.stop();
    clearTimeout(this.#count);
    this.#attachment.detach();
  }

  get #isKnown(): boolean {
    return this.#state === "ready" || this.#state === "stale";
  }

  live(): void {
    this.#load();
  }

  event(event: ChannelEvent): void {
    for (const word of parseAnnouncement(event.json)) {
      // It counted when it was said, and may be an old one by now.
      if (word.node === this.#host.node) continue;
      if (this.#state === "ready") this.#tell(this.#roster.apply(word));
      else this.#held.push(word, event.bytes);
    }
  }

  /** Announcements may be missing: the store knows. */
  lost(): void {
    this.#load();
  }

  ended(error: AnyBroadcastError | undefined): void {
    // Without an error the broadcaster was closed.
    if (error === undefined || this.#state === "closed") return;
    this.#loader.fail(error, () => this.#attachment = this.#host.listen(this.#name, this));
  }

  read(): Promise<readonly PresenceWord[]> {
    return this.#host.list(this.#name);
  }

  loaded(stored: readonly PresenceWord[]): void {
    const isComplete = !this.#held.hasOverflowed;
    const held = this.#held.takeAll();
    if (isComplete) this.#know([...stored, ...this.#host.ownWords(this.#name)], held);
    else this.#load();
  }

  failed(cause: unknown): void {
    this.#host.onFailure(this.#name, cause);
  }

  #load(): void {
    if (this.#state === "closed") return;
    if (this.#state === "ready") this.#state = "stale";
    this.#loader.load();
  }

  #know(stored: readonly PresenceWord[], held: readonly PresenceWord[]): void {
    const isFirst = this.#state === "opening";
    this.#state = "ready";
    const changes = [
      ...this.#roster.replace(stored),
      ...held.flatMap((word) => this.#roster.apply(word)),
    ];
    if (isFirst) this.#tellHere();
    else this.#tell(changes);
  }

  #snapshot(): PresenceSnapshot {
    const { size } = this.#roster;
    return this.#told ??= {
      count: size,
      members: size > this.#host.maxMembers ? undefined : this.#roster.members,
    };
  }

  #tell(changes: readonly RosterChange[]): void {
    if (changes.length === 0) return;
    this.#told = undefined;
    if (this.#isCounted || this.#roster.size > this.#host.maxMembers) {
      this.#count ??= setTimeout(() => {
        this.#count = undefined;
        this.#tellHere();
      }, COUNT_INTERVAL_MS);
      this.#isCounted = true;
      return;
    }
    for (const change of changes) {
      for (const watch of [...this.#watches]) {
        this.#call(watch, (it) => {
          if (change.type === "join") it.join(change.member);
          else it.leave(change.user);
        });
      }
    }
  }

  #tellHere(): void {
    const snapshot = this.#snapshot();
    this.#isCounted = snapshot.members === undefined;
    for (const watch of [...this.#watches]) this.#call(watch, (it) => it.here(snapshot));
  }

  #call(watch: Watch, call: (listener: PresenceListener) => void): void {
    if (this.#watches.has(watch)) callSafely(() => call(watch.listener), this.#host.onThrow);
  }
}
