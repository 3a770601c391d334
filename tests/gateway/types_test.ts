/**
 * What the types of the gateway and its listeners promise. Each `@ts-expect-error` pins one mistake: if
 * the compiler no longer refuses it, checking this file fails.
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  BroadcastConfigError,
  BroadcastGateway,
  type BroadcastGatewayOptions,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import type { ServeOptions as ServeOptionsOfBun } from "@airwave/broadcast/bun";
import { serve, type ServeOptions } from "@airwave/broadcast/node";

Deno.test("options of a gateway: a misspelled or a missing one does not compile", async () => {
  await using broadcaster = new MemoryBroadcaster();
  const mistakes: object[] = [
    // @ts-expect-error -- allowedOrigins
    { broadcaster, allowedOrigin: "https://app.example" } satisfies BroadcastGatewayOptions,
    // @ts-expect-error -- it decides about each, see allowClientPublish
    { broadcaster, allowClientPublish: true } satisfies BroadcastGatewayOptions,
    // @ts-expect-error -- a number of milliseconds
    { broadcaster, pingIntervalMs: "25s" } satisfies BroadcastGatewayOptions,
  ];
  for (const options of mistakes) {
    assertThrows(
      () => new BroadcastGateway({ broadcaster, ...options }),
      BroadcastConfigError,
    );
  }
  // @ts-expect-error -- where events come from
  assertThrows(() => new BroadcastGateway({}), BroadcastConfigError);
});

Deno.test("hooks of a gateway: nobody may be there, and data is unknown", async () => {
  await using broadcaster = new MemoryBroadcaster<{ id: string }>();
  await using gateway = new BroadcastGateway({
    broadcaster,
    allowClientPublish: ({ subject, data }) => {
      // @ts-expect-error -- nobody may be there
      const id: string = subject.id;
      // @ts-expect-error -- unknown data has no properties
      return data.from === id;
    },
  });
  // @ts-expect-error -- "disconnect" is by user, token or connection
  await assertRejects(() => broadcaster.disconnect({ channel: "c" }), BroadcastConfigError);
  assertEquals(gateway.match(new Request("http://localhost/")), false);
});

Deno.test("options of the listeners: a port is a number, and each has its own way to answer others", async () => {
  await using broadcaster = new MemoryBroadcaster();
  await using gateway = new BroadcastGateway({ broadcaster });
  // @ts-expect-error -- a number
  await assertRejects(() => serve(gateway, { port: "8000" }), BroadcastConfigError);
  // @ts-expect-error -- hostname
  await assertRejects(() => serve(gateway, { host: "localhost" }), BroadcastConfigError);
  const others: object[] = [
    // @ts-expect-error -- a listener of node:http
    { fallback: "Hello" } satisfies ServeOptions,
    // @ts-expect-error -- it returns a response, as Bun.serve wants it
    { fallback: () => "Hello" } satisfies ServeOptionsOfBun,
  ];
  assertEquals(others.length, 2);
});
