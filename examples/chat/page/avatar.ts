/// <reference lib="dom" />
import { create } from "./elements.ts";

const HUES = 8;

/** Initials in the colour of a name; for the eye only, as the name stands beside it. */
export function avatar(name: string): HTMLElement {
  const made = create("span", "avatar", initials(name));
  made.ariaHidden = "true";
  made.dataset.hue = String(hue(name));
  return made;
}

/** The same colour for the same name, everywhere. */
export function hue(name: string): number {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return sum % HUES;
}

function initials(name: string): string {
  const words = name.match(/[\p{L}\p{N}]+/gu) ?? [name];
  const first = words.map((word) => [...word][0] ?? "");
  return first.slice(0, 2).join("").toUpperCase();
}
