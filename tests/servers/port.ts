/** Below what systems use for outgoing connections: a server that restarts finds its port free. */
const RANGE = { first: 20_000, last: 32_000 };

/** Each is handed out once in a run, also before its server listens. */
const given = new Set<number>();

/** A port of loopback on which nobody listens. */
export function freePort(): number {
  const count = RANGE.last - RANGE.first;
  while (given.size < count) {
    const port = RANGE.first + Math.floor(Math.random() * count);
    if (given.has(port)) continue;
    given.add(port);
    if (isFree(port)) return port;
  }
  throw new Error(`Cannot find a free port from ${RANGE.first} to ${RANGE.last}`);
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
