/**
 * A chat: page and gateway in one process. `deno task demo` runs it at http://localhost:8000.
 *
 * @module
 */
import { BroadcastGateway } from "@airwave/broadcast";
import { Accounts } from "./accounts.ts";
import { Api } from "./api.ts";
import { openBroadcaster } from "./backplane.ts";
import { authorizeRooms, mayPublish } from "./policy.ts";
import { startRadio } from "./radio.ts";
import { RecentMessages } from "./recent.ts";
import { Sessions } from "./sessions.ts";
import { readSettings } from "./settings.ts";
import { Site } from "./site.ts";
import { type Visitor, visitorOf } from "./visitors.ts";

const { port, hostname, redisUrl, radioIntervalMs } = readSettings();
const site = await Site.load();
const sessions = new Sessions();

await using broadcaster = openBroadcaster(redisUrl);
authorizeRooms(broadcaster, sessions);

await using gateway = new BroadcastGateway<Visitor>({
  broadcaster,
  resolveSubject: (request) => visitorOf(request, sessions),
  allowClientPublish: (request) => mayPublish(request, sessions),
  // Whoever closed the lid is gone for the others after a quarter of a minute at most.
  pingIntervalMs: 5_000,
  pongTimeoutMs: 5_000,
  onError: (error) => console.error(error.message),
});
const recent = await RecentMessages.load(broadcaster);
const api = new Api(broadcaster, new Accounts(), sessions, recent);
using _radio = radioIntervalMs === 0 ? undefined : startRadio(broadcaster, radioIntervalMs);

await serve().finished;

function serve(): Deno.HttpServer {
  const stop = new AbortController();
  const end = async () => {
    await gateway.close();
    // Peers that stopped reading would keep the server waiting; the others need a moment.
    setTimeout(() => stop.abort(), 100);
  };
  Deno.addSignalListener("SIGINT", end);
  Deno.addSignalListener("SIGTERM", end);
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
    console.error(`Port ${port} is taken: set PORT to another one, such as PORT=${port + 1}`);
    Deno.exit(1);
  }
}
