import { findProgram, type Program } from "../../scripts/programs.ts";

/** Where a program is that `deno task test` provides. */
export function pathOf(program: Program): string {
  const path = findProgram(program);
  if (path !== undefined) return path;
  throw new Error(`Cannot find ${program.name}: "deno task test" installs it or says how to`);
}
