/**
 * Presence, revocation and directed sends over two nodes that are processes of their own, on a real
 * server. Each driver's test file calls it.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import type { ServerFrame } from "@airwave/broadcast/protocol";
import type { NodeConfig } from "../nodes/config.ts";
import { NodeProcess } from "../nodes/node_process.ts";
import { Tab } from "../nodes/tab.ts";
import { TcpProxy } from "../servers/tcp_proxy.ts";
import { until } from "./until.ts";

/** A server of a case, and how a node reaches it. */
export interface IdentityBackend extends AsyncDisposable {
  readonly port: number;
  /** A node's configuration, its connections to that port of loopback. */
  config(port: number): Omit<NodeConfig, "port">;
}

const ROOM = "presence-room";
const LEASE_MS = 3_000;
const GRACE_MS = 500;

/** Two nodes over a backend, one of them through a proxy. */
class Stage implements AsyncDisposable {
  readonly a: NodeProcess;
  readonly b: NodeProcess;
  readonly proxy: TcpProxy;
  readonly #backend: IdentityBackend;

  private constructor(
    a: NodeProcess,
    b: NodeProcess,
    proxy: TcpProxy,
    backend: IdentityBackend,
  ) {
    this.a = a;
    this.b = b;
    this.proxy = proxy;
    this.#backend = backend;
  }

  static async open(open: () => Promise<IdentityBackend>): Promise<Stage> {
    const backend = await open();
    const proxy = await TcpProxy.listen(backend.port);
    const broadcaster = {
      presenceLeaseMs: LEASE_MS,
      presenceGraceMs: GRACE_MS,
      maxPresenceMembers: 10_000,
    };
    const [a, b] = await Promise.all([backend.port, proxy.port].map((port) => {
      const config = backend.config(port);
      return NodeProcess.start({
        ...config,
        broadcaster: { ...config.broadcaster, ...broadcaster },
      });
    }));
    if (a === undefined || b === undefined) throw new Error("A node is missing");
    return new Stage(a, b, proxy, backend);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.a, this.b].map((node) => node[Symbol.asyncDispose]()));
    await this.proxy[Symbol.asyncDispose]();
    await this.#backend[Symbol.asyncDispose]();
  }
}

/** Registers the trial. */
export function identityTrial(name: string, open: () => Promise<IdentityBackend>): void {
  const test = (what: string, run: (stage: Stage) => Promise<void>) =>
    Deno.test(`${name}: ${what}`, async () => {
      await using stage = await Stage.open(open);
      await run(stage);
    });
  test("guarantee 10: two users, two tabs, two nodes: one join and one leave each", tabs);
  test("guarantee 10: a killed node's users leave within its lease, told once", killed);
  test("guarantee 10: a node frozen past its lease is right again when thawed", frozen);
  test("guarantee 10: members churn on both nodes amid cuts, and all rosters agree at rest", churn);
  test("guarantee 7: who is revoked hears nothing more on the other node", revoked);
  test("guarantee 7: a revocation given while a node was cut off is in force before events", cut);
  test(
    "directed sends reach, and leave out, connections of the other node, also resumed",
    directed,
  );
}

/** Who came and went, as a connection was told. */
function told(tab: Tab): string[] {
  return tab.of("join", "leave").map((frame) =>
    frame.t === "join" ? `+${frame.m.id}` : `-${frame.u}`
  );
}

const has = (...users: readonly string[]) => (tab: Tab) =>
  tab.members(ROOM).join() === users.join();

async function tabs({ a, b }: Stage): Promise<void> {
  await using watcher = await Tab.open(a.url(), ROOM);
  await watcher.until("the roster", (tab) => tab.of("here").length > 0);
  const tabs: Tab[] = [];
  for (const node of [a, b]) {
    for (const user of ["ada", "bob"]) {
      for (let tab = 0; tab < 2; tab++) tabs.push(await Tab.open(node.url(user), ROOM));
    }
  }
  // Behind all others of her node: who leaves the watcher's node is known to be on the other by then.
  tabs.push(await Tab.open(b.url("cy"), ROOM));
  for (const tab of [watcher, ...tabs]) await tab.until("all", has("ada", "bob", "cy"));
  for (const tab of tabs) await tab.close();
  await watcher.until("nobody", has());
  assertEquals(told(watcher).toSorted(), ["+ada", "+bob", "+cy", "-ada", "-bob", "-cy"]);
}

