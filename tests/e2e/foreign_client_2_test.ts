/**
 * Runs a client of revision 2 that was written from PROTOCOL.md alone, in another language and
 * without our code, against a real gateway. It checks order, holes and doubles by itself, on every
 * event; what it prints of frames is compared as text, with a position told by its offset.
 */
import type { BroadcastGatewayOptions, MemoryBroadcasterOptions } from "@airwave/broadcast";
import { assertEquals } from "@std/assert";
import { Stage as ForeignStage } from "./foreign_client.ts";

class Stage extends ForeignStage {
  constructor(
    options: Partial<BroadcastGatewayOptions<string>> = {},
    broadcasterOptions: MemoryBroadcasterOptions = {},
  ) {
    super("foreign_client_2.py", options, broadcasterOptions);
  }

  /** Publishes whole numbers from one to before another. */
  async count(channel: string, from: number, to: number): Promise<void> {
    for (let n = from; n < to; n++) await this.publish(channel, "tick", n);
  }
}

const LEFT = { closed: [1000, "client left"] };

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

Deno.test("revision 2: a foreign client that was cut off resumes, once and in order", async () => {
  await using stage = new Stage();
  await using client = stage.run("resume");
  await client.hears('{"t":"ok","c":"news","n":1,"p":0,"r":"none"}');
  await stage.count("news", 0, 3);
  await client.finds({ noted: [0, 1, 2] });
  await stage.count("news", 3, 6);
  await client.go();
  await client.hears('{"t":"ok","c":"news","n":1,"p":6,"r":"ok","m":3}');
  await client.finds({ noted: range(0, 6) });
  await stage.count("news", 6, 8);
  await client.finds({ noted: range(0, 8) }, LEFT);
});

Deno.test("revision 2: a foreign client that has seen no event resumes, and so does one that missed none", async () => {
  await using stage = new Stage();
  await stage.publish("news", "tick", "before its time");
  await using client = stage.run("resume_before_any_event");
  await client.finds({ noted: "away" });
  await stage.count("news", 0, 2);
  await client.go();
  await client.hears('{"t":"ok","c":"news","n":1,"p":3,"r":"ok","m":2}');
  await client.finds({ noted: [0, 1] });
  await client.hears('{"t":"ok","c":"news","n":1,"p":3,"r":"ok","m":0}');
  await client.finds(LEFT);
});

Deno.test("revision 2: cut off again and again in the middle of a replay, it misses nothing", async () => {
  await using stage = new Stage();
  await using client = stage.run("cut_while_resuming");
  await client.finds({ noted: "away" });
  await stage.count("news", 0, 250);
  await client.go();
  await client.finds({ noted: Math.ceil(250 / 17) }, { noted: true });
});

Deno.test("revision 2: a gap that history does not hold, or of another epoch, is told as lost", async () => {
  await using stage = new Stage({}, { historySize: 10 });
  await using client = stage.run("lost");
  await client.finds({ noted: "away" });
  await stage.count("news", 0, 11);
  await client.go();
  await client.hears('{"t":"ok","c":"news","n":1,"p":11,"r":"lost"}');
  await client.finds({ noted: [] });
  await stage.count("news", 11, 12);
  await client.finds({ noted: [11] });
  await client.hears('{"t":"ok","c":"news","n":1,"p":12,"r":"lost"}');
  await client.finds(LEFT);
});

Deno.test("revision 2: what is published again after a cut is delivered once, and acknowledged", async () => {
  await using stage = new Stage({ allowClientPublish: () => true });
  await using witness = stage.broadcaster.subscribe("chat");
  await witness.ready;
  await using client = stage.run("publish_once");
  await client.finds({ noted: "cut" });
  await client.go();
  await client.finds({ noted: true }, LEFT);
  const heard = [];
  while (heard.length < 21) heard.push((await witness.next()).value?.data);
  assertEquals(heard, range(0, 21));
});

