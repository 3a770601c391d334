/**
 * Beside Fresh 2, in `main.ts`:
 *
 *     export const app = new App()
 *       .use(broadcasting(gateway)) // first: nothing is between a client and its upgrade
 *       .post("/orders/:id/pay", payOrder(broadcaster));
 *
 * Fresh is on JSR alone, which not every network reaches. So what is used of its context is written
 * down here, and the test runs these with a stand-in for its `App`.
 */
import type { Broadcaster, BroadcastGateway } from "@airwave/broadcast";

/** What is used of Fresh's context; its own fits. */
export interface FreshContext {
  readonly req: Request;
  readonly params: Readonly<Record<string, string>>;
  next(): Promise<Response>;
}

type Middleware = (context: FreshContext) => Response | Promise<Response>;

/** Brings a gateway to its path, and leaves the rest to the application. */
export function broadcasting<Subject>(gateway: BroadcastGateway<Subject>): Middleware {
  return (context) => gateway.match(context.req) ? gateway.handler(context.req) : context.next();
}

/** A handler that publishes. */
export function payOrder(broadcaster: Broadcaster): Middleware {
  return async ({ params }) => {
    await broadcaster.publish(`orders.${params.id}`, { event: "paid", data: { total: 12 } });
    return new Response(null, { status: 204 });
  };
}
