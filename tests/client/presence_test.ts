import { assertEquals } from "@std/assert";
import { settle } from "@airwave/broadcast/testing";
import { PlayedClient } from "./harness.ts";

const ada = { id: "ada", name: "Ada" };
const bob = { id: "bob", name: "Bob" };
const eve = { id: "eve", name: "Eve" };

Deno.test("presence: here, join, leave; each is told once; after a break what changed meanwhile", async () => {
  using played = new PlayedClient();
  const { presence } = played.client.channel("presence-room");
  const told: string[] = [];
  presence.on("join", ({ id }) => told.push(`+${id}`));
  presence.on("leave", ({ id, name }) => told.push(`-${id} ${name}`));
  const c = "presence-room";
  await played.welcome2();
  played.ok();
  played.socket.receive({ t: "here", c, m: [ada, bob] });
  assertEquals(told.splice(0), ["+ada", "+bob"]);
  assertEquals([...presence.members.values()], [ada, bob]);
  played.socket.receive({ t: "join", c, m: ada });
  played.socket.receive({ t: "join", c, m: eve });
  played.socket.receive({ t: "leave", c, u: "bob" });
  played.socket.receive({ t: "leave", c, u: "bob" });
  assertEquals([told.splice(0), played.errors], [["+eve", "-bob Bob"], []]);
  await played.loseAndRetry();
  assertEquals([...presence.members.keys()], ["ada", "eve"]);
  await played.welcome2();
  played.ok({ r: "ok", m: 0 });
  played.socket.receive({ t: "here", c, m: [bob, eve] });
  assertEquals(told.splice(0), ["-ada Ada", "+bob"]);
  assertEquals([...presence.members.keys()].sort(), ["bob", "eve"]);
});

Deno.test("presence: two holders of a channel share its members, each has its own listeners", async () => {
  using played = new PlayedClient();
  const [first, second] = [
    played.client.channel("presence-a"),
    played.client.channel("presence-a"),
  ];
  const told: string[] = [];
  first.presence.on("join", ({ id }) => told.push(`first ${id}`));
  const off = second.presence.on("join", ({ id }) => told.push(`second ${id}`));
  await played.welcome2();
  played.ok();
  played.socket.receive({ t: "join", c: "presence-a", m: ada });
  off();
  played.socket.receive({ t: "join", c: "presence-a", m: bob });
  first.leave();
  played.socket.receive({ t: "join", c: "presence-a", m: eve });
  assertEquals(told, ["first ada", "second ada", "first bob"]);
  assertEquals([...second.presence.members.keys()], ["ada", "bob", "eve"]);
});

Deno.test("presence: where there are too many to list, their number is known", async () => {
  using played = new PlayedClient();
  const { presence } = played.client.channel("presence-a");
  await played.welcome2();
  played.ok();
  played.socket.receive({ t: "here", c: "presence-a", m: [ada] });
  assertEquals([presence.count, presence.members.size], [1, 1]);
  played.socket.receive({ t: "here", c: "presence-a", s: 5_000 });
  assertEquals([presence.count, presence.members.size], [5_000, 0]);
});

Deno.test("an event cannot be taken for news of presence or of the connection", async () => {
  using played = new PlayedClient();
  const channel = played.client.channel<{ join: string; lost: string }>("presence-a");
  const told: string[] = [];
  channel.presence.on("join", () => told.push("presence"));
  channel.onLost(() => told.push("really lost"));
  channel.on("join", (data) => told.push(data));
  channel.on("lost", (data) => told.push(data));
  await played.welcome2();
  played.ok({ o: 0 });
  played.socket.receive({ t: "msg", c: "presence-a", e: "join", d: "event", i: "1", o: 1 });
  played.socket.receive({ t: "msg", c: "presence-a", e: "lost", d: "event", i: "2", o: 2 });
  played.socket.receive('{"t":"msg","c":"presence-a","e":"\\u0000lost","d":1,"i":"3","o":3}');
  await settle();
  assertEquals(told, ["event", "event"]);
});
