/** What failures of something look like, each with what to do about it. */
export type Advice = readonly (readonly [looks: RegExp, whatToDo: string])[];

/** What an error says, in one line, as the end of a sentence. */
export function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // One that stands for several attempts often has no text of its own.
  const text = cause.message || ("errors" in cause ? reasonOf(listOf(cause.errors).at(-1)) : "");
  return (text || cause.name).replace(/\.?(?:\n.*)?$/s, "");
}

/** What lies at the bottom of a failure, and what to do about it where that is known. */
export function explain(cause: unknown, advice: Advice): string {
  let root = cause;
  while (root instanceof Error && root.cause !== undefined) root = root.cause;
  const reason = reasonOf(root);
  const known = advice.find(([looks]) => looks.test(reason));
  return known === undefined ? reason : `${reason}: ${known[1]}`;
}

/** What a driver says about a failure of its own. */
export function explainBy(
  driver: { explain?(cause: unknown): string },
  cause: unknown,
): string {
  return driver.explain?.(cause) ?? reasonOf(cause);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
