import type { BroadcastGateway } from "@airwave/broadcast";
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

/** Both listeners there are; what holds on one holds on the other. */
export const LISTENERS: readonly Listener[] = [
  {
    name: "Deno.serve",
    listen(gateway) {
      const options = { port: 0, hostname: "127.0.0.1", onListen() {} };
      const server = Deno.serve(options, gateway.handler);
      return Promise.resolve({ port: server.addr.port, shutdown: () => server.shutdown() });
    },
  },
  {
    name: "node:http",
    async listen(gateway) {
      const options = { port: 0, hostname: "127.0.0.1", closeTimeoutMs: NEVER_MS };
      const server = await serve(gateway, options);
      return { port: server.port, shutdown: () => server.close() };
    },
  },
];

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
