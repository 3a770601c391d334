/** Below what systems use for outgoing connections: a server that restarts finds its port free. */
const RANGE = { first: 20_000, last: 32_000 };

/** More than the tests of one process start. */
const BLOCK_SIZE = 300;

/**
 * Ports that no other test takes, also while the server that has one is down: whoever listens on the
 * first of a block has the others, and the system ends that with the process or worker.
 */
const claimed = claimBlock();

/** How many of them were looked at. */
let used = 0;

/** A port of loopback on which nobody listens. Each is handed out once. */
export function freePort(): number {
  while (++used < BLOCK_SIZE) {
    const listener = tryToListen(claimed + used);
    if (listener === undefined) continue;
    listener.close();
    return claimed + used;
  }
  throw new Error(`Cannot find a free port: all ${BLOCK_SIZE} of this process were used`);
}

/** The first port of a block that nobody has. */
function claimBlock(): number {
  const count = (RANGE.last - RANGE.first) / BLOCK_SIZE;
  const start = Math.floor(Math.random() * count);
  for (let tried = 0; tried < count; tried++) {
    const port = RANGE.first + (start + tried) % count * BLOCK_SIZE;
    const listener = tryToListen(port);
    if (listener === undefined) continue;
    listener.unref();
    return port;
  }
  throw new Error(`Cannot find a free port: all from ${RANGE.first} to ${RANGE.last} are claimed`);
}

function tryToListen(port: number): Deno.Listener | undefined {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
}
