import type { UpgradeRequest } from "./upgrade_request.ts";

/**
 * Which pages may open a connection. Browsers let any page open a WebSocket to any host and send the
 * cookies along, so without this check a foreign page acts as its visitor (CVE-2020-28481).
 */
export class OriginPolicy {
  readonly #allowed: ReadonlySet<string>;

  /** Takes origins in any spelling, or `*` for all. */
  constructor(allowed: readonly string[]) {
    this.#allowed = new Set(allowed.map((origin) => normalizeOrigin(origin) ?? origin));
  }

  /** A request without `Origin` is not from a page, and passes. */
  allows(request: UpgradeRequest): boolean {
    const header = request.headers.get("origin");
    if (header === null || this.#allowed.has("*")) return true;
    const origin = normalizeOrigin(header);
    if (origin === undefined) return false;
    return this.#allowed.has(origin) || isSameOrigin(origin, request);
  }
}

/** The origin in its one spelling, or `undefined` for what is no `scheme://host[:port]`. */
export function normalizeOrigin(text: unknown): string | undefined {
  if (typeof text !== "string" || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isBare = url.pathname === "/" && url.search === "" && url.hash === "" &&
    url.username === "" && url.password === "" && !text.endsWith("/");
  return isBare && (url.protocol === "http:" || url.protocol === "https:") ? url.origin : undefined;
}

/**
 * Host and port must be the same. The scheme may differ in one direction only: behind a proxy that
 * ends TLS the request looks like plain HTTP while the page is on HTTPS.
 */
function isSameOrigin(origin: string, request: UpgradeRequest): boolean {
  const page = new URL(origin);
  const target = new URL(request.url);
  if (target.protocol === "https:" && page.protocol !== "https:") return false;
  const host = request.headers.get("host") ?? target.host;
  return normalizeOrigin(`${page.protocol}//${host}`) === origin;
}
