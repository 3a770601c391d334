/**
 * Runs the tests and ends with the line `N passed, N failed`; the exit code tells too. Takes the names
 * of suites, all of them unless told. Programs that tests need are looked for first; as root on Debian
 * the missing ones are installed.
 *
 * @module
 */
import { closingLine, type Counts, readCounts, sum } from "./counts.ts";
import { showDeno } from "./deno.ts";
import { provide } from "./install.ts";
import { type Suite, SUITES } from "./suites.ts";

const known = new Map<string, Suite>(Object.entries(SUITES));

function suite(name: string): Suite {
  const found = known.get(name);
  if (found !== undefined) return found;
  console.error(`Cannot run "${name}": the suites are ${[...known.keys()].join(", ")}`);
  Deno.exit(2);
}

async function main(names: readonly string[]): Promise<boolean> {
  const suites = names.length === 0 ? [...known.values()] : names.map(suite);
  const counts: Counts[] = [];
  const advice = await provide([...new Set(suites.flatMap(({ programs }) => programs))]);
  if (advice === undefined) {
    for (const { args, jobs } of suites) {
      console.log(`\n> deno ${args.join(" ")}`);
      const { success, output } = await showDeno(args, { jobs });
      counts.push(readCounts(output, success));
    }
  } else {
    console.error(advice);
    counts.push({ passed: 0, failed: 1 });
  }
  const total = sum(counts);
  console.log(closingLine(total));
  return total.failed === 0;
}

Deno.exit(await main(Deno.args) ? 0 : 1);
