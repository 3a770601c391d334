/** A room of the chat: its channels, and who may be in it. */
export interface RoomInfo {
  /** Name in addresses. */
  readonly id: string;
  readonly title: string;
  readonly topic: string;
  /** What is said. */
  readonly channel: string;
  /** Who is there, and who types: signs that nobody needs to read later. */
  readonly presence: string;
  readonly access: "everyone" | "logged-in";
}

/** What the server itself says, by whatever node. */
export const RADIO_CHANNEL = "chat.radio";

/** Shared by server and page. The first is where a newcomer lands, and where the radio plays. */
export const LOBBY: RoomInfo = {
  id: "lobby",
  title: "Lobby",
  topic: "Say hello. The server talks here, too.",
  channel: "chat.lobby",
  presence: "presence-chat.lobby",
  access: "everyone",
};

export const ROOMS: readonly RoomInfo[] = [
  LOBBY,
  {
    id: "music",
    title: "Music",
    topic: "What are you listening to right now?",
    channel: "chat.music",
    presence: "presence-chat.music",
    access: "everyone",
  },
  {
    id: "travel",
    title: "Travel",
    topic: "Places seen, places to see.",
    channel: "chat.travel",
    presence: "presence-chat.travel",
    access: "everyone",
  },
  {
    id: "members",
    title: "Members",
    topic: "Everybody here has logged in.",
    channel: "private-chat.members",
    presence: "presence-chat.members",
    access: "logged-in",
  },
];

/** Where the page keeps a secret of its browser and the visitor's name: `secret.name`. */
export const ALIAS_COOKIE = "airwave_alias";
