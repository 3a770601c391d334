import type { Peer } from "./peers.ts";
import type { Scenario } from "./scenarios.ts";
import type { Workshop } from "./workshop.ts";

/** What one round of one peer came to; which figures there are depends on the scenario. */
export interface Figures {
  /** Server CPU time per delivered message, in microseconds. */
  readonly serverCpuMicros?: number;
  /** Deliveries a second. */
  readonly perSecond?: number;
  /** How much of its core each side used, from 0 to 1. */
  readonly serverCpuShare?: number;
  readonly loadCpuShare?: number;
  readonly messages?: number;
  /** How many messages came with one read of the load: how well they were put together. */
  readonly messagesPerRead?: number;
  /** From the scheduled time to the arrival. */
  readonly latencyMs?: { readonly p50: number; readonly p99: number; readonly p999: number };
  /** Resident memory of the server for each idle connection. */
  readonly bytesPerConnection?: number;
  /** How connecting and subscribing went. */
  readonly connects: {
    readonly perSecond: number;
    readonly serverCpuMicros: number;
    readonly loadCpuShare: number;
  };
}

/** Which core each side has to itself; nothing where the system cannot pin. */
const CORES = { server: "0", load: "1" } as const;

/** Runs a peer once, in fresh processes. */
export async function runRound(
  workshop: Workshop,
  peer: Peer,
  scenario: Scenario,
): Promise<Figures> {
  const server = start(pinned(CORES.server, workshop.serverCommand(peer)), scenario);
  try {
    const { port, control } = await server.firstLine();
    const load = start(pinned(CORES.load, workshop.loadCommand()), {
      scenario,
      dialect: peer.dialect,
      port,
      controlPort: control,
      pid: server.pid,
    });
    return await load.firstLine();
  } catch (error) {
    throw new Error(`A round of ${peer.title} failed`, { cause: error });
  } finally {
    await server.end();
  }
}

function start(command: readonly string[], argument: unknown) {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args: [...args, JSON.stringify(argument)],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  return {
    pid: child.pid,
    /** The JSON of the first line that it prints. */
    // deno-lint-ignore no-explicit-any -- written by our own scripts, which are no TypeScript
    async firstLine(): Promise<any> {
      const decoder = new TextDecoder();
      let text = "";
      for await (const chunk of child.stdout) {
        text += decoder.decode(chunk, { stream: true });
        const end = text.indexOf("\n");
        if (end >= 0) return JSON.parse(text.slice(0, end));
      }
      throw new Error(`${command.join(" ")} ended with code ${(await child.status).code}`);
    },
    async end(): Promise<void> {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself, as it does when the load has gone.
      }
      await child.status;
    },
  };
}

const canPin = navigator.hardwareConcurrency > 1 && await isThere("taskset");

function pinned(core: string, command: string[]): string[] {
  return canPin ? ["taskset", "-c", core, ...command] : command;
}

async function isThere(program: string): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args: ["--version"], stdout: "null" }).output())
      .success;
  } catch {
    return false;
  }
}
