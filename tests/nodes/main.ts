/**
 * A node as a process of its own, so that it can be killed and frozen: a gateway over a driver, and a
 * way in for the test that plays its application. Takes its configuration as JSON.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import process from "node:process";
import { BroadcastGateway, type DriverBroadcaster, MemoryBroadcaster } from "@airwave/broadcast";
import { serve } from "@airwave/broadcast/node";
import { PostgresBroadcaster } from "../../drivers/postgres.ts";
import { RedisBroadcaster } from "../../drivers/redis.ts";
import type { Command, NodeConfig } from "./config.ts";

interface User {
  readonly id: string;
}

const config: NodeConfig = JSON.parse(process.argv[2] ?? "");
const broadcaster = open(config);

broadcaster.authorize("presence-*", ({ subject }) => ({
  authorized: true,
  ...(subject === undefined ? {} : { presence: { id: subject.id } }),
}));
broadcaster.authorize("private-*", ({ subject }) => subject !== undefined);

const gateway = new BroadcastGateway<User>({
  broadcaster,
  resolveSubject: (request) => {
    const id = new URL(request.url).searchParams.get("user");
    return id === null ? undefined : { id };
  },
  identify: ({ id }) => id,
  allowClientPublish: () => true,
  maxChannelsPerConnection: 1_000,
  ...config.gateway,
});

const address = { port: config.port, hostname: "127.0.0.1" };
if ("Deno" in globalThis) {
  Deno.serve({ ...address, onListen() {} }, async (request) => {
    if (gateway.match(request)) return gateway.handler(request);
    return await answer(await request.text());
  });
} else {
  await serve(gateway, { ...address, fallback: answerOnNode });
}

async function answer(text: string): Promise<Response> {
  if (text === "") return new Response("Here");
  try {
    return Response.json(await obey(JSON.parse(text)) ?? null);
  } catch (error) {
    return new Response(String(error), { status: 500 });
  }
}

async function answerOnNode(message: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = "";
  for await (const chunk of message.setEncoding("utf8")) text += chunk;
  const { status, body } = await answer(text);
  response.writeHead(status).end(await new Response(body).text());
}

function open({ driver, url, name, broadcaster }: NodeConfig): DriverBroadcaster<User> {
  switch (driver) {
    case "memory":
      return new MemoryBroadcaster<User>(broadcaster);
    case "redis":
      return new RedisBroadcaster<User>({ url, prefix: name, historySize: 10_000, ...broadcaster });
    case "postgres":
      return new PostgresBroadcaster<User>({ url, prefix: name, ...broadcaster });
  }
}

async function obey(command: Command): Promise<unknown> {
  switch (command.do) {
    case "publish":
      return await broadcaster.publish(command.channel, command.event, command.options);
    case "sendToUser":
      return await broadcaster.sendToUser(command.user, command.event);
    case "revoke":
      return await broadcaster.revoke(command.target);
    case "disconnect":
      return await broadcaster.disconnect(command.target);
    case "presence":
      return await broadcaster.presence(command.channel);
    case "health":
      return broadcaster.health;
    case "drain":
      gateway.drain();
      return;
  }
}
