/// <reference lib="dom" />
import { isName } from "../messages.ts";
import { element } from "./elements.ts";
import { recall, remember } from "./storage.ts";

const MOODS = ["Calm", "Bright", "Quiet", "Merry", "Gentle", "Curious", "Patient", "Swift"];
const ANIMALS = ["Heron", "Otter", "Finch", "Badger", "Seal", "Lynx", "Wren", "Dolphin"];

/** What somebody calls themselves in the public rooms. There always is a name. */
export class NameField {
  readonly #input = element("name", HTMLInputElement);
  #last: string;

  constructor() {
    const known = recall("name");
    this.#last = isName(known) ? known : `${pick(MOODS)} ${pick(ANIMALS)}`;
    this.#input.value = this.#last;
    this.#input.addEventListener("change", () => {
      this.#input.value = this.value;
      remember("name", this.value);
    });
  }

  /** The name in the field, or the last one that was a name. */
  get value(): string {
    const written = this.#input.value.replace(/\s+/g, " ").trim();
    if (isName(written)) this.#last = written;
    return this.#last;
  }
}

function pick(words: readonly string[]): string {
  return words[Math.floor(Math.random() * words.length)] ?? "";
}
