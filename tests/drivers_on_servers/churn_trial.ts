import { assertEquals } from "@std/assert";
import { delay } from "@std/async";
import type { DriverBroadcaster } from "@airwave/broadcast";
import type { TrialBackend } from "../drivers/trial.ts";

const ROOM = "presence-arena";
const USERS = 5_000;
const MINUTE_MS = 60_000;
/** So often some come and some go, and so many. */
const STEP_MS = 100;
const PER_STEP = 50;
const BETWEEN_CUTS_MS = 7_000;

/** The roster at rest is looked at this long. */
const PATIENCE_MS = 60_000;

/** Watches a node's roster as a client does, by what it is told alone. */
class Watcher {
  readonly members = new Set<string>();
  readonly mistakes: string[] = [];

  constructor(node: DriverBroadcaster) {
    node.watchPresence(ROOM, {
      here: ({ members = [] }) => {
        this.members.clear();
        for (const { id } of members) this.members.add(id);
      },
      join: ({ id }) => {
        if (this.members.has(id)) this.mistakes.push(`${id} joined twice`);
        this.members.add(id);
      },
      leave: (id) => {
        if (!this.members.delete(id)) this.mistakes.push(`${id} left twice`);
      },
    });
  }
}

/**
 * 5,000 members come and go on two nodes for a minute, while the connection of one to the backplane is
 * reset now and then. At rest every roster equals the truth, and nobody was told twice.
 */
export function churnTrial(name: string, open: () => Promise<TrialBackend>): void {
  Deno.test(`${name}: guarantee 10: 5,000 members churn for a minute amid cuts`, async () => {
    await using backend = await open();
    const options = {
      maxPresenceMembers: 2 * USERS,
      presenceGraceMs: 100,
      presenceLeaseMs: 5_000,
    };
    await using near = backend.node(options);
    await using far = backend.node({ ...options, proxied: true });
    const nodes = [near, far];
    const watchers = nodes.map((node) => new Watcher(node));
    const present = new Map<string, () => void>();
    const nobody = { here() {}, join() {}, leave() {} };
    const endAtMs = Date.now() + MINUTE_MS;
    let cutAtMs = Date.now() + BETWEEN_CUTS_MS;
    for (let step = 0; Date.now() < endAtMs; step++) {
      for (let i = 0; i < PER_STEP; i++) {
        const user = `user ${Math.floor(Math.random() * USERS)}`;
        const leave = present.get(user);
        leave?.();
        if (leave !== undefined) present.delete(user);
        else {
          const node = nodes[(step + i) % nodes.length] ?? near;
          present.set(user, node.watchPresence(ROOM, nobody, { id: user }));
        }
      }
      if (Date.now() > cutAtMs) {
        backend.proxy?.cut();
        cutAtMs += BETWEEN_CUTS_MS;
      }
      await delay(STEP_MS);
    }
    const truth = [...present.keys()].sort().join();
    const listed = (members: Iterable<string>) => [...members].sort().join();
    const isRight = async () => {
      if (watchers.some(({ members }) => listed(members) !== truth)) return false;
      const stored = await near.presence(ROOM);
      return listed(stored.map(({ id }) => id)) === truth;
    };
    const giveUpAtMs = Date.now() + PATIENCE_MS;
    while (!await isRight() && Date.now() < giveUpAtMs) await delay(50);
    assertEquals(watchers.map(({ members }) => listed(members) === truth), [true, true]);
    assertEquals(await isRight(), true);
    assertEquals(watchers.flatMap(({ mistakes }) => mistakes), []);
  });
}
