/** How a client of each kind connects and subscribes, and what it is sent meanwhile. */

const plain = {
  path: "/",
  greet: undefined,
  subscribe: (channels) => [JSON.stringify({ sub: channels })],
  isLive: (text) => text === '{"ok":true}',
  answers: () => 1,
  pong: () => undefined,
};

const airwave = {
  path: "/_broadcast",
  /** Subscribes after this. */
  isWelcome: (text) => text.startsWith('{"t":"welcome"'),
  subscribe: (channels) => channels.map((c) => JSON.stringify({ t: "sub", c })),
  isLive: (text) => text.includes('"t":"ok"'),
  answers: (channels) => channels.length,
  pong: (text) => text === '{"t":"ping"}' ? '{"t":"pong"}' : undefined,
};

/** By the name that a peer gives. */
export const DIALECTS = {
  plain,
  airwave1: airwave,
  airwave2: {
    ...airwave,
    path: "/_broadcast?v=2",
    subscribe: (channels) => channels.map((c, n) => JSON.stringify({ t: "sub", c, n: n + 1 })),
  },
  socketIo: {
    path: "/socket.io/?EIO=4&transport=websocket",
    greet: (text) => text.startsWith("0{") ? "40" : undefined,
    isWelcome: (text) => text.startsWith("40{"),
    subscribe: (channels) => [`42${JSON.stringify(["sub", channels])}`],
    isLive: (text) => text === '42["ok"]',
    answers: () => 1,
    pong: (text) => text === "2" ? "3" : undefined,
  },
};
