/**
 * The model-based test of resuming: random sequences of what clients, publishers and networks do on
 * two nodes over one backend, against a log of what was published. For any driver with history.
 *
 * @module
 */
import { BroadcastGateway, DriverBroadcaster } from "@airwave/broadcast";
import type { ContractBackend } from "@airwave/broadcast/testing";
import { assert } from "@std/assert";
import fc from "fast-check";
import { ModelledClient } from "./modelled_client.ts";
import { ModelledLog } from "./modelled_log.ts";

/** How to run the model over a driver. */
export interface ResumeModelOptions {
  /** Opens a backend for one run, which keeps at least `historySize` events of a channel. */
  open(historySize: number): ContractBackend | Promise<ContractBackend>;
  /** Random sequences. */
  readonly runs: number;
  /** Milliseconds until every client must have everything, after the last command. */
  readonly patienceMs: number;
}

/** Something happens. Commands that make no sense in a state do nothing. */
export type Command =
  | { readonly do: "publish"; readonly node: number; readonly channel: number }
  /** The last event of a node again, as a publisher does that had no answer. */
  | { readonly do: "publish again"; readonly node: number }
  /** More than history keeps: the channel is trimmed. */
  | { readonly do: "flood"; readonly node: number; readonly channel: number }
  | { readonly do: "subscribe"; readonly client: number; readonly channel: number }
  | { readonly do: "unsubscribe"; readonly client: number; readonly channel: number }
  | { readonly do: "connect"; readonly client: number; readonly node: number }
  | { readonly do: "cut"; readonly client: number }
  /** The gateway does not notice yet: the old connection lives on, half-open. */
  | { readonly do: "cut unnoticed"; readonly client: number }
  | { readonly do: "notice" }
  | { readonly do: "restart"; readonly node: number }
  /** Lets what was set off go on for some turns. */
  | { readonly do: "wait"; readonly turns: number };

const HISTORY_SIZE = 8;
const CHANNELS = ["a", "b"];
const NODES = 2;
const CLIENTS = 3;

const node = fc.nat(NODES - 1);
const channel = fc.nat(CHANNELS.length - 1);
const client = fc.nat(CLIENTS - 1);

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("publish" as const), node, channel }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("publish again" as const), node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("flood" as const), node, channel }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("subscribe" as const), client, channel }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("unsubscribe" as const), client, channel }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("connect" as const), client, node }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("cut" as const), client }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cut unnoticed" as const), client }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("notice" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), node }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      turns: fc.integer({ min: 1, max: 12 }),
    }),
  },
);

/** Runs random sequences; a failure tells the shortest one that fails, and the seed. */
export async function resumeModel(options: ResumeModelOptions): Promise<void> {
  const seed = Number(Deno.env.get("MODEL_SEED") ?? crypto.getRandomValues(new Int32Array(1))[0]);
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { maxLength: 60, size: "max" }),
      (commands) => play(commands, options),
    ),
    { seed, numRuns: options.runs },
  );
}

/** Plays one sequence from an empty backend to a state in which everybody has everything. */
export async function play(
  commands: readonly Command[],
  { open, patienceMs }: ResumeModelOptions,
): Promise<void> {
  await using backend = await open(HISTORY_SIZE);
  await using world = await World.open(backend);
  for (const command of commands) await world.take(command);
  await world.comeToRest(patienceMs);
}

/** A node: a broadcaster and its gateway. */
class ModelledNode implements AsyncDisposable {
  readonly broadcaster: DriverBroadcaster;
  readonly gateway: BroadcastGateway;

