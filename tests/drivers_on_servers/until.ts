import { deadline, delay } from "@std/async";

const PATIENCE_MS = 60_000;

/** Between two looks at something that has no way to tell. */
const LOOK_INTERVAL_MS = 50;

/** Waits until something holds that a server does not tell by itself. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  let state: "waiting" | "over" = "waiting";
  const look = async () => {
    while (state === "waiting" && !await holds()) await delay(LOOK_INTERVAL_MS);
  };
  const looking = look();
  try {
    await deadline(looking, PATIENCE_MS);
  } catch (cause) {
    throw new Error(`Waited for ${what}`, { cause });
  } finally {
    state = "over";
  }
}
