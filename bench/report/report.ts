import { ROOT } from "../../scripts/project.ts";
import { FLOOR, PEERS } from "../peers.ts";
import type { Figures } from "../round.ts";
import { type ScenarioName, SCENARIOS } from "../scenarios.ts";
import { chart } from "./chart.ts";
import { type Spread, spread } from "./statistics.ts";

/** A figure of a scenario, and whether less or more of it is better. */
interface Column {
  readonly title: string;
  readonly of: (figures: Figures) => number | undefined;
  readonly digits: number;
  readonly better: "less" | "more" | undefined;
}

const COLUMNS: readonly Column[] = [
  { title: "server CPU µs/message", of: (f) => f.serverCpuMicros, digits: 3, better: "less" },
  { title: "messages/s", of: (f) => f.perSecond, digits: 0, better: "more" },
  { title: "p50 ms", of: (f) => f.latencyMs?.p50, digits: 2, better: "less" },
  { title: "p99 ms", of: (f) => f.latencyMs?.p99, digits: 2, better: "less" },
  {
    title: "KiB/connection",
    of: (f) => f.bytesPerConnection === undefined ? undefined : f.bytesPerConnection / 1024,
    digits: 1,
    better: "less",
  },
  {
    title: "connects+subscriptions/s",
    of: (f) => f.bytesPerConnection === undefined ? undefined : f.connects.perSecond,
    digits: 0,
    better: "more",
  },
  {
    title: "server CPU µs/connect",
    of: (f) => f.bytesPerConnection === undefined ? undefined : f.connects.serverCpuMicros,
    digits: 1,
    better: "less",
  },
  { title: "messages/read", of: (f) => f.messagesPerRead, digits: 1, better: undefined },
  {
    title: "server's core %",
    of: (f) => f.serverCpuShare === undefined ? undefined : f.serverCpuShare * 100,
    digits: 0,
    better: undefined,
  },
  {
    title: "load's core %",
    of: (f) => (f.loadCpuShare ?? f.connects.loadCpuShare) * 100,
    digits: 0,
    better: undefined,
  },
];

/** Rounds of every peer, by scenario. */
export type Results = ReadonlyMap<ScenarioName, ReadonlyMap<string, readonly Figures[]>>;

/** Prints tables, and writes what is behind them, with a chart, to bench/results. */
export async function report(
  results: Results,
  versions: Readonly<Record<string, string>>,
  rounds: number,
): Promise<void> {
  const machine = {
    cores: navigator.hardwareConcurrency,
    cpu: await cpuName(),
    system: `${Deno.build.os} ${Deno.osRelease()}`,
    versions,
    rounds,
  };
  console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.system}`);
  console.log(Object.entries(versions).map((pair) => pair.join(" ")).join(", "));
  for (const [name, peers] of results) {
    console.log(`\n(${name}) ${SCENARIOS[name].title}: median of ${rounds} [min–max] and ratio`);
    console.log(table(peers));
  }
  const folder = `${ROOT}/bench/results`;
  await Deno.mkdir(folder, { recursive: true });
  const json = Object.fromEntries(
    [...results].map(([name, peers]) => [name, Object.fromEntries(peers)]),
  );
  await Deno.writeTextFile(
    `${folder}/results.json`,
    JSON.stringify({ machine, scenarios: SCENARIOS, results: json }, null, 2) + "\n",
  );
  const groups = [...results].flatMap(([name, peers]) => {
    const bars = [...peers].flatMap(([key, figures]) => {
      const value = spread(figures.map((f) => f.serverCpuMicros))?.median;
      return value === undefined ? [] : [{ label: PEERS[key]?.title ?? key, value }];
    });
    return bars.length === 0 ? [] : [{ title: `(${name}) ${SCENARIOS[name].title}`, bars }];
  });
  await Deno.writeTextFile(
    `${folder}/chart.svg`,
    chart("Server CPU per delivered message, in µs: less is better", groups),
  );
  console.log("\nWritten: bench/results/results.json, bench/results/chart.svg");
}

function table(peers: ReadonlyMap<string, readonly Figures[]>): string {
  const columns = COLUMNS.filter(({ of }) =>
    [...peers.values()].some((rounds) => rounds.some((figures) => of(figures) !== undefined))
  );
  const rows = [...peers].map(([key, rounds]) => [
    PEERS[key]?.title ?? key,
    ...columns.map((column) => {
      const own = spread(rounds.map(column.of));
      return own === undefined
        ? ""
        : cell(column, own, spread(peers.get(FLOOR)?.map(column.of) ?? []));
    }),
  ]);
  const lines = [["", ...columns.map(({ title }) => title)], ...rows];
  const widths = lines[0]?.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map((line) => line.map((text, i) => text.padEnd(widths?.[i] ?? 0)).join("  ").trimEnd())
    .join("\n");
}

/** How many times better than the floor, where better means something. */
function cell({ digits, better }: Column, own: Spread, floor: Spread | undefined): string {
  const text = (value: number) => value.toFixed(digits);
  const range = `${text(own.median)} [${text(own.min)}–${text(own.max)}]`;
  if (better === undefined || floor === undefined) return range;
  const ratio = better === "less" ? floor.median / own.median : own.median / floor.median;
  return `${range} ${ratio.toFixed(2)}×`;
}

async function cpuName(): Promise<string> {
  try {
    const text = await Deno.readTextFile("/proc/cpuinfo");
    return /^model name\s*:\s*(.+)$/m.exec(text)?.[1] ?? Deno.build.arch;
  } catch {
    return Deno.build.arch;
  }
}
