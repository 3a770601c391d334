/** The known name that somebody may have meant: one with the same beginning, or a few slips away. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let bestSlips = Infinity;
  for (const candidate of known) {
    const other = candidate.toLowerCase();
    // `pingInterval` for `pingIntervalMs`: without the unit it is a beginning.
    const isPart = Math.min(wanted.length, other.length) >= 4 &&
      (other.startsWith(wanted) || wanted.startsWith(other));
    const slips = isPart ? 1 : slipsBetween(wanted, other);
    if (slips < bestSlips && slips <= Math.max(1, name.length / 4)) {
      best = candidate;
      bestSlips = slips;
    }
  }
  return best;
}

/** How many letters have to be put in, left out or changed to make one text the other. */
function slipsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const changed = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(changed, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
