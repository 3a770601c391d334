/** A room of the chat: one channel, and who may be in it. */
export interface RoomInfo {
  /** Name in addresses. */
  readonly id: string;
  readonly title: string;
  readonly topic: string;
  readonly channel: string;
  readonly access: "everyone" | "logged-in";
}

/** Shared by server and page. The first is where a newcomer lands, and where the radio plays. */
export const LOBBY: RoomInfo = {
  id: "lobby",
  title: "Lobby",
  topic: "Say hello. The server talks here, too.",
  channel: "chat.lobby",
  access: "everyone",
};

export const ROOMS: readonly RoomInfo[] = [
  LOBBY,
  {
    id: "music",
    title: "Music",
    topic: "What are you listening to right now?",
    channel: "chat.music",
    access: "everyone",
  },
  {
    id: "travel",
    title: "Travel",
    topic: "Places seen, places to see.",
    channel: "chat.travel",
    access: "everyone",
  },
  {
    id: "members",
    title: "Members",
    topic: "Everybody here has logged in.",
    channel: "private-chat.members",
    access: "logged-in",
  },
];
