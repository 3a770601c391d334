/** Mistakes that show when a client comes. */
import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
import { BroadcastClient } from "@airwave/broadcast/client";
import { attach } from "@airwave/broadcast/node";
import { assertEquals, assertMatch } from "@std/assert";
import { createServer } from "node:http";
import { freePort } from "../servers/port.ts";
import { Beginner, errorOf, untyped } from "./beginner.ts";
import { messageOf, mistake, timeout } from "./mistake.ts";

/** What the gateway logs when a client asks for a channel with this rule. */
const subscribing = (channel: string, rule?: () => unknown) => async () => {
  await using beginner = new Beginner();
  if (rule !== undefined) beginner.broadcaster.authorize(channel, untyped(rule));
  beginner.client().channel(channel);
  return await beginner.logged;
};

mistake("A private channel without a rule", subscribing("private-orders"));
mistake("A rule that answers something else than true", subscribing("private-orders", () => "yes"));
mistake("A rule that forgets to return", subscribing("private-orders", () => {}));
mistake(
  "A rule that throws",
  subscribing("private-orders", () => {
    throw new Error("the database is down");
  }),
);
mistake(
  "An expiresAt in seconds",
  subscribing("private-orders", () => ({ authorized: true, expiresAt: 1_900_000_000 })),
);
mistake(
  "A member's id that is a number",
  subscribing("presence-lobby", () => ({ authorized: true, presence: { id: 7 } })),
);

Deno.test(
  "a rule may say why it refuses: the log has it, the client has not",
  { timeout },
  async () => {
    await using beginner = new Beginner();
    beginner.broadcaster.authorize("private-orders", () => ({
      authorized: false,
      reason: "the account is closed",
    }));
    const client = beginner.client();
    client.channel("private-orders");
    assertEquals(await errorOf(client), 'Cannot subscribe on "private-orders": unauthorized');
    assertEquals(await beginner.logged, 'Refused channel "private-orders": the account is closed');
  },
);

mistake("A client asks for a channel that it may not have", async () => {
  await using beginner = new Beginner();
  const client = beginner.client();
  client.channel("private-orders");
  return await errorOf(client);
});

/** What the gateway logs when a client publishes. */
const publishing = (allowClientPublish?: () => unknown) => async () => {
  await using beginner = new Beginner({ allowClientPublish: untyped(allowClientPublish) });
  await beginner.client().channel("chat").publish("message", "Hello");
  return await beginner.logged;
};

mistake("A client publishes, and nothing allows it", publishing());
mistake("allowClientPublish that answers something else than true", publishing(() => "yes"));
mistake("A client publishes what it may not", async () => {
  await using beginner = new Beginner();
  const client = beginner.client();
  client.channel("chat").publish("message", "Hello");
  return await errorOf(client);
});

mistake("resolveSubject that throws", async () => {
  await using beginner = new Beginner({
    resolveSubject() {
      throw new Error("no such session");
    },
  });
  beginner.client();
  return await beginner.logged;
});
mistake("identify that gives a number", async () => {
  await using beginner = new Beginner({
    resolveSubject: () => ({ id: 7 }),
    identify: untyped(({ id }: { id: number }) => id),
  });
  beginner.client();
  return await beginner.logged;
});
mistake("Tokens are sent, and nothing reads them", async () => {
  await using beginner = new Beginner();
  beginner.client({ getToken: () => "a token" });
  return await beginner.logged;
});
mistake("Tokens are asked for, and the client has none", async () => {
  await using beginner = new Beginner({
    resolveToken: () => undefined,
    authTimeoutMs: 1,
  });
  return await errorOf(beginner.client());
});
mistake("A client with a wrong path", async () => {
  await using beginner = new Beginner();
  const url = `ws://${beginner.host}/live`;
  return await errorOf(beginner.client({ url, maxReconnectAttempts: 0 }));
});
mistake("A client whose server is not there", () => {
  const client = new BroadcastClient({ url: `ws://127.0.0.1:${freePort()}`, autoConnect: false });
  const reason = new Promise<string>((resolve) =>
    client.on("reconnecting", ({ reason }) => {
      client.disconnect();
      resolve(reason);
    })
  );
  client.connect();
  return reason;
});
mistake("The broadcaster is closed before the server", async () => {
  await using beginner = new Beginner();
  await beginner.broadcaster.close();
  beginner.client();
  return await beginner.logged;
});

Deno.test(
  "guarantee 8: a broadcaster that is closed first turns clients away, and the server lives on",
  { timeout },
  async () => {
    await using beginner = new Beginner();
    await beginner.broadcaster.close();
    const client = beginner.client({ maxReconnectAttempts: 0 });
    assertMatch(await errorOf(client), /the last with 1001 going away$/);
    assertEquals(beginner.gateway.clientCount, 0);
  },
);

/** What is answered over HTTP. */
async function answerTo(path: string, headers: Record<string, string>): Promise<string> {
  await using broadcaster = new MemoryBroadcaster();
  await using gateway = new BroadcastGateway({ broadcaster });
  const response = await gateway.handler(new Request(`http://localhost${path}`, { headers }));
  return `${response.status} ${(await response.text()).trim()}`;
}

const HANDSHAKE = { connection: "upgrade", upgrade: "websocket" };

mistake("A request for another path", () => answerTo("/live", HANDSHAKE));
mistake("A proxy that keeps the Upgrade header", () => answerTo("/_broadcast", {}));
mistake(
  "A page of another origin asks",
  () => answerTo("/_broadcast", { ...HANDSHAKE, origin: "https://app.example" }),
);

mistake("Two gateways on one path of a server", async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using first = new BroadcastGateway({ broadcaster });
  await using second = new BroadcastGateway({ broadcaster });
  const server = createServer();
  await using _ = attach(first, server);
  return await messageOf(() => attach(second, server));
});

Deno.test("gateways share a server on paths of their own; a path is free again after close()", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const at = (path: string) => new BroadcastGateway({ broadcaster, path });
  const server = createServer();
  const first = attach(at("/live"), server);
  await using _ = attach(at("/live-2"), server);
  for (const path of ["/", "/live", "/live/below"]) {
    assertMatch(await messageOf(() => attach(at(path), server)), /this server has one at \/live/);
  }
  await first.close();
  await using _again = attach(at("/live"), server);
});
