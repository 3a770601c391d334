import { type Browser, chromium } from "playwright-core";
import { CHROMIUM, findProgram } from "../../scripts/programs.ts";

/** Starts a Chromium of the machine; `await using` ends it. */
export function launchChromium(): Promise<Browser> {
  const executablePath = findProgram(CHROMIUM);
  if (executablePath === undefined) {
    throw new Error(`Cannot find Chromium: "deno task test" installs it or says how to`);
  }
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
