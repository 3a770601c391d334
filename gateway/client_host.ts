import type { Deadlines } from "../core/deadline.ts";
import type { Access } from "./access.ts";
import type { BacklogLimit } from "./backlog.ts";
import type { EventEncoder } from "./encoder.ts";
import type { FanOuts } from "./fan_out.ts";
import type { Flusher } from "./flusher.ts";
import type { GatewaySettings } from "./options.ts";
import type { PresenceFrames } from "./presence_frames.ts";
import type { GatewayReporter } from "./reporter.ts";

/** What the parts of a session need of their gateway. */
export interface ClientHost<Subject> {
  readonly settings: GatewaySettings<Subject>;
  readonly deadlines: Deadlines;
  readonly encoder: EventEncoder;
  readonly fanOuts: FanOuts;
  readonly flusher: Flusher;
  readonly backlogLimit: BacklogLimit;
  readonly access: Access<Subject>;
  readonly presenceFrames: PresenceFrames;
  readonly reporter: GatewayReporter<Subject>;
  /** A channel became live on, or left, one connection. */
  subscribed(channel: string): void;
  unsubscribed(channel: string): void;
}
