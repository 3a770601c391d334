import { assert, assertMatch } from "@std/assert";
import { read } from "../links.ts";

export const PAGE = "docs/troubleshooting.md";

/** Where nothing is said a test fails, and does not hang. */
export const timeout = 30_000;

/** A row of the page. */
export interface Row {
  /** The mistake, in the words of the page. */
  readonly mistake: string;
  /** What it is told, `…` standing for what differs from case to case. */
  readonly message: string;
}

/** Every mistake that the page has. */
export function rows(): Row[] {
  return [...read(PAGE).matchAll(/^\| (.+?) +\| `+ ?(.+?) ?`+ +\| .+ \|$/gm)]
    .map(([, mistake = "", message = ""]) => ({ mistake, message }));
}

/** Registers a test: who makes this mistake is told, before anything else, what the page quotes. */
export function mistake(name: string, make: () => string | Promise<string>): void {
  Deno.test(`mistake: ${name}`, { timeout }, async () => {
    const row = rows().find(({ mistake }) => mistake === name);
    assert(row !== undefined, `${PAGE} has no row "${name}"`);
    const pattern = row.message.split("…").map((text) =>
      text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")
    );
    assertMatch(await make(), new RegExp(`^${pattern.join(".*")}$`, "s"));
  });
}

/** What the error says that comes of a call. */
export async function messageOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error("Nothing was said");
}
