import type { OptionCheck } from "../../core/options.ts";

const PREFIX = /^[A-Za-z0-9_.-]{1,64}$/;

/** The prefix parts applications on one server: without braces and colons none can reach into another's. */
export const isPrefix: OptionCheck = (value) =>
  typeof value === "string" && PREFIX.test(value)
    ? undefined
    : "1 to 64 characters of A-Z a-z 0-9 _ . -";

/**
 * What the keys and the pub/sub channel of a channel are called. The braces keep all of them in one
 * slot of a cluster; no channel name contains any.
 */
export class Names {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** The channel's pub/sub channel. */
  messages(channel: string): string {
    return `${this.#prefix}:{${channel}}`;
  }

  /** The keys that the scripts take, in their order. */
  keys(channel: string): readonly [state: string, events: string, ids: string, olderIds: string] {
    const name = this.messages(channel);
    return [`${name}:state`, `${name}:events`, `${name}:ids`, `${name}:ids:older`];
  }
}
