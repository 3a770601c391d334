/**
 * Where an event stands in its channel. Offsets count 1, 2, 3 … without holes within an epoch; the
 * epoch changes when the stored history was lost or made anew, so that two positions with different
 * epochs cannot be compared.
 */
export interface Position {
  /** Opaque name of one unbroken history of the channel. */
  readonly epoch: string;
  /** Number of the event in it; 0 stands before the first. */
  readonly offset: number;
}

/** What {@linkcode isPosition} asks for, in words for an error message. */
export const POSITION_RULE = "a position {epoch, offset}";

/** Whether a value is a position. */
export function isPosition(value: unknown): value is Position {
  return typeof value === "object" && value !== null &&
    "epoch" in value && typeof value.epoch === "string" &&
    "offset" in value && Number.isSafeInteger(value.offset) && Number(value.offset) >= 0;
}
