/// <reference lib="dom" />
import type { RoomMember } from "../members.ts";
import { avatar } from "./avatar.ts";
import { create, element } from "./elements.ts";
import type { People } from "./people.ts";

/** The list of who is in the open room, and what is told of those who come and go. */
export class PeopleView {
  readonly #section = element("people", HTMLElement);
  readonly #title = element("people-title", HTMLElement);
  readonly #list = element("people-list", HTMLUListElement);
  readonly #toggle = element("people-toggle", HTMLButtonElement);
  /** Apart from the list: a screen reader is told of a change, not of everybody again. */
  readonly #announcement = element("people-announcement", HTMLElement);
  /** Names by person, as shown; nothing while the room was just entered. */
  #known: ReadonlyMap<string, string> | undefined;

  constructor() {
    this.#toggle.addEventListener("click", () => {
      this.#toggle.ariaExpanded = String(this.#section.classList.toggle("open"));
    });
  }

  /** Another room: whoever is there already has not just come. */
  open(): void {
    this.#known = undefined;
    this.#announcement.textContent = "";
  }

  /** `self` is the person at this page. Without a connection the list is what was known last. */
  show(people: People, self: string | undefined, isConnected: boolean): void {
    const { members, count, typists } = people;
    this.#section.hidden = count === 0;
    this.#section.classList.toggle("stale", !isConnected);
    this.#title.textContent = inWords(count, isConnected);
    const persons = typists.persons;
    const selfFirst = members.sort((a, b) =>
      Number(b.person === self) - Number(a.person === self) || a.name.localeCompare(b.name)
    );
    this.#list.replaceChildren(
      ...selfFirst.map((member) => item(member, member.person === self, persons)),
    );
    if (count > 0) this.#announce(members, self);
  }

  #announce(members: readonly RoomMember[], self: string | undefined): void {
    const former = this.#known;
    this.#known = new Map(members.map(({ person, name }) => [person, name]));
    if (former === undefined) return;
    const came = [...this.#known].filter(([person]) => !former.has(person) && person !== self);
    const left = [...former].filter(([person]) => !this.#known?.has(person) && person !== self);
    const news = [
      ...came.map(([, name]) => `${name} came in.`),
      ...left.map(([, name]) => `${name} left.`),
    ];
    if (news.length > 0) this.#announcement.textContent = news.join(" ");
  }
}

function inWords(count: number, isConnected: boolean): string {
  const people = count === 1 ? "1 person" : `${count.toLocaleString()} people`;
  if (isConnected) return `${people} here`;
  return `${people} ${count === 1 ? "was" : "were"} here`;
}

function item(
  { person, name }: RoomMember,
  isSelf: boolean,
  typists: ReadonlySet<string>,
): HTMLLIElement {
  const made = create("li", typists.has(person) ? "typing" : "");
  const text = create("span", "name", name);
  text.dir = "auto";
  made.append(avatar(name), text);
  if (isSelf) made.append(create("span", "tag", "you"));
  return made;
}
