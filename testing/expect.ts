import { Deadlines } from "../core/deadline.ts";
import type { BroadcastEvent } from "../core/event.ts";
import type { BroadcastSubscription } from "../core/subscription.ts";

/** Long enough for a busy machine; a driver that needs it is not slow but silent. */
const PATIENCE_MS = 20_000;

/** Fails unless two JSON values are the same. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== should) throw new Error(`Expected ${what} to be ${should}, got ${is}`);
}

/** Waits for what must happen, and says what did not. */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  try {
    return await new Deadlines().race(promise, PATIENCE_MS);
  } catch (cause) {
    throw new Error(`Waited for ${what}`, { cause });
  }
}

/** The next events of a subscription. */
export async function take(
  subscription: BroadcastSubscription,
  count: number,
): Promise<BroadcastEvent[]> {
  const events: BroadcastEvent[] = [];
  while (events.length < count) {
    const what = `event ${events.length + 1} of ${count} on ${subscription.channel}`;
    const { value, done } = await within(subscription.next(), what);
    if (done) throw new Error(`The subscription ended before ${what}`);
    events.push(value);
  }
  return events;
}

/** Fails unless a call rejects. */
export async function rejects(call: () => Promise<unknown>, what: string): Promise<void> {
  const outcome = await call().then(() => "resolved", () => "rejected");
  equal(outcome, "rejected", `outcome of ${what}`);
}

/** Asks again and again until the answer is yes: for what no event tells of, such as a lease's end. */
export async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const giveUpAtMs = Date.now() + PATIENCE_MS;
  while (!await isSo()) {
    if (Date.now() > giveUpAtMs) throw new Error(`Waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
