import { isUserId } from "../protocol/names.ts";

/** How somebody appears on a `presence-` channel. */
export interface PresenceInfo {
  /** The user: one member however many connections carry it. */
  readonly id: string;
  /** What only the server sees: {@linkcode Broadcaster.presence} has it, no client does. */
  readonly private?: unknown;
  /** Anything else that all members may see: JSON values. */
  readonly [key: string]: unknown;
}

/** Whether a value describes a member: an object with a user id. */
export function isPresenceInfo(value: unknown): value is PresenceInfo {
  return typeof value === "object" && value !== null && "id" in value && isUserId(value.id);
}
