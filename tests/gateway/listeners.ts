import type { BroadcastGateway } from "@airwave/broadcast";
import { serve as serveOnBun } from "@airwave/broadcast/bun";
import { serve } from "@airwave/broadcast/node";

/** A gateway that can be reached over the network. */
export interface Listening {
  readonly port: number;
  /** Waits for every connection to end, and would for ever on one that does not. */
  shutdown(): Promise<void>;
}

/** A way to bring a gateway to the network. */
export interface Listener {
  readonly name: string;
  listen<Subject>(gateway: BroadcastGateway<Subject>): Promise<Listening>;
}

/** Longer than any test: a connection that only ends by force is one that was forgotten. */
const NEVER_MS = 10 * 60_000;

const OPTIONS = { port: 0, hostname: "127.0.0.1" } as const;

const ALL: readonly (Listener & { readonly isHere: boolean })[] = [
  {
    name: "Deno.serve",
    isHere: "Deno" in globalThis,
    listen(gateway) {
      const server = Deno.serve({ ...OPTIONS, onListen() {} }, gateway.handler);
      return Promise.resolve({ port: server.addr.port, shutdown: () => server.shutdown() });
    },
  },
  {
    name: "node:http",
    isHere: true,
    async listen(gateway) {
      const server = await serve(gateway, { ...OPTIONS, closeTimeoutMs: NEVER_MS });
      return { port: server.port, shutdown: () => server.close() };
    },
  },
  {
    name: "Bun.serve",
    isHere: "Bun" in globalThis,
    listen(gateway) {
      const server = serveOnBun(gateway, { ...OPTIONS, closeTimeoutMs: NEVER_MS });
      return Promise.resolve({ port: server.port, shutdown: () => server.close() });
    },
  },
];

/** Every listener that this runtime has; what holds on one holds on the others. */
export const LISTENERS: readonly Listener[] = ALL.filter(({ isHere }) => isHere);

/** Brings a gateway to the network where it does not matter how. */
export function listen<Subject>(gateway: BroadcastGateway<Subject>): Promise<Listening> {
  const [listener] = LISTENERS;
  if (listener === undefined) throw new Error("There is no listener for this runtime");
  return listener.listen(gateway);
}

/** A test that holds on every listener. */
export function testOnEach(
  name: string,
  options: Omit<Deno.TestDefinition, "name" | "fn">,
  test: (listener: Listener) => Promise<void>,
): void {
  for (const listener of LISTENERS) {
    Deno.test(`${name} (${listener.name})`, options, () => test(listener));
  }
}
