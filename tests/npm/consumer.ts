/** What an application written in TypeScript says to the package; checked, never run. */
import {
  BroadcastGateway,
  BroadcastPublishError,
  type BroadcastSubscription,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import { BroadcastClient } from "@airwave/broadcast/client";

interface User {
  readonly id: string;
}

const broadcaster = new MemoryBroadcaster<User>();
broadcaster.authorize("private-user.*", ({ subject, params }) => subject?.id === params[0]);
export const gateway = new BroadcastGateway<User>({ broadcaster });
export const subscription: BroadcastSubscription = broadcaster.subscribe("news");
export const isFailure = (error: unknown) => error instanceof BroadcastPublishError;

const client = new BroadcastClient({ url: "ws://localhost/_broadcast", autoConnect: false });
client.channel<{ headline: { title: string } }>("news").on("headline", ({ title }) => {
  const text: string = title;
  return text;
});
// @ts-expect-error -- a misspelled option is an error of the types
export const misspelled = new BroadcastClient({ ulr: "ws://localhost/_broadcast" });
