import { randomBytes, timingSafeEqual } from "node:crypto";
import { isName } from "./messages.ts";

const MAX_ACCOUNTS = 1_000;
const MAX_PASSWORD_LENGTH = 100;

interface Account {
  readonly name: string;
  readonly salt: Uint8Array<ArrayBuffer>;
  readonly hash: Uint8Array;
}

/** What came of a log-in. */
export type LogInResult =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly status: 400 | 401 | 503; readonly reason: string };

/**
 * The people of the private room. Whoever comes first with a name sets its password. In memory only,
 * as befits an example.
 */
export class Accounts {
  /** By the form in which names that look the same are the same. */
  readonly #byKey = new Map<string, Account>();

  async logIn(name: unknown, password: unknown): Promise<LogInResult> {
    if (!isName(name)) return refusal(400, "Give a name of 1 to 40 characters.");
    if (
      typeof password !== "string" || password === "" || password.length > MAX_PASSWORD_LENGTH
    ) {
      return refusal(400, "Give a password of 1 to 100 characters.");
    }
    const key = name.normalize("NFKC").toLowerCase();
    const known = this.#byKey.get(key);
    if (known === undefined && this.#byKey.size >= MAX_ACCOUNTS) {
      return refusal(503, "This demo has no room for another name.");
    }
    const salt = known?.salt ?? new Uint8Array(randomBytes(16));
    const hash = await derive(password, salt);
    if (known === undefined && !this.#byKey.has(key)) {
      this.#byKey.set(key, { name, salt, hash });
      return { ok: true, name };
    }
    // With `known` undefined here, somebody else took the name while this password was hashed.
    return known !== undefined && timingSafeEqual(hash, known.hash)
      ? { ok: true, name: known.name }
      : refusal(401, "This name is taken, and the password is another one.");
  }
}

function refusal(status: 400 | 401 | 503, reason: string): LogInResult {
  return { ok: false, status, reason };
}

async function derive(password: string, salt: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(password.normalize("NFKC")),
    "PBKDF2",
    false,
    ["deriveBits"],
  );
  const rule = { name: "PBKDF2", hash: "SHA-256", salt, iterations: 200_000 };
  return new Uint8Array(await crypto.subtle.deriveBits(rule, key, 256));
}
