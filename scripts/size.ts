/**
 * Measures what the client costs a page, minified and gzipped, beside what other clients cost that
 * are measured the same way. Fails over a limit. Without network for the others: `--alone`.
 *
 * @module
 */
import { type Bundle, bundle } from "./bundle.ts";
import { closingLine } from "./counts.ts";
import { ROOT } from "./project.ts";

/** In gzipped bytes: with WebSocket alone, and with server-sent events. */
export const LIMITS = { initialBytes: 4500, totalBytes: 6000 } as const;

/** What a page says that uses our client. */
export const PAGE = `export { BroadcastClient } from "./client.ts";`;

/** What a page says that uses another one, by the packages that it installs. */
const OTHERS: Readonly<Record<string, string>> = {
  "phoenix": `export { Socket } from "phoenix";`,
  "socket.io-client": `export { io } from "socket.io-client";`,
  "centrifuge": `export { Centrifuge } from "centrifuge";`,
  "pusher-js": `export { default } from "pusher-js";`,
  "laravel-echo + pusher-js":
    `export { default as Echo } from "laravel-echo"; export { default as Pusher } from "pusher-js";`,
};

if (import.meta.main) {
  const ours = bundle(PAGE, ROOT);
  console.log("Bytes, minified by esbuild for browsers and gzipped as by `gzip -9`\n");
  printRow("@airwave/broadcast/client", ours.initialBytes);
  if (ours.totalBytes > ours.initialBytes) {
    printRow("  and all that it loads on demand", ours.totalBytes);
  }
  if (!Deno.args.includes("--alone")) await printOthers();
  const over = overLimit(ours);
  console.log(`\n${over.join("\n") || "Within the limits"}`);
  const failed = over.length;
  console.log(closingLine({ passed: Object.keys(LIMITS).length - failed, failed }));
  Deno.exit(failed === 0 ? 0 : 1);
}

/** The limits that a bundle breaks, in sentences. */
export function overLimit({ initialBytes, totalBytes }: Bundle): string[] {
  return [
    ["The client alone", initialBytes, LIMITS.initialBytes] as const,
    ["The client with all it loads on demand", totalBytes, LIMITS.totalBytes] as const,
  ].flatMap(([what, bytes, limit]) =>
    bytes > limit ? [`${what} has ${bytes} gzipped bytes, ${bytes - limit} over ${limit}`] : []
  );
}

async function printOthers(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "airwave-size-" });
  try {
    const versions = await install(
      folder,
      Object.keys(OTHERS).flatMap((name) => name.split(" + ")),
    );
    for (const [name, page] of Object.entries(OTHERS)) {
      const label = name.split(" + ").map((part) => `${part} ${versions.get(part)}`).join(" + ");
      printRow(label, (bundle(page, folder)).totalBytes);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Installs the newest of these packages, and says which versions these are. */
async function install(
  folder: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const dependencies = Object.fromEntries(names.map((name) => [name, "*"]));
  await Deno.writeTextFile(`${folder}/package.json`, JSON.stringify({ dependencies }));
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--quiet"],
    cwd: folder,
  }).output();
  if (!success) throw new Error(`Cannot install: ${new TextDecoder().decode(stderr)}`);
  const versions = names.map(async (name) => {
    const text = await Deno.readTextFile(`${folder}/node_modules/${name}/package.json`);
    const { version } = JSON.parse(text);
    return [name, String(version)] as const;
  });
  return new Map(await Promise.all(versions));
}

function printRow(name: string, bytes: number): void {
  console.log(`${name.padEnd(42)} ${bytes.toLocaleString("en").padStart(7)}`);
}
