/** What a server is asked to do, the same for every peer. */
export interface Scenario {
  /** What it is about, in a line. */
  readonly title: string;
  readonly clients: number;
  readonly channels: number;
  readonly channelsPerClient: number;
  /** How many events are published and not yet received by everybody. */
  readonly outstanding?: number;
  /** Or: how many deliveries a second are scheduled. */
  readonly perSecond?: number;
  /** Or: how long the connections only stay. */
  readonly idleMs?: number;
  /** Size of a message as it is received, in bytes. */
  readonly messageBytes: number;
  /** Whether events are stored; peers that cannot do not. */
  readonly history?: boolean;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

const BASE = { messageBytes: 190, warmUpMs: 1_000, measureMs: 2_500 } as const;

const BURST = {
  ...BASE,
  clients: 1_000,
  channels: 1,
  channelsPerClient: 1,
  outstanding: 16,
} as const;

/** Every scenario, by the name that `deno task bench` takes. */
export const SCENARIOS = {
  a: { ...BURST, title: "1 channel × 1,000 subscribers, 16 publishes outstanding" },
  a1: { ...BURST, title: "1 channel × 1,000 subscribers, 1 publish outstanding", outstanding: 1 },
  b: {
    ...BASE,
    title: "1,000 channels × 1 subscriber, 16 publishes outstanding",
    clients: 1_000,
    channels: 1_000,
    channelsPerClient: 1,
    outstanding: 16,
  },
  f: {
    ...BASE,
    title: "1,000 clients on 10 of 100 channels, 64 publishes outstanding",
    clients: 1_000,
    channels: 100,
    channelsPerClient: 10,
    outstanding: 64,
  },
  p: {
    ...BASE,
    title: "1 channel × 1,000 subscribers, paced at 50,000 deliveries a second",
    clients: 1_000,
    channels: 1,
    channelsPerClient: 1,
    perSecond: 50_000,
    measureMs: 5_000,
  },
  m: {
    ...BASE,
    title: "10,000 idle connections, subscribed to 1 of 100 channels",
    clients: 10_000,
    channels: 100,
    channelsPerClient: 1,
    idleMs: 2_000,
  },
  h: { ...BURST, title: "as a, without history", history: false },
} as const satisfies Record<string, Scenario>;

/** The name of a scenario. */
export type ScenarioName = keyof typeof SCENARIOS;
