/** Tokens and presence of the client, against the real gateway. */
import { assert, assertEquals } from "@std/assert";
import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
import { BroadcastClient } from "@airwave/broadcast/client";
import { listen } from "../gateway/listeners.ts";
import { TcpProxy } from "../servers/tcp_proxy.ts";

interface User {
  id: string;
  expiresAt: number;
}

/** A gateway that asks for tokens, which are `user expiry`; and a way to it that can be cut. */
async function serve() {
  const broadcaster = new MemoryBroadcaster<User>({ presenceGraceMs: 1 });
  broadcaster.authorize(
    "presence-*",
    ({ subject }) => subject ? { authorized: true, presence: { id: subject.id } } : false,
  );
  const gateway = new BroadcastGateway<User>({
    broadcaster,
    identify: ({ id }) => id,
    resolveToken: (token) => {
      const [id = "", expiresAt] = token.split(" ");
      return id === "nobody" ? undefined : { id, expiresAt: Number(expiresAt) };
    },
  });
  const server = await listen(gateway);
  const proxy = await TcpProxy.listen(server.port);
  return {
    broadcaster,
    gateway,
    cut: () => proxy.cut(),
    connect: (getToken: () => string) =>
      new BroadcastClient({
        url: `ws://127.0.0.1:${proxy.port}/_broadcast`,
        reconnectInitialDelayMs: 20,
        getToken: () => Promise.resolve(getToken()),
      }),
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await broadcaster.close();
      await proxy[Symbol.asyncDispose]();
      await server.shutdown();
    },
  };
}

/** Collects lines, and waits for one. */
class Log {
  readonly lines: string[] = [];
  #look = () => {};

  readonly add = (line: string): void => {
    this.lines.push(line);
    this.#look();
  };

  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.#look = resolve);
  }
}

const forever = (id: string) => () => `${id} ${Date.now() + 1e9}`;

Deno.test("a token that expires all the time, under constant events: nothing is lost, no reconnect", async () => {
  await using site = await serve();
  let tokens = 0;
  using client = site.connect(() => {
    tokens++;
    // A new one is asked for when half of it is over; no machine is so busy that the rest is too short.
    return `ada ${Date.now() + 2_000}`;
  });
  const log = new Log();
  client.on("state", ({ new: state }) => log.add(state));
  client.on("error", ({ message }) => log.add(message));
  const events: unknown[] = [];
  const channel = client.channel("news");
  channel.on("n", (data) => {
    events.push(data);
    log.add("");
  });
  await channel.ready;
  let sent = 0;
  // As fast as they come back, over at least four tokens.
  while (tokens < 5) {
    await site.broadcaster.publish("news", { event: "n", data: ++sent });
    await log.until(() => events.length === sent);
  }
  assertEquals(events, Array.from({ length: sent }, (_, index) => index + 1));
  assertEquals(log.lines.filter((line) => line !== ""), ["connected"]);
});

Deno.test("a token that is refused is asked for once more, and ends in one error", async () => {
  await using site = await serve();
  let tokens = 0;
  using client = site.connect(() => {
    tokens++;
    return "nobody 0";
  });
  const log = new Log();
  client.on("error", ({ code, reason }) => log.add(`${code} ${reason}`));
  client.on("close", ({ willReconnect }) => log.add(`again: ${willReconnect}`));
  client.channel("news");
  await log.until(() => client.state === "disconnected" && log.lines.length > 1);
  assertEquals(log.lines, ["again: false", "client.connection_refused token refused"]);
  assertEquals(tokens, 2);
});

Deno.test("presence: who comes and goes is told once, and is right again after a break", async () => {
  await using site = await serve();
  const log = new Log();
  using ada = site.connect(forever("ada"));
  const room = ada.channel("presence-room");
  room.presence.on("join", ({ id }) => log.add(`+${id}`));
  room.presence.on("leave", ({ id }) => log.add(`-${id}`));
  const until = (line: string) => log.until(() => log.lines.includes(line));
  await until("+ada");
  {
    using bob = site.connect(forever("bob"));
    bob.channel("presence-room");
    await until("+bob");
    assertEquals([...room.presence.members.keys()].sort(), ["ada", "bob"]);
  }
  await until("-bob");
  using eve = site.connect(forever("eve"));
  eve.channel("presence-room");
  await until("+eve");
  // Both lose their connections; Eve does not come back, and Ada hears of that when she does.
  eve.on("close", () => eve.disconnect());
  site.cut();
  await until("-eve");
  await log.until(() => room.presence.members.has("ada"));
  assertEquals(room.presence.count, 1);
  const joined = log.lines.filter((line) => line.startsWith("+"));
  assert(joined.length <= 4 && joined[1] === "+bob" && joined[2] === "+eve", log.lines.join());
});
