/// <reference lib="dom" />
import { ALIAS_COOKIE } from "../rooms.ts";
import { randomHex } from "./random.ts";
import { recall, remember } from "./storage.ts";

/**
 * Tells the server under which name this browser goes: its cookie comes with every connection that is
 * opened from here on. The secret makes all tabs one person, also after a restart of the server.
 */
export function introduce(name: string): void {
  const secret = recall("secret") ?? randomHex(16);
  remember("secret", secret);
  document.cookie = `${ALIAS_COOKIE}=${secret}.${
    encodeURIComponent(name)
  }; Path=/; SameSite=Strict`;
}
