import type { Transport, TransportEvents } from "./transport.ts";

/** Opens a stream of server-sent events with an uplink beside it as a transport. */
export function openEventStream(_url: string, _events: TransportEvents): Transport {
  throw new Error("Cannot open an event stream: not there yet");
}
