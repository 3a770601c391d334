/**
 * Takes the place of what tests use of `Deno` where they run on another runtime, and runs what they
 * registered: one after the other, as Deno does.
 */
const tests = [];
const before = [];
const after = [];

/** Longer than any test that has no limit of its own; one that takes longer hangs. */
const TIMEOUT_MS = 120_000;

/** What `Deno.test` becomes. */
export function registerTest(name, options, run = options) {
  const { ignore = false, timeout = TIMEOUT_MS } = options;
  tests.push({ name, run, isLeftOut: ignore, timeoutMs: timeout });
}

registerTest.beforeAll = (run) => before.push(run);
registerTest.afterAll = (run) => after.push(run);

/**
 * Runs them, but for those that say so themselves and those that are named.
 *
 * @returns How many ran, the names of those that were left out, and what failed.
 */
export async function runTests(namedOut = []) {
  const failures = [];
  const isOut = ({ name, isLeftOut }) => isLeftOut || namedOut.includes(name);
  const [out, within] = [true, false].map((is) => tests.filter((test) => isOut(test) === is));
  let current = "";
  const fail = (error) => failures.push(`${current}: ${describe(error)}`);
  onUnhandled(fail);
  for (const run of before) await run();
  for (const { name, run, timeoutMs } of within) {
    current = name;
    if (globalThis.process?.env.TRACE) console.error(performance.now() | 0, name);
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("It takes too long")), timeoutMs);
    });
    try {
      await Promise.race([run(), late]);
    } catch (error) {
      fail(error);
    }
    clearTimeout(timer);
  }
  for (const run of after) await run();
  return { count: within.length, leftOut: out.map(({ name }) => name), failures };
}

/** With what caused it, which the message of a server that did not start leaves to that. */
function describe(error) {
  const cause = error?.cause === undefined ? "" : `\nCaused by ${describe(error.cause)}`;
  return `${error?.stack ?? error}${cause}`;
}

/** A rejection that nobody waits for fails the test that runs, as on Deno. */
function onUnhandled(fail) {
  if (globalThis.process?.on !== undefined) process.on("unhandledRejection", fail);
  else addEventListener("unhandledrejection", ({ reason }) => fail(reason));
}

/** What `Deno.env.get` becomes. */
export const getVariable = (name) => globalThis.process?.env[name];

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
