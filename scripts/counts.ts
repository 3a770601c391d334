/** How many tests or checks passed and failed. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

// As `deno test` ends: "FAILED | 3 passed (2 steps) | 1 failed | 1 ignored (4ms)".
const SUMMARY = /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed\b/gm;

/**
 * Reads how a run of `deno test` ended. The last summary counts: a test may print anything before
 * it. A run that says nothing, or fails without saying of what, is one failure.
 */
export function readCounts(output: string, success: boolean): Counts {
  const [, passed = "0", failed = "0"] = [...output.matchAll(SUMMARY)].at(-1) ?? ["", "0", "1"];
  return { passed: Number(passed), failed: Math.max(Number(failed), success ? 0 : 1) };
}

/** All of them together. */
export function sum(counts: readonly Counts[]): Counts {
  return {
    passed: counts.reduce((total, { passed }) => total + passed, 0),
    failed: counts.reduce((total, { failed }) => total + failed, 0),
  };
}

/** The line that a script ends with, for people and for machines. */
export function closingLine({ passed, failed }: Counts): string {
  return `${passed} passed, ${failed} failed`;
}
