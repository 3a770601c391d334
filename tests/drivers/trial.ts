/**
 * The trial of a driver on a real server with real faults. A driver's test file calls it with a way
 * to open its backend; each case gets one of its own.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { deadline, delay } from "@std/async";
import {
  type BackplaneState,
  BroadcastClosedError,
  BroadcastConfigError,
  type BroadcasterOptions,
  BroadcastPublishError,
  BroadcastSubscribeError,
  type DriverBroadcaster,
} from "../../core/mod.ts";
import type { TcpProxy } from "../servers/tcp_proxy.ts";
import { Publisher } from "./publisher.ts";
import { Witness } from "./witness.ts";

/** How to open a node. */
export interface NodeOptions extends BroadcasterOptions {
  /** Prefix of the application, `trial` unless told. */
  readonly prefix?: string;
  /** Its connections go through the backend's proxy. */
  readonly proxied?: boolean;
}

/** A backend of one case: a server of its own, and nodes over it. */
export interface TrialBackend extends AsyncDisposable {
  /** Opens a node; the case closes it. */
  node(options?: NodeOptions): DriverBroadcaster;
  /** Ends the server at once, nothing is said to anybody. */
  kill(): Promise<void>;
  /** Starts it again, on the same port and with what it had stored. */
  restart(): Promise<void>;
  /** Stops it in the middle of what it does. */
  freeze(): void;
  /** Lets it go on. */
  thaw(): void;
  /** Between proxied nodes and the server. */
  readonly proxy?: TcpProxy;
}

const CHANNELS = Array.from({ length: 20 }, (_, i) => `trial.${i}`);

/** `ready` and `publish` must have rejected by then, at a server that is not there. */
const REJECTS_WITHIN_MS = 15_000;

/** Everything that a node notices or mends by itself, it must within this time. */
const PATIENCE_MS = 60_000;

/** How long a server is gone, and frozen. These are the faults, no waiting for something to happen. */
const OUTAGE_MS = 2_000;
const FREEZE_MS = 10_000;

/**
 * Registers the whole trial. Its backend stores at least 10,000 events a channel. `isProxied` is false
 * where there is no proxy between nodes and server: then the silent cut is not tried.
 */
export function trial(
  name: string,
  open: () => Promise<TrialBackend>,
  { isProxied = true }: { readonly isProxied?: boolean } = {},
): void {
  const test = (what: string, run: (backend: TrialBackend) => Promise<void>) =>
    Deno.test(`${name}: ${what}`, async () => {
      await using backend = await open();
      await run(backend);
    });

  test("guarantee 1: every event reaches every node once, numbered densely, in one order", order);
  test("guarantee 2: what resolved before, amid and after a kill arrives once, in order", killed);
  test("guarantee 2: a frozen server is noticed, and nothing that resolved is lost", frozen);
  if (isProxied) {
    test("guarantee 2: a connection cut in silence is noticed, and the gap closed", cutSilently);
  }
  test("guarantee 11: two applications on one server hear nothing of each other", apart);
  test(
    "guarantee 12: without a server at the start all calls reject, and work when it comes",
    late,
  );
  test("guarantee 9: close leaves nothing, in whatever state the server is", closed);
}

async function order(backend: TrialBackend): Promise<void> {
  const perPublisher = 5_000;
  await using a = backend.node();
  await using b = backend.node();
  const witnesses = await Promise.all([Witness.on(a, CHANNELS), Witness.on(b, CHANNELS)]);
  const publishers = [a, a, b, b].map((node, i) =>
    new Publisher(node, `p${i}`, CHANNELS, perPublisher)
  );
  await Promise.all(publishers.map((publisher) => publisher.finished()));
  const total = perPublisher * publishers.length;
  await allSee(witnesses, publishers);
  for (const witness of witnesses) assertEquals(witness.count, total);
}

