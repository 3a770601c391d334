/** What the environment says about a node of the chat. */
export interface Settings {
  readonly port: number;
  readonly hostname: string;
  /** Where the nodes meet; `undefined` where there is one. */
  readonly redisUrl: string | undefined;
  /** Milliseconds between two things that this node itself says; 0 where it says nothing. */
  readonly radioIntervalMs: number;
}

/** Reads `PORT`, `HOST`, `REDIS_URL` and `RADIO_INTERVAL_MS`; ends the process where one is no good. */
export function readSettings(): Settings {
  return {
    port: readNumber("PORT", 8000, 65_535),
    hostname: Deno.env.get("HOST") ?? "127.0.0.1",
    redisUrl: Deno.env.get("REDIS_URL") || undefined,
    radioIntervalMs: readNumber("RADIO_INTERVAL_MS", 5_000, 3_600_000),
  };
}

function readNumber(name: string, unlessTold: number, max: number): number {
  const text = Deno.env.get(name) ?? String(unlessTold);
  if (/^\d+$/.test(text) && Number(text) <= max) return Number(text);
  console.error(`${name} must be a number from 0 to ${max}, got "${text}"`);
  Deno.exit(1);
}
