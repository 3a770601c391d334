/**
 * A chat: page and gateway in one process. `deno task demo` runs it at http://localhost:8000.
 *
 * @module
 */
import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
import { Accounts } from "./accounts.ts";
import { Api } from "./api.ts";
import { authorizeRooms, mayPublish } from "./policy.ts";
import { startRadio } from "./radio.ts";
import { RecentMessages } from "./recent.ts";
import { ROOMS } from "./rooms.ts";
import { type Session, Sessions } from "./sessions.ts";
import { Site } from "./site.ts";

const port = readPort(Deno.env.get("PORT"));
const hostname = Deno.env.get("HOST") ?? "127.0.0.1";
const site = await Site.load();
const sessions = new Sessions();

await using broadcaster = new MemoryBroadcaster<Session>({ defaultAccess: "deny" });
authorizeRooms(broadcaster, sessions);

await using gateway = new BroadcastGateway<Session>({
  broadcaster,
  resolveSubject: (request) => sessions.find(request),
  allowClientPublish: (request) => mayPublish(request, sessions),
  onError: (error) => console.error(error.message),
});
const recent = new RecentMessages(broadcaster, ROOMS);
const api = new Api(broadcaster, new Accounts(), sessions, recent);
using _radio = startRadio(broadcaster, () => gateway.clientCount);

await serve().finished;

function serve(): Deno.HttpServer {
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", async () => {
    await gateway.close();
    // Peers that stopped reading would keep the server waiting; the others need a moment.
    setTimeout(() => stop.abort(), 100);
  });
  try {
    return Deno.serve({
      port,
      hostname,
      signal: stop.signal,
      onListen: ({ port }) => console.log(`The chat is at http://localhost:${port}`),
    }, async (request) => {
      if (gateway.match(request)) return await gateway.handler(request);
      return await api.respond(request) ?? site.respond(request);
    });
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    exit(`Port ${port} is taken: set PORT to another one, such as PORT=${port + 1}`);
  }
}

function readPort(text = "8000"): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port < 65_536) return port;
  exit(`PORT must be a number from 0 to 65535, got "${text}"`);
}

function exit(message: string): never {
  console.error(message);
  Deno.exit(1);
}
