/** The roster of a channel against a store and a backplane whose answers the test gives. */
import { assert, assertEquals } from "@std/assert";
import { BroadcastSubscribeError, ChannelEvent, type ChannelListener } from "@airwave/broadcast";
import { FakeTime, settle } from "@airwave/broadcast/testing";
import { PresenceChannel } from "../../core/presence_channel.ts";
import { encodeAnnouncement, parseAnnouncement } from "../../core/presence_words.ts";
import type { PresenceWord } from "../../core/roster.ts";

const word = (user: string, seq = 1, node = "other", isIn = true): PresenceWord => ({
  node,
  user,
  seq,
  member: isIn ? { id: user } : undefined,
});

/** A channel of the node "own", with one watcher. */
class Stage {
  readonly told: string[] = [];
  readonly snapshots: unknown[] = [];
  readonly failures: unknown[] = [];
  readonly lists: PromiseWithResolvers<readonly PresenceWord[]>[] = [];
  readonly own: PresenceWord[] = [];
  /** Who was attached, each time. */
  readonly attached: ChannelListener[] = [];
  detached = 0;
  readonly channel: PresenceChannel;

  constructor({ maxMembers = 100_000 } = {}) {
    this.channel = new PresenceChannel("presence-room", {
      node: "own",
      maxMembers,
      list: () => {
        const list = Promise.withResolvers<readonly PresenceWord[]>();
        this.lists.push(list);
        return list.promise;
      },
      ownWords: () => this.own,
      listen: (_, listener) => this.#listen(listener),
      onThrow: (cause) => this.failures.push(cause),
      onFailure: (_, cause) => this.failures.push(cause),
    });
    this.watch();
  }

  watch(): void {
    this.channel.watch({
      here: (snapshot) => {
        this.snapshots.push(snapshot);
        this.told.push(`here ${snapshot.members?.map(({ id }) => id).sort().join()}`);
      },
      join: ({ id }) => this.told.push(`+${id}`),
      leave: (user) => this.told.push(`-${user}`),
    });
  }

  #listen(listener: ChannelListener) {
    this.attached.push(listener);
    return { detach: () => void this.detached++ };
  }

  announce(said: PresenceWord): void {
    const json = encodeAnnouncement(said.node, [said]);
    this.channel.event(
      new ChannelEvent("!presence:presence-room", { id: "1", event: "presence", json }, undefined),
    );
  }

  async answer(index: number, ...words: readonly PresenceWord[]): Promise<void> {
    this.lists[index]?.resolve(words);
    await settle();
  }

  /** Live, with Ada there. */
  async open(): Promise<this> {
    this.channel.live();
    await this.answer(0, word("ada"));
    assertEquals(this.told.splice(0), ["here ada"]);
    return this;
  }
}

Deno.test("what is announced while the roster is loaded is not missed", async () => {
  const stage = new Stage();
  stage.channel.live();
  stage.announce(word("bob"));
  await stage.answer(0, word("ada"));
  assertEquals(stage.told, ["here ada,bob"]);
});

Deno.test("what is announced while the roster is loaded again is kept, though the store is behind", async () => {
  const stage = await new Stage().open();
  stage.channel.lost();
  stage.announce(word("bob", 2));
  assertEquals(stage.told, []);
  await stage.answer(1, word("ada"), word("eve"));
  assertEquals(stage.told, ["+eve", "+bob"]);
});

Deno.test("after events were lost the store is asked, and only differences are told", async () => {
  const stage = await new Stage().open();
  stage.channel.lost();
  await stage.answer(1, word("bob"));
  assertEquals(stage.told, ["+bob", "-ada"]);
});

Deno.test("a load that was overtaken is not looked at", async () => {
  const stage = await new Stage().open();
  stage.channel.lost();
  stage.channel.lost();
  await stage.answer(2, word("bob"));
  await stage.answer(1, word("eve"));
  assertEquals(stage.told, ["+bob", "-ada"]);
});

Deno.test("the failure of a load that was overtaken is nobody's concern", async () => {
  using time = new FakeTime();
  const stage = await new Stage().open();
  stage.channel.lost();
  stage.channel.lost();
  stage.lists[1]?.reject(new Error("The store is down"));
  await time.tick(0);
  assertEquals([stage.failures, time.pendingTimers], [[], 0]);
});

Deno.test("loads that fail one after the other are tried again once", async () => {
  using time = new FakeTime();
  const stage = new Stage();
  stage.channel.live();
  stage.lists[0]?.reject(new Error("The store is down"));
  await time.tick(500);
  stage.channel.lost();
  stage.lists[1]?.reject(new Error("The store is down"));
  await time.tick(999);
  assertEquals([stage.failures.length, stage.lists.length], [2, 2]);
  await time.tick(1);
  assertEquals(stage.lists.length, 3);
  stage.channel.close();
  assertEquals(time.pendingTimers, 0);
});

