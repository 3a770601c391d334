/**
 * Stand-in for `jsr:@std/assert`, for networks that have npm but not JSR; backed by the runtime's
 * `node:assert`. To run without it see links/README.md.
 *
 * @module
 */
import node from "node:assert";

/** Asserts that `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) fail(msg || "Expected a truthy value");
}

/** Asserts that `expr` is falsy. */
export function assertFalse(expr: unknown, msg = ""): asserts expr is false {
  if (expr) fail(msg || "Expected a falsy value");
}

/** Asserts deep equality. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  node.deepStrictEqual(actual, expected, msg);
}

/** Asserts that two values are not deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  node.notDeepStrictEqual(actual, expected, msg);
}

/** Asserts that `actual` is neither `null` nor `undefined`. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) fail(msg ?? "Expected a value");
}

/** Asserts that `actual` matches a regular expression. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  node.match(actual, expected, msg);
}

/** Asserts that `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) {
    fail(msg ?? `Expected ${JSON.stringify(actual)} to include ${JSON.stringify(expected)}`);
  }
}

/** Asserts `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) fail(msg ?? `Expected ${actual} < ${expected}`);
}

/** Asserts that `actual` is an instance of `expectedType`. */
// deno-lint-ignore no-explicit-any -- the constructor type of the module this stands in for
export function assertInstanceOf<T extends abstract new (...args: any[]) => any>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  if (!(actual instanceof expectedType)) {
    fail(msg || `Expected an instance of ${expectedType.name}, got ${String(actual)}`);
  }
}

/** Asserts that `fn` throws, and gives the error back. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  // deno-lint-ignore no-explicit-any -- the constructor type of the module this stands in for
  ErrorClass: abstract new (...args: any[]) => E = Error as unknown as new () => E,
  msgIncludes = "",
): E {
  try {
    fn();
  } catch (error) {
    return checkError(error, ErrorClass, msgIncludes);
  }
  return fail("Expected function to throw");
}

/** Asserts that `fn` rejects, and resolves with the error. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  // deno-lint-ignore no-explicit-any -- the constructor type of the module this stands in for
  ErrorClass: abstract new (...args: any[]) => E = Error as unknown as new () => E,
  msgIncludes = "",
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    return checkError(error, ErrorClass, msgIncludes);
  }
  return fail("Expected function to reject");
}

/** Fails the test. */
export function fail(msg?: string): never {
  throw new node.AssertionError({ message: msg ?? "Failed assertion" });
}

function checkError<E extends Error>(
  error: unknown,
  // deno-lint-ignore no-explicit-any -- the constructor type of the module this stands in for
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes: string,
): E {
  assertInstanceOf(error, ErrorClass);
  assertStringIncludes(error.message, msgIncludes);
  return error;
}
