import {
  type BroadcastError,
  type ChannelListener,
  DriverBroadcaster,
  type Position,
  type SubscriptionStart,
} from "@airwave/broadcast";
import { settle } from "@airwave/broadcast/testing";
import { ScriptedDriver } from "./scripted_driver.ts";

/** Writes down what a listener hears, in order. */
export class Recorder implements ChannelListener {
  readonly heard: unknown[] = [];
  start: SubscriptionStart | undefined;
  error: BroadcastError | undefined;

  live(start: SubscriptionStart): void {
    this.start = start;
    this.heard.push("live");
  }
  event({ position }: { position: Position | undefined }): void {
    this.heard.push(position?.offset);
  }
  lost(position: Position | undefined): void {
    this.heard.push(`lost ${position?.offset}`);
  }
  ended(error: BroadcastError | undefined): void {
    this.error = error;
    this.heard.push("ended");
  }
}

/** A channel with one live listener, at an offset. */
export async function liveChannel(offset = 0) {
  const driver = new ScriptedDriver();
  const errors: BroadcastError[] = [];
  const broadcaster = new DriverBroadcaster(driver, { onError: (error) => errors.push(error) });
  const recorder = new Recorder();
  const attachment = broadcaster.listen("c", recorder);
  await settle();
  const sink = driver.acknowledge(0, offset);
  await settle();
  return { driver, broadcaster, recorder, attachment, sink, errors };
}
