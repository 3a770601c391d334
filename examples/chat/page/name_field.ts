/// <reference lib="dom" />
import { isName } from "../messages.ts";
import { element } from "./elements.ts";
import { onRemembered, recall, remember } from "./storage.ts";

const MOODS = ["Calm", "Bright", "Quiet", "Merry", "Gentle", "Curious", "Patient", "Swift"];
const ANIMALS = ["Heron", "Otter", "Finch", "Badger", "Seal", "Lynx", "Wren", "Dolphin"];

/** What somebody calls themselves in the public rooms. There always is a name, one for all tabs. */
export class NameField {
  readonly #input = element("name", HTMLInputElement);
  #last: string;

  /** Calls back when there is another name. */
  constructor(onChange: () => void) {
    const known = recall("name");
    this.#last = isName(known) ? known : `${pick(MOODS)} ${pick(ANIMALS)}`;
    this.#input.value = this.#last;
    remember("name", this.#last);
    let told = this.#last;
    const tell = () => {
      this.#input.value = this.value;
      if (told === this.value) return;
      told = this.value;
      onChange();
    };
    this.#input.addEventListener("change", () => {
      remember("name", this.value);
      tell();
    });
    onRemembered("name", () => {
      this.#input.value = recall("name") ?? "";
      tell();
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
