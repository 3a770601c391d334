import { BroadcastConfigError } from "../core/errors.ts";

/** What to do where a listener cannot listen, by the code of the system. */
const ADVICE: ReadonlyMap<unknown, string> = new Map([
  ["EADDRINUSE", "another program has this port; end it, or choose another port"],
  ["EACCES", "this user may not; choose a port above 1023"],
  ["EADDRNOTAVAIL", "this machine has no such address; correct the hostname"],
  ["ENOTFOUND", "there is no such host; correct the hostname"],
]);

/** Says what keeps a listener from listening, and what to do about it. */
export function listenError(hostname: string, port: number, cause: unknown): BroadcastConfigError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  const advice = ADVICE.get(code);
  const reason = advice === undefined ? message : `${code}, ${advice}`;
  return new BroadcastConfigError(`Cannot listen on ${hostname}:${port}: ${reason}`, {
    context: { hostname, port },
    cause,
  });
}