  constructor(broadcaster: DriverBroadcaster) {
    this.broadcaster = broadcaster;
    this.gateway = new BroadcastGateway({
      broadcaster,
      // The model counts events, not how often somebody asks.
      subscribeRate: { burst: 10_000, perSecond: 10_000 },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway.close();
    await this.broadcaster.close();
  }
}

class World implements AsyncDisposable {
  readonly #backend: ContractBackend;
  readonly #nodes: ModelledNode[];
  readonly #log = new ModelledLog(HISTORY_SIZE);
  readonly #failures: unknown[] = [];
  readonly #clients = Array.from(
    { length: CLIENTS },
    () => new ModelledClient(this.#log, (failure) => this.#failures.push(failure)),
  );
  readonly #publishes = new Set<Promise<void>>();
  readonly #lastIds = new Map<number, { readonly channel: string; readonly id: string }>();
  /** Ends of connections that no gateway has noticed yet. */
  #unnoticed: (() => void)[] = [];
  #ids = 0;

  static async open(backend: ContractBackend): Promise<World> {
    const nodes = [];
    for (let i = 0; i < NODES; i++) nodes.push(await openNode(backend));
    return new World(backend, nodes);
  }

  private constructor(backend: ContractBackend, nodes: ModelledNode[]) {
    this.#backend = backend;
    this.#nodes = nodes;
  }

  async take(command: Command): Promise<void> {
    switch (command.do) {
      case "publish":
        return this.#publish(command.node, at(CHANNELS, command.channel));
      case "publish again": {
        const last = this.#lastIds.get(command.node);
        if (last !== undefined) this.#start(command.node, last.channel, last.id);
        return;
      }
      case "flood":
        for (let i = 0; i <= HISTORY_SIZE; i++) {
          this.#publish(command.node, at(CHANNELS, command.channel));
        }
        return;
      case "subscribe":
        return at(this.#clients, command.client).subscribe(at(CHANNELS, command.channel));
      case "unsubscribe":
        return at(this.#clients, command.client).unsubscribe(at(CHANNELS, command.channel));
      case "connect":
        return at(this.#clients, command.client).connect(at(this.#nodes, command.node).gateway);
      case "cut":
        return at(this.#clients, command.client).cut()();
      case "cut unnoticed":
        this.#unnoticed.push(at(this.#clients, command.client).cut());
        return;
      case "notice":
        for (const notice of this.#unnoticed.splice(0)) notice();
        return;
      case "restart":
        return await this.#restart(command.node);
      case "wait":
        for (let turn = 0; turn < command.turns; turn++) await undefined;
    }
  }

  /** Brings everybody back; at the end each client has every event of the channels that it holds. */
  async comeToRest(patienceMs: number): Promise<void> {
    for (const notice of this.#unnoticed.splice(0)) notice();
    await Promise.all(this.#publishes);
    this.#clients.forEach((client, i) => client.connect(at(this.#nodes, i % NODES).gateway));
    // A channel on which nothing was ever published has an epoch as well, of which a log knows nothing.
    for (const channel of CHANNELS) this.#publish(0, channel);
    await Promise.all(this.#publishes);
    const giveUpAtMs = Date.now() + patienceMs;
    while (!this.#clients.every(({ isCaughtUp }) => isCaughtUp) && this.#failures.length === 0) {
      assert(Date.now() < giveUpAtMs, "a client that holds a channel did not get everything");
      await new Promise((resolve) => setTimeout(resolve));
    }
    if (this.#failures.length > 0) throw this.#failures[0];
    this.#log.assertProven();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#publishes);
    for (const node of this.#nodes) await node[Symbol.asyncDispose]();
  }

  #publish(node: number, channel: string): void {
    this.#log.publishing(channel);
    this.#start(node, channel, `${this.#ids++}`);
  }

  /** Not awaited: what follows races with it. */
  #start(node: number, channel: string, id: string): void {
    this.#lastIds.set(node, { channel, id });
    const publish = this.#send(at(this.#nodes, node).broadcaster, channel, id)
      .catch((failure: unknown) => void this.#failures.push(failure))
      .finally(() => this.#publishes.delete(publish));
    this.#publishes.add(publish);
  }

  async #send(broadcaster: DriverBroadcaster, channel: string, id: string): Promise<void> {
    const { position } = await broadcaster.publish(channel, { event: "e", data: id, id });
    assert(position !== undefined, "the model is for drivers with history");
    this.#log.published(channel, id, position);
  }

  async #restart(node: number): Promise<void> {
    // A publish that fails with its node is another test's.
    await Promise.all(this.#publishes);
    await at(this.#nodes, node)[Symbol.asyncDispose]();
    this.#nodes[node] = await openNode(this.#backend);
  }
}

async function openNode(backend: ContractBackend): Promise<ModelledNode> {
  return new ModelledNode(new DriverBroadcaster(await backend.driver()));
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  assert(item !== undefined);
  return item;
}
