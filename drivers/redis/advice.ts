import { NETWORK_ADVICE } from "../../core/network_advice.ts";
import { type Advice, explain } from "../../core/reason.ts";

/** What Redis says when it was set up differently than we need it, and what to do. */
const ADVICE: Advice = [
  [/^NOAUTH/, "give the password, as redis://:password@host or redis://user:password@host"],
  [/^WRONGPASS|invalid password/, "correct user and password in the URL"],
  [/^NOPERM/, "give this user the commands, keys and channels of the prefix by ACL SETUSER"],
  [/^READONLY/, "this is a replica; give the master's address, or a client for Sentinel"],
  [/^OOM/, "the memory is used up; raise maxmemory, or keep less by historySize and historyTtlMs"],
  [/^MISCONF/, "Redis cannot write to its disk; its log says why"],
  [/DB index is out of range|SELECT is not allowed/, "correct the database's number in the URL"],
  [
    /^No answer within/,
    "the server hangs, is no Redis, or one side speaks TLS and the other does not",
  ],
  ...NETWORK_ADVICE,
];

/** What went wrong and what to do, in one sentence. */
export function explainRedis(cause: unknown): string {
  hideCommand(cause);
  return explain(cause, ADVICE).replace(
    /\. script: \w+, on @user_script:\d+|, otherwise the HELLO[^:]*/,
    "",
  );
}

/** The client hangs the command on its errors: a whole script, and the data of the application. */
function hideCommand(error: unknown): void {
  if (!(error instanceof Error)) return;
  if ("command" in error) Object.defineProperty(error, "command", { enumerable: false });
  hideCommand(error.cause);
}