Deno.test("more announcements than are kept while the roster is loaded have it loaded again", async () => {
  const stage = new Stage();
  stage.channel.live();
  for (let user = 0; user < 10_001; user++) stage.announce(word(`${user}`));
  await stage.answer(0, word("ada"));
  assertEquals([stage.told, stage.lists.length], [[], 2]);
  await stage.answer(1, word("bob"));
  assertEquals(stage.told, ["here bob"]);
});

Deno.test("guarantee 6: what is kept while the roster is loaded is bounded in bytes, too", async () => {
  const stage = new Stage();
  stage.channel.live();
  const info = "x".repeat(1024 * 1024);
  for (let seq = 1; seq <= 17; seq++) {
    stage.announce({ ...word("bob"), seq, member: { id: "bob", info } });
  }
  await stage.answer(0);
  assertEquals([stage.told, stage.lists.length], [[], 2]);
});

Deno.test("while the roster is loaded again the one that is known stays in force", async () => {
  const stage = await new Stage().open();
  stage.channel.lost();
  stage.watch();
  assertEquals(stage.told.splice(0), ["here ada"]);
  stage.channel.applyOwn(word("bob", 1, "own"));
  assertEquals(stage.told, ["+bob", "+bob"]);
});

Deno.test("above the limit who came and left again within the second is not told of", async () => {
  using time = new FakeTime();
  const stage = await new Stage({ maxMembers: 1 }).open();
  stage.announce(word("bob"));
  stage.announce(word("bob", 2, "other", false));
  await time.tick(999);
  assertEquals(stage.told, []);
  await time.tick(1);
  assertEquals(stage.told, ["here ada"]);
  stage.announce(word("eve", 3));
  stage.channel.close();
  assertEquals(time.pendingTimers, 0);
});

Deno.test("a watcher that throws is told of; one that was taken out meanwhile hears nothing more", async () => {
  const stage = await new Stage().open();
  const cause = new Error("Not today");
  const late: string[] = [];
  let unwatch = () => {};
  stage.channel.watch({
    here() {},
    join: () => {
      unwatch();
      throw cause;
    },
    leave() {},
  });
  unwatch = stage.channel.watch({ here() {}, join: () => void late.push("join"), leave() {} });
  stage.announce(word("bob"));
  assertEquals([stage.told, stage.failures, late], [["+bob"], [cause], []]);
});

Deno.test("an announcement says what was said, in that order", () => {
  const words = [word("ada", 1), word("bob", 2, "other", false), word("ada", 3)];
  assertEquals(parseAnnouncement(encodeAnnouncement("other", words)), words);
});

Deno.test("a roster that cannot be loaded is tried again, and told of", async () => {
  using time = new FakeTime();
  const stage = new Stage();
  stage.channel.live();
  stage.lists[0]?.reject(new Error("The store is down"));
  await time.tick(999);
  assertEquals([stage.failures.length, stage.lists.length], [1, 1]);
  await time.tick(1);
  await stage.answer(1, word("ada"));
  assertEquals(stage.told, ["here ada"]);
  stage.channel.close();
  assertEquals(time.pendingTimers, 0);
});

Deno.test("a subscription that ends is opened again, unless the channel was closed", async () => {
  using time = new FakeTime();
  const stage = await new Stage().open();
  const error = new BroadcastSubscribeError("The driver failed");
  stage.channel.ended(error);
  await time.tick(1_000);
  assert(stage.attached.length === 2 && stage.attached.every((it) => it === stage.channel));
  assertEquals(stage.failures, [error]);
  stage.channel.ended(error);
  stage.channel.close();
  stage.channel.ended(error);
  stage.channel.live();
  await time.tick(10_000);
  assertEquals([stage.attached.length, stage.detached, stage.lists.length], [2, 1, 1]);
});

Deno.test("a node's own word counts when it is said, and not again when it comes back late", async () => {
  const stage = await new Stage().open();
  stage.channel.applyOwn(word("bob", 1, "own"));
  stage.channel.applyOwn(word("bob", 2, "own", false));
  stage.announce(word("bob", 1, "own"));
  stage.announce(word("bob", 2, "own", false));
  assertEquals(stage.told, ["+bob", "-bob"]);
});

Deno.test("who watches in a row is told the same roster, made once", async () => {
  const stage = await new Stage().open();
  stage.watch();
  stage.watch();
  stage.announce(word("ada"));
  stage.watch();
  assertEquals(new Set(stage.snapshots).size, 1);
  stage.announce(word("bob"));
  stage.watch();
  assertEquals(stage.told.at(-1), "here ada,bob");
});