async function killed({ a, b }: Stage): Promise<void> {
  await using ada = await Tab.open(a.url("ada"), ROOM);
  await using _bob = await Tab.open(a.url("bob"), ROOM);
  await using survivor = await Tab.open(b.url("bob"), ROOM);
  await survivor.until("both", has("ada", "bob"));
  const killedAtMs = Date.now();
  await a.kill();
  await survivor.until("Ada's end", has("bob"));
  const tookMs = Date.now() - killedAtMs;
  assert(tookMs <= LEASE_MS + 2_000, `${tookMs} ms`);
  assertEquals(told(survivor).filter((text) => text.startsWith("-")), ["-ada"]);
  assertEquals(ada.code !== undefined, true);
}

async function frozen({ a, b }: Stage): Promise<void> {
  await using ada = await Tab.open(a.url("ada"), ROOM);
  await using bob = await Tab.open(b.url("bob"), ROOM);
  await bob.until("both", has("ada", "bob"));
  a.freeze();
  try {
    await bob.until("Ada's end", has("bob"));
  } finally {
    a.thaw();
  }
  await bob.until("Ada's return", has("ada", "bob"));
  await using _eve = await Tab.open(b.url("eve"), ROOM);
  for (const tab of [ada, bob]) await tab.until("all three", has("ada", "bob", "eve"));
  // On a busy machine the node may be late with its lease once more; it is right again by itself.
  await until("the store to be right", async () => {
    const stored = await a.ask({ do: "presence", channel: ROOM });
    return Array.isArray(stored) && stored.map(({ id }) => id).sort().join() === "ada,bob,eve";
  });
}

async function churn({ a, b, proxy }: Stage): Promise<void> {
  const watchers = [await Tab.open(a.url(), ROOM), await Tab.open(b.url(), ROOM)];
  const present = new Map<string, Tab>();
  for (let step = 0; step < 400; step++) {
    const user = `user ${step % 60}`;
    const tab = present.get(user);
    present.delete(user);
    if (tab === undefined) {
      const node = step % 2 === 0 ? a : b;
      const fresh = await Tab.open(node.url(user));
      // Not waited for: while the backplane is cut off there is no answer.
      fresh.send({ t: "sub", c: ROOM, n: 1 });
      present.set(user, fresh);
    } else {
      await tab.close();
    }
    if (step % 50 === 25) proxy.cut();
  }
  // Those whom the outage refused ask again, as a client does.
  const answered = ({ frames }: Tab) => frames.some(({ t }) => t === "ok" || t === "err");
  for (const tab of present.values()) {
    await tab.until("an answer", answered);
    for (let n = 2; !tab.frames.some(({ t }) => t === "ok"); n++) {
      await tab.subscribe(ROOM);
    }
  }
  const truth = [...present.keys()].sort();
  for (const watcher of watchers) {
    await watcher.until(
      "the truth",
      (tab) => tab.of("gone").length > 0 || has(...truth)(tab),
    );
    if (watcher.of("gone").length > 0) {
      await using again = await Tab.open(b.url(), ROOM);
      await again.until("the truth", has(...truth));
    }
  }
  for (const tab of [...watchers, ...present.values()]) await tab.close();
}

const events = (tab: Tab, channel: string) =>
  tab.of("msg").filter(({ c }) => c === channel).map(({ e }) => e);

