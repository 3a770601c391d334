/** What processes have used, as the operating system counts it. */
import { readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;

/** Seconds of CPU time of a process and all its threads, in user and system mode. */
export function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The name before it may hold spaces; user and system time are the 14th and 15th field.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Bytes of memory that a process holds. */
export function residentBytes(pid) {
  const [, kibibytes] =
    /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ??
      [];
  return Number(kibibytes) * 1024;
}
