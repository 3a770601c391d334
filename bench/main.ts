/**
 * Measures our gateway beside what one could take instead: `deno task bench [scenario …]
 * [--peers a,b] [--rounds n]`. See README.md for how to read what it prints.
 *
 * @module
 */
import { PEERS } from "./peers.ts";
import { report } from "./report/report.ts";
import { type Figures, runRound } from "./round.ts";
import { type ScenarioName, SCENARIOS } from "./scenarios.ts";
import { Workshop } from "./workshop.ts";

/** What was asked for. */
interface Order {
  readonly scenarios: readonly ScenarioName[];
  readonly peers: readonly string[];
  readonly rounds: number;
}

function readOrder(args: readonly string[]): Order {
  const words = [...args];
  const scenarios: ScenarioName[] = [];
  let peers = Object.keys(PEERS);
  let rounds = 5;
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "--rounds") rounds = Number(words.shift());
    else if (word === "--peers") peers = (words.shift() ?? "").split(",");
    else if (isScenario(word)) scenarios.push(word);
    else refuse(`"${word}" is no scenario, known are ${Object.keys(SCENARIOS).join(" ")}`);
  }
  const unknown = peers.find((name) => PEERS[name] === undefined);
  if (unknown !== undefined) {
    refuse(`"${unknown}" is no peer, known are ${Object.keys(PEERS).join(" ")}`);
  }
  if (!Number.isInteger(rounds) || rounds < 1) refuse("--rounds must be an integer from 1");
  const all = Object.keys(SCENARIOS).filter(isScenario);
  return { scenarios: scenarios.length === 0 ? all : scenarios, peers, rounds };
}

function isScenario(word: string): word is ScenarioName {
  return Object.hasOwn(SCENARIOS, word);
}

function refuse(why: string): never {
  console.error(`Cannot run the benchmark: ${why}`);
  Deno.exit(2);
}

const order = readOrder(Deno.args);
const workshop = await Workshop.open();
const versions = await workshop.versions();
const results = new Map<ScenarioName, Map<string, Figures[]>>();

for (const name of order.scenarios) {
  const scenario = SCENARIOS[name];
  const takingPart = order.peers.filter((peer) => {
    const { only, not } = PEERS[peer] ?? {};
    return (only?.includes(name) ?? true) && !(not?.includes(name) ?? false);
  });
  const figures = new Map<string, Figures[]>(takingPart.map((peer) => [peer, []]));
  results.set(name, figures);
  // Interleaved: whatever else the machine does meanwhile, it does to all of them.
  for (let round = 1; round <= order.rounds; round++) {
    for (const [key, rounds] of figures) {
      const peer = PEERS[key];
      if (peer === undefined) continue;
      const figure = await runRound(workshop, peer, scenario);
      rounds.push(figure);
      const cost = figure.serverCpuMicros ?? figure.connects.serverCpuMicros;
      console.error(`${name} ${round}/${order.rounds} ${peer.title}: ${cost.toFixed(3)} µs`);
    }
  }
}

await report(results, versions, order.rounds);