async function revoked({ a, b }: Stage): Promise<void> {
  await using ada = await Tab.open(b.url("ada"), "private-x", "private-y");
  await using bob = await Tab.open(b.url("bob"), "private-x");
  const ok = ada.of("ok")[0];
  await a.ask({ do: "publish", channel: "private-x", event: { event: "before", data: 1 } });
  await ada.until("the event", (tab) => events(tab, "private-x").length === 1);
  await a.ask({ do: "revoke", target: { user: "ada", channel: "private-x" } });
  const givenAtMs = Date.now();
  await ada.until("the end", (tab) => tab.of("gone").length === 1);
  assert(Date.now() - givenAtMs < 1_000, `${Date.now() - givenAtMs} ms`);
  await a.ask({ do: "publish", channel: "private-x", event: { event: "secret", data: 1 } });
  await bob.until("the secret", (tab) => events(tab, "private-x").includes("secret"));
  await using again = await Tab.open(b.url("ada"));
  const resume = await again.subscribe("private-x", ok?.p);
  const uplink = await again.publish("private-x", "n", 1);
  assertEquals([resume.t, uplink.t], ["err", "err"]);
  assertEquals(events(again, "private-x"), []);
  assertEquals(events(ada, "private-x"), ["before"]);
  assertEquals(ada.of("gone").map(({ c, k }) => [c, k]), [["private-x", "revoked"]]);
}

async function cut({ a, b, proxy }: Stage): Promise<void> {
  await using ada = await Tab.open(b.url("ada"), "private-x");
  await using bob = await Tab.open(b.url("bob"), "private-x");
  proxy.swallow();
  await a.ask({ do: "revoke", target: { user: "ada", channel: "private-x" } });
  await a.ask({ do: "publish", channel: "private-x", event: { event: "secret", data: 1 } });
  while (await b.ask({ do: "health" }) !== "down") await delay(50);
  await using again = await Tab.open(b.url("ada"));
  again.send({ t: "sub", c: "private-x", n: 1 });
  // What may be decided while the node is alone it has decided by now.
  await delay(1_000);
  assertEquals(again.of("ok"), []);
  proxy.heal();
  await bob.until("the secret", (tab) => events(tab, "private-x").includes("secret"));
  await again.until("the refusal", (tab) => tab.of("err").length === 1);
  await ada.until("the end", (tab) => tab.of("gone").length === 1);
  assertEquals([events(ada, "private-x"), events(again, "private-x")], [[], []]);
}

async function directed({ a, b }: Stage): Promise<void> {
  await using left = await Tab.open(b.url("ada"), "news", "private-~ada");
  await using other = await Tab.open(b.url("bob"), "news");
  const [news, own] = left.of("ok");
  const publish = (event: string, except?: string) =>
    a.ask({
      do: "publish",
      channel: "news",
      event: { event, data: 1 },
      ...(except === undefined ? {} : { options: { except } }),
    });
  await publish("for all");
  await publish("not for Ada's connection", left.id);
  await publish("for all again");
  await a.ask({ do: "sendToUser", user: "ada", event: { event: "for Ada", data: 1 } });
  await left.until("three events", (tab) => tab.of("msg").length === 3);
  await other.until("three events", (tab) => tab.of("msg").length === 3);
  assertEquals(events(left, "news"), ["for all", "for all again"]);
  assertEquals(events(left, "private-~ada"), ["for Ada"]);
  assertEquals(left.of("skip").map(({ o }) => o), [2]);
  const refused = await other.subscribe("private-~ada");
  assertEquals(refused.t, "err");
  await using back = await Tab.open(a.url("ada"));
  const resumed: ServerFrame[] = [
    await back.subscribe("news", news?.p),
    await back.subscribe("private-~ada", own?.p),
  ];
  await back.until("what was missed", (tab) => tab.of("msg", "skip").length === 4);
  assertEquals(resumed.map((frame) => frame.t === "ok" ? [frame.r, frame.m] : frame), [
    ["ok", 3],
    ["ok", 1],
  ]);
  // Another connection of hers, which nobody has left out.
  assertEquals(back.of("msg").filter(({ c }) => c === "news").map(({ o }) => o), [1, 2, 3]);
}
