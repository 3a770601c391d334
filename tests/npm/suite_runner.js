/**
 * Takes the place of `Deno.test` where the tests run on another runtime, and runs what they
 * registered: one after the other, as Deno does.
 */
const tests = [];

/** What `Deno.test` becomes. */
export function registerTest(name, options, run = options) {
  tests.push({ name, run });
}

/** How many tests there are, and what failed. */
export async function runTests() {
  const failures = [];
  for (const { name, run } of tests) {
    try {
      await run();
    } catch (error) {
      failures.push(`${name}: ${error?.stack ?? error}`);
    }
  }
  return { count: tests.length, failures };
}

// The tests are written for the newest runtime; what is published does without.
Promise.withResolvers ??= function () {
  let settle;
  const promise = new this((resolve, reject) => settle = { resolve, reject });
  return { promise, ...settle };
};

// Nor has Node the events of the global scope, which tests of pages send.
if (!("addEventListener" in globalThis)) {
  const target = new EventTarget();
  for (const name of ["addEventListener", "removeEventListener", "dispatchEvent"]) {
    globalThis[name] = target[name].bind(target);
  }
}

// And a worker of a browser has an address, from which a client would take its server's.
if ("location" in globalThis) {
  Object.defineProperty(globalThis, "location", { value: undefined, configurable: true });
}