async function killed(backend: TrialBackend): Promise<void> {
  await using a = backend.node();
  await using b = backend.node();
  const witnesses = await Promise.all([Witness.on(a, CHANNELS), Witness.on(b, CHANNELS)]);
  const publishers = [a, a, b, b].map((node, i) => new Publisher(node, `p${i}`, CHANNELS));
  await Promise.all(publishers.map((publisher) => publisher.more(300)));
  await backend.kill();
  await delay(OUTAGE_MS);
  await backend.restart();
  await Promise.all(publishers.map((publisher) => publisher.more(300)));
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  await allSee(witnesses, publishers);
}

async function frozen(backend: TrialBackend): Promise<void> {
  const health = new HealthLog();
  await using a = backend.node({ onHealth: health.hook });
  await using b = backend.node();
  const witnesses = await Promise.all([Witness.on(a, CHANNELS), Witness.on(b, CHANNELS)]);
  const publishers = [a, b].map((node, i) => new Publisher(node, `p${i}`, CHANNELS));
  await Promise.all(publishers.map((publisher) => publisher.more(300)));
  backend.freeze();
  const over = delay(FREEZE_MS);
  try {
    await health.until("down");
    await over;
  } finally {
    backend.thaw();
  }
  await health.until("up");
  await Promise.all(publishers.map((publisher) => publisher.more(300)));
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  await allSee(witnesses, publishers);
}

async function cutSilently(backend: TrialBackend): Promise<void> {
  const { proxy } = backend;
  if (proxy === undefined) throw new Error("This backend has no proxy");
  const health = new HealthLog();
  await using near = backend.node();
  await using far = backend.node({ proxied: true, onHealth: health.hook });
  const witnesses = await Promise.all([Witness.on(near, CHANNELS), Witness.on(far, CHANNELS)]);
  const publishers = [near, far].map((node, i) => new Publisher(node, `p${i}`, CHANNELS));
  const [nearPublisher] = publishers;
  await Promise.all(publishers.map((publisher) => publisher.more(100)));
  proxy.swallow();
  await Promise.all([health.until("down"), nearPublisher?.more(100)]);
  proxy.heal();
  await health.until("up");
  await Promise.all(publishers.map((publisher) => publisher.more(100)));
  // And once cut aloud: that is noticed sooner and mended the same way.
  proxy.cut();
  await Promise.all(publishers.map((publisher) => publisher.more(100)));
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  await allSee(witnesses, publishers);
}

async function apart(backend: TrialBackend): Promise<void> {
  await using ours = backend.node({ prefix: "ours" });
  await using theirs = backend.node({ prefix: "theirs" });
  const channel = "same";
  const [onOurs, onTheirs] = [
    await Witness.on(ours, [channel]),
    await Witness.on(theirs, [channel]),
  ];
  const receipts = await Promise.all([
    ours.publish(channel, { event: "n", data: 1, id: "same id" }),
    theirs.publish(channel, { event: "n", data: 2, id: "same id" }),
  ]);
  assertEquals(receipts.map(({ position }) => position?.offset), [1, 1]);
  await ours.publish(channel, { event: "n", data: 3, id: "end of ours" });
  await theirs.publish(channel, { event: "n", data: 4, id: "end of theirs" });
  await onOurs.until("the end", () => onOurs.idsOn(channel).includes("end of ours"));
  await onTheirs.until("the end", () => onTheirs.idsOn(channel).includes("end of theirs"));
  assertEquals(onOurs.idsOn(channel), ["same id", "end of ours"]);
  assertEquals(onTheirs.idsOn(channel), ["same id", "end of theirs"]);
  assertThrows(() => backend.node({ prefix: "" }), BroadcastConfigError, "prefix");
}

