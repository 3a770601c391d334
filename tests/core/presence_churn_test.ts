/** Thousands of members who come, go, reload and change nodes for a minute, amid every fault there is. */
import { assertEquals } from "@std/assert";
import {
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

/** A number for each user, so that a roster is compared by its size and a sum. */
const WEIGHTS = new Map(
  Array.from({ length: USERS }, (_, user) => [`${user}`, Math.floor(Math.random() * 2 ** 32)]),
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

/** A node that can be cut off from the store. */
class Node {
  readonly broadcaster: DriverBroadcaster;
  isCut = false;

  constructor(backend: MemoryBackend) {
    const inner = new MemoryDriver(backend);
    const reached = async <T>(run: () => Promise<T>): Promise<T> => {
      if (this.isCut) throw new Error("The backplane is out of reach");
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
      subscribe: (channel, sink) => inner.subscribe(channel, sink),
      read: (channel, after) => inner.read(channel, after),
      close: () => inner.close(),
    }, { maxPresenceMembers: USERS });
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
    const one = list[Math.floor(Math.random() * list.length)];
    if (one === undefined) throw new Error("There is none");
    return one;
  };
  for (let user = 0; user < USERS; user++) open(`${user}`, anyOf(nodes));
  await time.tick(0);

  for (let second = 1; second <= SECONDS; second++) {
    const all = [...tabs.keys()];
    for (let change = 0; change < 40; change++) {
      const tab = anyOf(all);
      if (!tabs.has(tab)) continue;
      const node = tabs.get(tab) ?? anyOf(nodes);
      // A connection is cut and comes back here or elsewhere, for good, or somebody has one more.
      if (change % 4 !== 3) close(tab);
      if (change % 4 === 0) open(tab.user, node);
      else if (change % 4 === 1) open(tab.user, anyOf(nodes));
      else open(`${Math.floor(Math.random() * USERS)}`, anyOf(nodes));
    }
    const [, second_, third] = nodes;
    // One is cut off for a moment, and later for longer than its lease.
    if (second_ !== undefined) second_.isCut = second % 12 < 2 || (second > 20 && second < 42);
    if (second === 45 && third !== undefined) {
      // One is killed: nobody on it says goodbye, and its clients come back to the others.
      third.isCut = true;
      nodes.pop();
      for (const [tab, node] of [...tabs]) {
        if (node !== third) continue;
        tabs.delete(tab);
        if (Math.random() < 0.9) open(tab.user, anyOf(nodes));
      }
    }
    await time.tick(1_000);
  }
  for (const node of nodes) node.isCut = false;
  await time.tick(30_000);

  const truth = weigh(new Set([...tabs.keys()].map(({ user }) => user)));
  const wrong = [...tabs.keys()].filter(({ watcher: { count, sum } }) =>
    count !== truth.count || sum !== truth.sum
  );
  assertEquals(wrong.map(({ user, watcher }) => ({ user, ...watcher })).slice(0, 3), []);
  for (const { broadcaster } of nodes) {
    const stored = await broadcaster.presence(ROOM);
    assertEquals(weigh(stored.map(({ id }) => id)), truth);
    await broadcaster.close();
  }
});