Deno.test("revision 2: an event that leaves its publisher out moves its position", async () => {
  await using stage = new Stage({ allowClientPublish: () => true });
  await using client = stage.run("leave_me_out");
  await client.hears(
    '{"t":"ok","c":"chat","n":2,"p":1}',
    '{"t":"skip","c":"chat","o":1}',
    '{"t":"ok","c":"chat","n":1,"p":1,"r":"ok","m":0}',
  );
  await client.finds(LEFT);
});

Deno.test("revision 2: answers carry their number, however late; one that was called off has none", async () => {
  await using stage = new Stage();
  const decisions: PromiseWithResolvers<boolean>[] = [];
  stage.broadcaster.authorize("slow", () => {
    const decision = Promise.withResolvers<boolean>();
    decisions.push(decision);
    return decision.promise;
  });
  await using client = stage.run("late_answers");
  await client.hears('{"t":"ok","c":"slow","n":2}');
  await client.finds({ noted: "asked" });
  decisions[0]?.resolve(false);
  decisions[1]?.resolve(true);
  await client.hears(
    '{"t":"ok","c":"slow","n":3,"p":0,"r":"none"}',
    '{"t":"ok","c":"slow","n":4,"p":0,"r":"none"}',
  );
  await client.finds(LEFT);
});

Deno.test("revision 2: a refusal has number, code and verdict", async () => {
  await using stage = new Stage(
    { allowClientPublish: ({ channel }) => channel !== "news" },
    { maxEventBytes: 1_000 },
  );
  await using client = stage.run("refused");
  await client.hears(
    '{"t":"err","c":"private-ledger","r":"unauthorized","n":1,"k":"unauthorized","w":"never"}',
    '{"t":"err","c":"private-broken","r":"authorization failed","n":2,"k":"authorization_failed","w":"backoff"}',
    '{"t":"err","c":"no spaces","r":"invalid channel name","n":3,"k":"invalid_channel","w":"never"}',
    '{"t":"err","c":"news","r":"publish denied","n":4,"k":"publish_denied","w":"never"}',
    '{"t":"err","c":"chat","r":"invalid event name","n":5,"k":"invalid_event","w":"never"}',
    '{"t":"err","c":"chat","r":"publish refused","n":6,"k":"publish_refused","w":"never"}',
    '{"t":"err","c":"chat","r":"publish refused","n":7,"k":"publish_refused","w":"never"}',
    '{"t":"err","c":"chat","r":"publish refused","n":8,"k":"publish_refused","w":"never"}',
  );
  await client.finds(LEFT);
});

Deno.test("revision 2: batches both ways, and what is no frame in them touches nothing", async () => {
  await using stage = new Stage();
  await using client = stage.run("batches");
  await client.finds({ noted: "live" });
  for (let n = 0; n < 10; n++) {
    for (let channel = 0; channel < 20; channel++) await stage.publish(`c${channel}`, "tick", n);
  }
  await client.finds({ noted: true });
  await client.hears('{"t":"ok","c":"c0","n":21}');
  await client.finds(LEFT);
});

Deno.test("revision 2: a subscription that the server ends is gone, the others live", async () => {
  await using stage = new Stage();
  // Asked again when it is over, the rule has nothing better to say.
  let expiresAt: number | undefined;
  stage.broadcaster.authorize("hour", () => {
    expiresAt ??= Date.now() + 200;
    return { authorized: true, expiresAt };
  });
  await using client = stage.run("gone");
  await client.hears('{"t":"gone","c":"hour","k":"unauthorized","r":"unauthorized","w":"never"}');
  await client.finds({ noted: "live" });
  await stage.broadcaster.close();
  await client.hears(
    '{"t":"gone","c":"news","k":"subscription_failed","r":"subscription failed","w":"backoff"}',
  );
  await client.finds(LEFT);
});

Deno.test("revision 2: a gateway that drains says when to come back, and then closes", async () => {
  await using stage = new Stage();
  await using client = stage.run("bye");
  await client.finds({ noted: "live" });
  await stage.gateway.drain();
  await client.finds({ noted: ["bye", "draining", "int"] }, { closed: [4200, "draining"] });
});
