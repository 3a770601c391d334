/// <reference lib="dom" />
import type { RoomInfo } from "../rooms.ts";
import { create, element } from "./elements.ts";

/** The links to the rooms, and the heading of the open one. */
export class RoomList {
  readonly #title = element("room-title", HTMLElement);
  readonly #topic = element("room-topic", HTMLElement);
  readonly #links = new Map<RoomInfo, HTMLAnchorElement>();

  constructor(rooms: readonly RoomInfo[]) {
    const list = element("rooms", HTMLElement).querySelector("ul");
    for (const room of rooms) {
      const link = create("a", "", room.title);
      link.href = `#${room.id}`;
      link.dataset.room = room.id;
      if (room.access === "logged-in") link.append(" ", create("span", "tag", "private"));
      const item = create("li", "");
      item.append(link);
      list?.append(item);
      this.#links.set(room, link);
    }
  }

  open(room: RoomInfo): void {
    for (const [{ id }, link] of this.#links) {
      link.ariaCurrent = id === room.id ? "page" : null;
    }
    this.#title.textContent = room.title;
    this.#topic.textContent = room.topic;
  }
}
