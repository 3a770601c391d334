import type { PresenceInfo } from "./presence_info.ts";

/** A node's word on one user: present with this description, or not any more. */
export interface PresenceWord {
  /** The node that speaks; nobody else speaks for its connections. */
  readonly node: string;
  /** User id. */
  readonly user: string;
  /** Counts the node's words, so that the latest wins in whatever order they arrive. */
  readonly seq: number;
  /** How the user appears, or nothing if she left. */
  readonly member: PresenceInfo | undefined;
}

/** What a word, or the end of a node, changed for everybody who watches. */
export type RosterChange =
  | { readonly type: "join"; readonly member: PresenceInfo }
  | { readonly type: "leave"; readonly user: string };

/**
 * Who is on a channel, by way of which nodes. Pure state: no timer, no storage. A user is in as long
 * as one node holds her, so she joins with the first and leaves with the last.
 */
export class Roster {
  /** User → node → that node's latest word. */
  readonly #users = new Map<string, Map<string, PresenceWord>>();

  /** How many users there are. */
  get size(): number {
    return this.#users.size;
  }

  /** Every member once, as first described. */
  get members(): PresenceInfo[] {
    const members: PresenceInfo[] = [];
    for (const words of this.#users.values()) {
      for (const { member } of words.values()) {
        if (member === undefined) continue;
        members.push(member);
        break;
      }
    }
    return members;
  }

  /** Nodes that hold somebody. */
  get nodes(): Set<string> {
    const nodes = new Set<string>();
    for (const words of this.#users.values()) {
      for (const node of words.keys()) nodes.add(node);
    }
    return nodes;
  }

  /** Takes a node's word, unless a later one of it is known. */
  apply(word: PresenceWord): RosterChange[] {
    const { node, user, seq, member } = word;
    const words = this.#users.get(user);
    const known = words?.get(node);
    if (known !== undefined && seq <= known.seq) return [];
    if (member === undefined) return this.#remove(user, node);
    if (words !== undefined) {
      words.set(node, word);
      return [];
    }
    this.#users.set(user, new Map([[node, word]]));
    return [{ type: "join", member }];
  }

  /** A node is gone, and whoever was there by way of it alone. */
  dropNode(node: string): RosterChange[] {
    return [...this.#users.keys()].flatMap((user) => this.#remove(user, node));
  }

  /** Takes what a store has for the truth. */
  replace(words: readonly PresenceWord[]): RosterChange[] {
    const stored = new Map<string, Set<string>>();
    for (const { user, node } of words) {
      stored.set(user, (stored.get(user) ?? new Set()).add(node));
    }
    const came = words.flatMap((word) => this.apply(word));
    const left = [...this.#users].flatMap(([user, held]) =>
      [...held.keys()].flatMap((node) =>
        stored.get(user)?.has(node) ? [] : this.#remove(user, node)
      )
    );
    return [...came, ...left];
  }

  #remove(user: string, node: string): RosterChange[] {
    const words = this.#users.get(user);
    if (words === undefined || !words.delete(node) || words.size > 0) return [];
    this.#users.delete(user);
    return [{ type: "leave", user }];
  }
}
