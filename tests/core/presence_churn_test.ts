/** Thousands of members who come, go, reload and change nodes for a minute, amid every fault there is. */
import { assertEquals } from "@std/assert";
import {
  type ChannelSink,
  DriverBroadcaster,
  type LeaseStore,
  MemoryBackend,
  MemoryDriver,
  type PresenceListener,
} from "@airwave/broadcast";
import { FakeTime } from "@airwave/broadcast/testing";

const ROOM = "presence-room";
const USERS = 5_000;
const SECONDS = 60;
const CHANGES_A_SECOND = 120;

const seed = Number(Deno.env.get("CHURN_SEED") ?? crypto.getRandomValues(new Int32Array(1))[0]);
const random = seeded(seed);

/** Numbers in [0, 1) that are the same for the same seed. */
function seeded(state: number): () => number {
  return () => {
    // Xorshift: enough to choose by.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A number for each user, so that a roster is compared by its size and a sum. */
const WEIGHTS = new Map(
  Array.from({ length: USERS }, (_, user) => [`${user}`, Math.floor(random() * 2 ** 32)]),
);

const weigh = (users: Iterable<string>) => {
  let [count, sum] = [0, 0];
  for (const user of users) {
    count++;
    sum += WEIGHTS.get(user) ?? NaN;
  }
  return { count, sum };
};

/** What one client makes of all that it is told: who is told of twice, or not at all, is in the sum. */
class Watcher implements PresenceListener {
  count = 0;
  sum = 0;

  here({ members }: { readonly members: readonly { readonly id: string }[] | undefined }): void {
    Object.assign(this, weigh((members ?? []).map(({ id }) => id)));
  }
  join({ id }: { readonly id: string }): void {
    this.count++;
    this.sum += WEIGHTS.get(id) ?? NaN;
  }
  leave(user: string): void {
    this.count--;
    this.sum -= WEIGHTS.get(user) ?? NaN;
  }
}

/** A node that can be cut off from the store and from what the others announce. */
class Node {
  readonly broadcaster: DriverBroadcaster;
  readonly #backend: MemoryBackend;
  readonly #sinks = new Map<string, ChannelSink>();
  #isCut = false;

  constructor(backend: MemoryBackend) {
    this.#backend = backend;
    const inner = new MemoryDriver(backend);
    const reached = async <T>(run: () => Promise<T>): Promise<T> => {
      if (this.#isCut) throw new Error("The backplane is out of reach");
      return await run();
    };
    const leases: LeaseStore = {
      write: (...args) => reached(() => inner.leases.write(...args)),
      list: (topic) => reached(() => inner.leases.list(topic)),
      remainingMs: (owners) => reached(() => inner.leases.remainingMs(owners)),
    };
    this.broadcaster = new DriverBroadcaster({
      abilities: inner.abilities,
      leases,
      publish: (channel, record) => reached(() => inner.publish(channel, record)),
      subscribe: (channel, sink) => {
        this.#sinks.set(channel, sink);
        return inner.subscribe(channel, {
          live: (top) => sink.live(top),
          event: (record, position) => this.#isCut || sink.event(record, position),
        });
      },
      read: (channel, after) => reached(() => inner.read(channel, after)),
      close: () => inner.close(),
    }, { maxPresenceMembers: USERS });
  }

  setCut(isCut: boolean): void {
    const isHealed = this.#isCut && !isCut;
    this.#isCut = isCut;
    if (!isHealed) return;
    for (const [channel, sink] of this.#sinks) {
      sink.live(this.#backend.read(channel, { epoch: "", offset: 0 }).top);
    }
  }
}

interface Tab {
  readonly user: string;
  readonly watcher: Watcher;
  leave(): void;
}

Deno.test(`guarantee 10: ${USERS} members churn for a minute amid cuts, and every client has the truth`, async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  const nodes = [new Node(backend), new Node(backend), new Node(backend)];
  const tabs = new Map<Tab, Node>();
  const open = (user: string, node: Node) => {
    const watcher = new Watcher();
    const leave = node.broadcaster.watchPresence(ROOM, watcher, { id: user });
    tabs.set({ user, watcher, leave }, node);
  };
  const close = (tab: Tab) => {
    tab.leave();
    tabs.delete(tab);
  };
  const anyOf = <T>(list: readonly T[]): T => {
    const one = list[Math.floor(random() * list.length)];
    if (one === undefined) throw new Error("There is none");
    return one;
  };
  for (let user = 0; user < USERS; user++) open(`${user}`, anyOf(nodes));
  await time.tick(0);

  for (let second = 1; second <= SECONDS; second++) {
    const all = [...tabs.keys()];
    for (let change = 0; change < CHANGES_A_SECOND; change++) {
      const tab = anyOf(all);
      if (!tabs.has(tab)) continue;
      const node = tabs.get(tab) ?? anyOf(nodes);
      // A connection is cut and comes back here or elsewhere, for good, or somebody has one more.
      if (change % 4 !== 3) close(tab);
      if (change % 4 === 0) open(tab.user, node);
      else if (change % 4 === 1) open(tab.user, anyOf(nodes));
      else open(`${Math.floor(random() * USERS)}`, anyOf(nodes));
    }
    const [, unsteady, third] = nodes;
    // One is cut off for a moment, and later for longer than its lease.
    unsteady?.setCut(second % 12 < 2 || (second > 20 && second < 42));
    if (second === 45 && third !== undefined) {
      // One is killed: nobody on it says goodbye, and its clients come back to the others.
      third.setCut(true);
      nodes.pop();
      for (const [tab, node] of [...tabs]) {
        if (node !== third) continue;
        tabs.delete(tab);
        if (random() < 0.9) open(tab.user, anyOf(nodes));
      }
    }
    await time.tick(1_000);
  }
  for (const node of nodes) node.setCut(false);
  await time.tick(30_000);

  const truth = weigh(new Set([...tabs.keys()].map(({ user }) => user)));
  const wrong = [...tabs.keys()].filter(({ watcher: { count, sum } }) =>
    count !== truth.count || sum !== truth.sum
  );
  assertEquals(
    wrong.map(({ user, watcher }) => ({ user, ...watcher })).slice(0, 3),
    [],
    `CHURN_SEED=${seed} repeats it; the truth is ${JSON.stringify(truth)}`,
  );
  for (const { broadcaster } of nodes) {
    const stored = await broadcaster.presence(ROOM);
    assertEquals(weigh(stored.map(({ id }) => id)), truth);
    await broadcaster.close();
  }
});
