import type { WirePosition } from "../protocol/frames.ts";

/**
 * Where a page stands in a channel. Offsets count 1, 2, 3 … without holes within an epoch; another
 * epoch means that the server's history was lost or made anew.
 */
export interface ChannelPosition {
  /** Opaque name of one unbroken history of the channel. */
  readonly epoch: string;
  /** Number of the last event; 0 stands before the first. */
  readonly offset: number;
}

/** A position as the wire has it. */
export function fromWire(p: WirePosition | undefined): ChannelPosition | undefined {
  return p && { epoch: p.e, offset: p.o };
}
