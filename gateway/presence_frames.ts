import type { PresenceListener, PresenceSnapshot } from "../core/presence_channel.ts";
import type { PresenceInfo } from "../core/presence_info.ts";
import type { WireMember } from "../protocol/frames.ts";
import type { EncodedFrame } from "./encoded_frame.ts";
import { encode } from "./encoder.ts";

/**
 * Encodes who came and left, each once: all watchers of a channel are told in a row, so remembering
 * the last is enough.
 */
export class PresenceFrames {
  #about: unknown;
  #channel = "";
  #frame: EncodedFrame | undefined;

  /** Passes on what happens on a channel as frames. */
  listener(channel: string, send: (frame: EncodedFrame) => void): PresenceListener {
    return {
      here: (snapshot) => send(this.#once(channel, snapshot, () => encodeHere(channel, snapshot))),
      join: (member) =>
        send(
          this.#once(channel, member, () => encode({ t: "join", c: channel, m: toWire(member) })),
        ),
      leave: (user) =>
        send(this.#once(channel, user, () => encode({ t: "leave", c: channel, u: user }))),
    };
  }

  #once(channel: string, about: unknown, make: () => EncodedFrame): EncodedFrame {
    if (this.#frame === undefined || about !== this.#about || channel !== this.#channel) {
      this.#frame = make();
      this.#about = about;
      this.#channel = channel;
    }
    return this.#frame;
  }
}

function encodeHere(channel: string, { count, members }: PresenceSnapshot): EncodedFrame {
  return members === undefined
    ? encode({ t: "here", c: channel, s: count })
    : encode({ t: "here", c: channel, m: members.map(toWire) });
}

/** What all members may see. */
function toWire({ private: _, ...shared }: PresenceInfo): WireMember {
  return shared;
}
