import { CHANNEL_NAME_RULE } from "../protocol/names.ts";
import { BroadcastConfigError } from "./errors.ts";
import { describe } from "./options.ts";

const LITERAL = /^[A-Za-z0-9_\-=@,.;:/~]*$/;

/**
 * A channel pattern: an exact name, or a name with `*`. At the end a `*` stands for the rest of the
 * name, elsewhere for one segment, up to the next `.`, `:` or `/`. It may stand for nothing: a name
 * with an empty segment must meet its rule too, not slip past it.
 */
export class ChannelPattern {
  readonly text: string;
  readonly #regexp: RegExp;
  readonly #literalPrefix: number;

  /** Refuses a pattern that could never match as it reads: such a rule would let everyone in. */
  constructor(text: string) {
    const literals = typeof text === "string" ? text.split("*") : [];
    const wellFormed = literals.every((part, i) =>
      LITERAL.test(part) &&
      // A `*` within the name ends at a separator, so it needs one right behind it.
      (i === 0 || /^[.:/]/.test(part) || (part === "" && i === literals.length - 1))
    );
    if (!wellFormed || literals.length === 0 || text === "" || text.length > 200) {
      throw new BroadcastConfigError(
        `Cannot authorize ${describe(text)}: a pattern is a channel name in which "*" stands ` +
          `at the end or right before one of . : /, and ${CHANNEL_NAME_RULE}`,
        { context: { pattern: text } },
      );
    }
    this.text = text;
    this.#literalPrefix = literals[0]?.length ?? 0;
    const source = literals.map((part) => part.replace(/[.\-/]/g, "\\$&"))
      .reduce((all, part) => `${all}${part === "" ? "(.*)" : "([^.:/]*)"}${part}`);
    this.#regexp = new RegExp(`^${source}$`);
  }

  /** What each `*` stands for in a channel's name, or `undefined` if it does not match. */
  match(channel: string): string[] | undefined {
    return this.#regexp.exec(channel)?.slice(1);
  }

  /**
   * Sorts by precedence: the longest literal prefix, which an exact name has, then the pattern with
   * more literal text, then by name, so that registration order never decides who is let in.
   */
  compare(other: ChannelPattern): number {
    const byPrefix = other.#literalPrefix - this.#literalPrefix;
    const byLength = other.text.replaceAll("*", "").length - this.text.replaceAll("*", "").length;
    return byPrefix || byLength || (this.text < other.text ? -1 : 1);
  }
}
