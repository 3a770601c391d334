/// <reference lib="dom" />
import { BroadcastClient, type BroadcastClientError } from "@airwave/broadcast/client";
import { LOBBY, ROOMS } from "../rooms.ts";
import { Account } from "./account.ts";
import { introduce } from "./alias.ts";
import { Bulletin } from "./bulletin.ts";
import { Composer } from "./composer.ts";
import { ConnectionView, reconnect } from "./connection_view.ts";
import { element } from "./elements.ts";
import { Entrance } from "./entrance.ts";
import { MessageList } from "./message_list.ts";
import { NameField } from "./name_field.ts";
import { PeopleView } from "./people_view.ts";
import { RadioView } from "./radio_view.ts";
import { Room, type RoomEvents } from "./room.ts";
import { RoomList } from "./room_list.ts";
import { recall, remember } from "./storage.ts";

const LOGGED_OUT = "Please log in again: the server does not know your log-in any more.";

/** The page: which room is open, who is here, and what is shown of it. */
export class Chat {
  readonly #client = new BroadcastClient({ autoConnect: false });
  readonly #account = new Account();
  readonly #rooms: readonly Room[];
  readonly #roomList = new RoomList(ROOMS);
  readonly #name = new NameField(() => this.#onRename());
  readonly #list = new MessageList((nonce) => this.#room.retry(nonce));
  readonly #people = new PeopleView();
  readonly #bulletin = new Bulletin();
  readonly #radio = new RadioView(this.#client);
  readonly #entrance = new Entrance(this.#account, () => this.#onLogIn());
  readonly #composer = new Composer({
    send: (text) => this.#room.write(this.#writer, text),
    typing: () => this.#room.typing(this.#person, this.#writer),
  });
  readonly #conversation = element("conversation", HTMLElement);
  readonly #entranceSection = element("entrance", HTMLElement);
  readonly #accountBar = element("account", HTMLElement);
  readonly #signedIn = element("signed-in", HTMLElement);
  readonly #typing = element("typing", HTMLElement);
  /** Text that was begun in rooms that are not open. */
  readonly #drafts = new Map<Room, string>();
  #room: Room;
  /** The last one who was logged in here. */
  #member: string | undefined;
  /** Set while it is tried whether the log-in is only newer than the connection. */
  #triesNewConnection = false;

  constructor() {
    const events: RoomEvents = {
      messages: (room) => room === this.#room && this.#list.update(room.timeline.entries()),
      people: (room) => room === this.#room && this.#showPeople(),
      recovered: (room, missed) => room === this.#room && this.#bulletin.recovered(missed),
      lost: (room) => room === this.#room && this.#bulletin.lost(),
    };
    this.#rooms = ROOMS.map((info) => new Room(info, this.#client, events));
    this.#room = this.#requestedRoom();
    new ConnectionView(this.#client);
  }

  async start(): Promise<void> {
    introduce(this.#name.value);
    this.#client.on("state", () => this.#showPeople());
    this.#client.on("open", () => this.#admit());
    this.#client.on("subscribed", () => this.#triesNewConnection = false);
    this.#client.on("error", (error) => this.#onError(error));
    this.#account.onChangeElsewhere(() => this.#onAccountChange());
    element("logout", HTMLButtonElement).addEventListener("click", () => this.#logOut());
    addEventListener("hashchange", () => this.#goTo(this.#requestedRoom()));
    this.#open(this.#room);
    await this.#refreshAccount();
    this.#client.connect();
  }

  /** In the private room one is who one logged in as. */
  get #writer(): string {
    return this.#isPrivate(this.#room) ? this.#account.name ?? "" : this.#name.value;
  }

  /** Who one is for others in the open room. */
  get #person(): string | undefined {
    return this.#isPrivate(this.#room) ? this.#account.name : this.#account.person;
  }

  #isPrivate({ info }: Room): boolean {
    return info.access === "logged-in";
  }

  #requestedRoom(): Room {
    const ids = [location.hash.slice(1), recall("room"), LOBBY.id];
    for (const id of ids) {
      const room = this.#rooms.find(({ info }) => info.id === id);
      if (room !== undefined) return room;
    }
    throw new Error("There is no lobby");
  }

  #goTo(room: Room): void {
    if (room === this.#room) return;
    this.#drafts.set(this.#room, this.#composer.draft);
    this.#room.leave();
    this.#open(room);
  }

  #open(room: Room): void {
    this.#room = room;
    const { id, title } = room.info;
    remember("room", id);
    history.replaceState(null, "", `#${id}`);
    document.title = `${title} · Airwave chat`;
    this.#roomList.open(room.info);
    this.#entrance.show("");
    this.#composer.open(title, this.#drafts.get(room) ?? "");
    this.#radio.visible = room.info === LOBBY;
    this.#bulletin.clear();
    this.#people.open();
    this.#show();
    this.#list.open(room.timeline.entries());
    this.#admit();
  }

  /** Enters the open room, where that is allowed as far as this page can know. */
  async #admit(): Promise<void> {
    const room = this.#room;
    if (room.entered) return;
    if (this.#isPrivate(room)) {
      await this.#refreshAccount();
      if (room !== this.#room) return;
      if (this.#account.name !== undefined) room.enter();
    } else {
      room.enter();
    }
    this.#show();
  }

  /** What is there depends on the room, and on whether one is in it. */
  #show(): void {
    const room = this.#room;
    const isPrivate = this.#isPrivate(room);
    const isIn = room.entered || !isPrivate;
    const name = isPrivate ? this.#account.name : undefined;
    this.#conversation.hidden = !isIn;
    this.#conversation.classList.toggle("named", isPrivate);
    this.#entranceSection.hidden = isIn;
    this.#accountBar.hidden = !isIn || name === undefined;
    this.#signedIn.textContent = `Logged in as ${name ?? ""}`;
    this.#showPeople();
  }

  #showPeople(): void {
    const { people } = this.#room;
    this.#typing.textContent = people.typists.words;
    this.#people.show(people, this.#person, this.#client.connected);
  }

  #onError(error: BroadcastClientError): void {
    const { channel, reason, code } = error;
    const room = this.#rooms.find(({ info }) =>
      info.channel === channel || info.presence === channel
    );
    if (room === undefined || reason === undefined) return reportError(error);
    if (this.#isPrivate(room) && (reason === "unauthorized" || reason === "publish denied")) {
      this.#onShutOut(room);
    } else if (code !== "client.publish_refused" && channel !== room.info.presence) {
      // A message that was refused says so itself, and without a cookie one is nobody to be seen.
      reportError(error);
    }
  }

  /** The server does not know the log-in, or this connection was made before it. */
  async #onShutOut(room: Room): Promise<void> {
    // The refusals of one connection come together.
    if (!room.entered) return;
    room.shut();
    await this.#refreshAccount();
    if (this.#account.name !== undefined && !this.#triesNewConnection) {
      this.#triesNewConnection = true;
      reconnect(this.#client);
      await this.#admit();
    } else if (room === this.#room) {
      const wasWriting = this.#conversation.contains(document.activeElement);
      this.#entrance.show(LOGGED_OUT);
      this.#show();
      if (wasWriting) this.#entrance.focus();
    }
  }

  /** As with a new log-in: the connection carries the cookie it was opened with. */
  #onRename(): void {
    introduce(this.#name.value);
    reconnect(this.#client);
  }

  /** The connection carries the cookie it was opened with, so a new log-in needs a new one. */
  async #onLogIn(): Promise<void> {
    this.#welcome();
    reconnect(this.#client);
    await this.#admit();
    this.#composer.focus();
  }

  async #logOut(): Promise<void> {
    if (!await this.#account.logOut()) return;
    this.#forgetMember();
    reconnect(this.#client);
    this.#show();
    this.#entrance.focus();
  }

  /** Another tab logged in or out. */
  async #onAccountChange(): Promise<void> {
    const former = this.#account.name;
    await this.#refreshAccount();
    if (former === this.#account.name) return;
    if (this.#account.name === undefined) this.#forgetMember();
    reconnect(this.#client);
    this.#show();
  }

  async #refreshAccount(): Promise<void> {
    await this.#account.refresh();
    this.#welcome();
  }

  /** Another one at the same page sees nothing of the one before. */
  #welcome(): void {
    const { name } = this.#account;
    if (name === undefined) return;
    if (this.#member !== undefined && this.#member !== name) this.#forgetMember();
    this.#member = name;
  }

  #forgetMember(): void {
    this.#member = undefined;
    for (const room of this.#rooms.filter((room) => this.#isPrivate(room))) {
      this.#drafts.delete(room);
      room.forget();
    }
    if (this.#isPrivate(this.#room)) this.#composer.open(this.#room.info.title, "");
  }
}
