import { BroadcastConfigError } from "./errors.ts";
import { nearest } from "./nearest.ts";

/** Says which rule a value breaks, or nothing if it is fine. */
export type OptionCheck = (value: unknown) => string | undefined;

/** Options once they were read: those with a default are always there. */
export type Resolved<Options, Defaults> = {
  readonly [Name in keyof Options]-?: Name extends keyof Defaults
    ? Exclude<Options[Name], undefined>
    : object extends Pick<Options, Name> ? Options[Name] | undefined
    : Options[Name];
};

/**
 * Reads an options object against its checks: unknown names and bad values are refused with the
 * name, the rule and the value; what is left out takes its default, unless it is required.
 */
export function readOptions<Options extends object, Defaults extends Partial<Options>>(
  owner: string,
  given: Options,
  checks: { readonly [Name in keyof Options]-?: OptionCheck },
  defaults: Defaults,
  required: readonly (keyof Options & string)[] = [],
): Resolved<Options, Defaults> {
  if (typeof given !== "object" || given === null) {
    throw new BroadcastConfigError(
      `Cannot create ${owner}: options must be an object, got ${describe(given)}`,
      { context: { given } },
    );
  }
  const values: Record<string, unknown> = { ...defaults };
  const known = new Map<string, OptionCheck>(Object.entries(checks));
  for (const [name, value] of Object.entries(given)) {
    const check = known.get(name);
    if (check === undefined) {
      const near = nearest(name, known.keys());
      const hint = near === undefined
        ? `known are ${[...known.keys()].join(" ")}`
        : `did you mean "${near}"?`;
      throw new BroadcastConfigError(`Cannot create ${owner}: unknown option "${name}", ${hint}`, {
        context: { option: name },
      });
    }
    if (value === undefined) continue;
    const rule = check(value);
    if (rule !== undefined) {
      throw new BroadcastConfigError(
        `Cannot create ${owner}: option "${name}" must be ${rule}, got ${describe(value)}`,
        { context: { option: name, value: describe(value) } },
      );
    }
    values[name] = value;
  }
  for (const name of required) {
    if (values[name] !== undefined) continue;
    throw new BroadcastConfigError(
      `Cannot create ${owner}: option "${name}" is required and must be ${checks[name](undefined)}`,
      { context: { option: name } },
    );
  }
  // Every value in it is a default or has passed the check of its name.
  return values as Resolved<Options, Defaults>;
}

/** A value in a message: short, and never more than one line of it. */
export function describe(value: unknown): string {
  // A URL is shown without its password: messages end up in logs.
  if (typeof value === "string") {
    const shown = JSON.stringify(value.replace(/^(\w+:\/\/).*@/, "$1…@").slice(0, 80));
    return value.length > 80 ? `${shown}… of ${value.length} characters` : shown;
  }
  if (typeof value === "object" && value !== null) {
    return Array.isArray(value) ? "an array" : "an object";
  }
  return typeof value === "function" ? "a function" : String(value);
}

/** An integer within bounds. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): OptionCheck {
  const rule = max === Number.MAX_SAFE_INTEGER
    ? `an integer of at least ${min}`
    : `an integer from ${min} to ${max}`;
  return (value) =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max
      ? undefined
      : rule;
}

/** Milliseconds that a platform timer can wait: at most 2³¹ − 1, past which timers fire at once. */
export function durationMs(min: number): OptionCheck {
  return integer(min, 2 ** 31 - 1);
}

/** A function. */
export function callback(value: unknown): string | undefined {
  return typeof value === "function" ? undefined : "a function";
}

/** One of a few words. */
export function oneOf(...words: string[]): OptionCheck {
  const rule = `one of ${words.map((word) => `"${word}"`).join(", ")}`;
  return (value) => typeof value === "string" && words.includes(value) ? undefined : rule;
}

/** Something with the named methods. */
export function having(...methods: string[]): OptionCheck {
  const rule = `an object with ${methods.map((name) => `${name}()`).join(", ")}`;
  return (value) =>
    typeof value === "object" && value !== null &&
      methods.every((name) => typeof Reflect.get(value, name) === "function")
      ? undefined
      : rule;
}
