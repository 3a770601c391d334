import type { BroadcastEventInit, PublishOptions } from "../../core/event.ts";
import { Refusal } from "../refusal.ts";

/** One event of a request, taken apart. */
export interface WantedEvent {
  readonly target: { readonly channel: string } | { readonly user: string };
  readonly event: BroadcastEventInit;
  readonly options: PublishOptions;
}

/** What a request wants to have published, in its order. */
export interface PublishRequest {
  readonly events: readonly WantedEvent[];
  /** Whether it came as an array, which is answered by one. */
  readonly isBatch: boolean;
}

/**
 * Takes the body of a request apart. Names and data are judged where they are published.
 *
 * @throws {Refusal} Where it is no event and no array of them.
 */
export function parsePublishRequest(body: Uint8Array): PublishRequest {
  const parsed = parseJson(body);
  const isBatch = Array.isArray(parsed);
  return { events: (isBatch ? parsed : [parsed]).map(readEvent), isBatch };
}

/**
 * Events of a signed request that have no id take one from the signature, so that the request, sent
 * again to another node, publishes nothing twice.
 */
export async function nameAll(
  events: readonly WantedEvent[],
  signature: string | undefined,
): Promise<readonly WantedEvent[]> {
  if (signature === undefined) return events;
  const bytes = new TextEncoder().encode(signature);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const name = Array.from(digest.subarray(0, 16), (byte) => byte.toString(36)).join("");
  return events.map((wanted, index) => {
    const { id = `${name}.${index}`, ...event } = wanted.event;
    return { ...wanted, event: { ...event, id } };
  });
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new Refusal(400, "publish.malformed", "The body must be JSON in UTF-8");
  }
}

function readEvent(value: unknown, index: number): WantedEvent {
  const malformed = (rule: string) =>
    new Refusal(400, "publish.malformed", `Event ${index}: ${rule}`);
  if (typeof value !== "object" || value === null) throw malformed("must be an object");
  const { channel, user, event, data, id, except, ...rest }: Record<string, unknown> = { ...value };
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw malformed(`unknown key ${JSON.stringify(unknown)}`);
  if (typeof event !== "string") throw malformed("event must be text");
  if (id !== undefined && typeof id !== "string") throw malformed("id must be text");
  if (except !== undefined && typeof except !== "string") throw malformed("except must be text");
  const init = { event, data, ...(id === undefined ? {} : { id }) };
  const options = except === undefined ? {} : { except };
  if (typeof channel === "string" && user === undefined) {
    return { target: { channel }, event: init, options };
  }
  if (typeof user === "string" && channel === undefined) {
    return { target: { user }, event: init, options };
  }
  throw malformed("channel must be text, or user instead of it");
}
