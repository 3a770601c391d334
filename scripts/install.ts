import { findOnPath, findProgram, type Program } from "./programs.ts";

/**
 * Makes sure that programs are there: as root on Debian it installs what is missing.
 *
 * @returns What the user has to do, where some are still missing.
 */
export async function provide(programs: readonly Program[]): Promise<string | undefined> {
  const missing = programs.filter(isMissing);
  if (missing.length === 0) return;
  if (findOnPath("apt-get") !== undefined && Deno.uid() === 0) await install(missing);
  const absent = missing.filter(isMissing);
  return absent.length === 0 ? undefined : advice(absent);
}

function isMissing(program: Program): boolean {
  return findProgram(program) === undefined;
}

async function install(programs: readonly Program[]): Promise<void> {
  const packages = programs.map((program) => program.debianPackage);
  console.log(`Installing ${packages.join(", ")}`);
  await aptGet("update");
  await aptGet("install", "--yes", "--no-install-recommends", ...packages);
}

/** Its failure shows up as a program that is still missing, and in what it prints. */
async function aptGet(...args: readonly string[]): Promise<void> {
  await new Deno.Command("apt-get", {
    args: ["--quiet", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
  }).spawn().status;
}

function advice(programs: readonly Program[]): string {
  const names = programs.map((program) => program.name).join(" and ");
  const packages = programs.map((program) => program.debianPackage).join(" ");
  const action = findOnPath("apt-get") === undefined
    ? "install what is missing"
    : `type\n\n  sudo apt-get update && sudo apt-get install -y ${packages}\n`;
  const variables = programs.flatMap(({ name, variable }) =>
    variable === undefined ? [] : `\nIf ${name} is elsewhere, set ${variable} to its path`
  );
  return `Cannot find ${names}: ${action}${variables.join("")}`;
}
