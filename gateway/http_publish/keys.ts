/** How old, or how far ahead, the time of a signed request may be. */
const SIGNATURE_WINDOW_MS = 5 * 60_000;

/** Most signatures remembered; above it the oldest are forgotten, whose ids still publish once. */
const MAX_SIGNATURES = 100_000;

/** Header with the signature of a request: `v1=` and 64 hexadecimal digits. */
const SIGNATURE_HEADER = "airwave-signature";

/** Header with the time of signing, in seconds since 1970. */
const TIME_HEADER = "airwave-time";

/** What came of looking at a request's credentials. */
export type Verdict =
  /** `key` counts the configured keys; a signature is there where the request was signed. */
  | { readonly kind: "allowed"; readonly key: number; readonly signature?: string }
  | { readonly kind: "denied"; readonly reason: string }
  | { readonly kind: "replayed" };

/**
 * The keys that may publish over HTTP. Keys and signatures are compared by their digests, in a time
 * that does not depend on how much of them is right.
 */
export class PublishKeys {
  readonly #keys: readonly string[];
  /** Made with the first request that needs them: a gateway that is only made leaves nothing under way. */
  #digests: Promise<readonly Uint8Array[]> | undefined;
  #hmacKeys: Promise<readonly CryptoKey[]> | undefined;
  /** Signatures that were accepted, oldest first, and until when they could be again. */
  readonly #seen = new Map<string, number>();

  constructor(keys: readonly string[]) {
    this.#keys = keys;
  }

  /** Looks at the credentials of a request; its body is asked for where a signature is about it. */
  async judge(request: Request, body: () => Promise<Uint8Array<ArrayBuffer>>): Promise<Verdict> {
    const signature = request.headers.get(SIGNATURE_HEADER);
    if (signature !== null) return await this.#judgeSignature(request, body, signature);
    const bearer = /^Bearer ([^ ]+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    if (bearer === undefined) return { kind: "denied", reason: "a bearer key or a signature" };
    this.#digests ??= Promise.all(this.#keys.map((key) => sha256(encode(key))));
    const key = indexOfEqual(await this.#digests, await sha256(encode(bearer)));
    return key < 0 ? { kind: "denied", reason: "a key that is known" } : { kind: "allowed", key };
  }

  async #judgeSignature(
    request: Request,
    body: () => Promise<Uint8Array<ArrayBuffer>>,
    signature: string,
  ): Promise<Verdict> {
    const time = request.headers.get(TIME_HEADER) ?? "";
    const distanceMs = Math.abs(Date.now() - Number(time) * 1000);
    if (!/^\d{1,12}$/.test(time) || distanceMs > SIGNATURE_WINDOW_MS) {
      return { kind: "denied", reason: "a time of signing within five minutes" };
    }
    const signed = encode(await textToSign(request, await body(), time));
    this.#hmacKeys ??= Promise.all(this.#keys.map(hmacKey));
    const expected = await Promise.all(
      (await this.#hmacKeys).map(async (key) =>
        await sha256(encode(`v1=${toHex(await crypto.subtle.sign("HMAC", key, signed))}`))
      ),
    );
    const key = indexOfEqual(expected, await sha256(encode(signature)));
    if (key < 0) return { kind: "denied", reason: "a signature that fits" };
    return this.#remember(signature) ? { kind: "allowed", key, signature } : { kind: "replayed" };
  }

  /** The request was accepted and then failed: it may be sent again as it is. */
  forget(signature: string): void {
    this.#seen.delete(signature);
  }

  /** False for one that was accepted before, as long as its time of signing would allow it. */
  #remember(signature: string): boolean {
    const nowMs = Date.now();
    for (const [seen, untilMs] of this.#seen) {
      if (untilMs > nowMs && this.#seen.size <= MAX_SIGNATURES) break;
      this.#seen.delete(seen);
    }
    if (this.#seen.has(signature)) return false;
    // A time of signing may be ahead by one window, and stays good for another.
    this.#seen.set(signature, nowMs + 2 * SIGNATURE_WINDOW_MS);
    return true;
  }
}

/** Method, path, digest of the body and time: what a signature is about, a line each. */
async function textToSign(
  request: Request,
  body: Uint8Array<ArrayBuffer>,
  time: string,
): Promise<string> {
  const { pathname, search } = new URL(request.url);
  return `${request.method}\n${pathname}${search}\n${toHex(await sha256(body))}\n${time}`;
}

/** Looks at every candidate to its end. */
function indexOfEqual(candidates: readonly Uint8Array[], given: Uint8Array): number {
  let found = -1;
  for (const [index, candidate] of candidates.entries()) {
    let difference = 0;
    for (const [i, byte] of candidate.entries()) difference |= byte ^ (given[i] ?? 0);
    if (difference === 0) found = index;
  }
  return found;
}

function hmacKey(key: string): Promise<CryptoKey> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", encode(key), algorithm, false, ["sign"]);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

function toHex(bytes: Uint8Array | ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