async function late(backend: TrialBackend): Promise<void> {
  await backend.kill();
  const health = new HealthLog();
  await using a = backend.node({ onHealth: health.hook });
  await using b = backend.node();
  assertEquals(a.health, "connecting");
  const ready = a.subscribe("late").ready;
  const calls = [
    assertRejects(() => ready, BroadcastSubscribeError),
    assertRejects(
      () => b.publish("late", { event: "n", data: 1, id: "too early" }),
      BroadcastPublishError,
    ),
  ];
  for (const error of await deadline(Promise.all(calls), REJECTS_WITHIN_MS)) {
    assertEquals(error.status, 503);
  }
  await backend.restart();
  await health.until("up");
  const witness = await Witness.on(a, ["late"]);
  const publisher = new Publisher(b, "p", ["late"]);
  await publisher.more(10);
  await publisher.stop();
  await allSee([witness], [publisher]);
}

async function closed(backend: TrialBackend): Promise<void> {
  // The sanitizers look after this case: each node is closed in another state, and nothing may stay.
  const health = new HealthLog();
  const atOnce = backend.node();
  const amid = backend.node();
  const up = backend.node({ onHealth: health.hook });
  await atOnce.close();
  amid.subscribe("closed");
  const refused = assertRejects(
    () => amid.publish("closed", { event: "n", data: 1 }),
    BroadcastClosedError,
  );
  await amid.close();
  await refused;
  await Witness.on(up, CHANNELS);
  const down = backend.node();
  await Witness.on(down, CHANNELS);
  await up.close();
  assertEquals(up.health, "closed");
  await backend.kill();
  const unreachable = backend.node();
  const lost = [down, unreachable].map((node) =>
    assertRejects(() => node.publish("closed", { event: "n", data: 1 }), BroadcastClosedError)
  );
  await Promise.all([down.close(), unreachable.close()]);
  await Promise.all(lost);
  await backend.restart();
}

/** Every witness sees every publish that resolved, once, in one order, and nothing was told lost. */
async function allSee(
  witnesses: readonly Witness[],
  publishers: readonly Publisher[],
): Promise<void> {
  for (const { failures } of publishers) {
    for (const error of failures) assert(error instanceof BroadcastPublishError, String(error));
  }
  const published = new Map<string, string[]>();
  for (const { resolved } of publishers) {
    for (const [channel, ids] of resolved) {
      published.set(channel, [...published.get(channel) ?? [], ...ids]);
    }
  }
  for (const witness of witnesses) {
    await witness.until(
      "every publish that resolved",
      () => witness.lost.length > 0 || isAll(witness, published),
    );
    assertEquals(witness.lost, [], "told lost");
  }
  for (const [channel] of published) {
    const sightings = witnesses.map((witness) => witness.seen.get(channel) ?? []);
    const shortest = Math.min(...sightings.map((seen) => seen.length));
    const [first = []] = sightings;
    const ids = first.map(({ id }) => id);
    assertEquals(new Set(ids).size, ids.length, `doubles on ${channel}`);
    assertEquals(
      first.map(({ position }) => position?.offset),
      first.map((_, i) => i + 1),
      `offsets on ${channel}`,
    );
    for (const seen of sightings) {
      // A publish that was rejected may be stored all the same, and be on its way to one of them.
      assertEquals(seen.slice(0, shortest), first.slice(0, shortest), `order on ${channel}`);
    }
  }
}

function isAll(witness: Witness, published: ReadonlyMap<string, readonly string[]>): boolean {
  return [...published].every(([channel, ids]) => {
    const seen = witness.seen.get(channel) ?? [];
    if (seen.length < ids.length) return false;
    const known = new Set(seen.map(({ id }) => id));
    return ids.every((id) => known.has(id));
  });
}

/** Waits for what a node says of its backplane. */
class HealthLog {
  #state: BackplaneState = "connecting";
  #changed = Promise.withResolvers<void>();

  readonly hook = (change: { readonly new: BackplaneState }): void => {
    this.#state = change.new;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  };

  async until(state: BackplaneState): Promise<void> {
    const reached = async () => {
      while (this.#state !== state) await this.#changed.promise;
    };
    await deadline(reached(), PATIENCE_MS);
  }
}
