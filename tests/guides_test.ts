/** What the guides say is tested: that the test is there, and is about what the guide says. */
import { assert, assertEquals } from "@std/assert";
import { CLOSE } from "@airwave/broadcast/protocol";
import { GUIDES, SOURCES } from "../scripts/project.ts";
import { filesIn, linksIn, read } from "./links.ts";

const GUARANTEES = "docs/delivery-guarantees.md";
const FAILURES = "docs/failure-modes.md";

Deno.test("every test that a guide names is in the file that it names", () => {
  const absent = GUIDES.flatMap((guide) =>
    linksIn(read(guide), guide).flatMap(({ path, title }) =>
      title === undefined || hasTest(path, title) ? [] : [`${guide}: ${path} "${title}"`]
    )
  );
  assertEquals(absent, []);
});

Deno.test("delivery-guarantees.md names the test behind each link into the tests", () => {
  const unnamed = linksIn(read(GUARANTEES), GUARANTEES)
    .filter(({ path, title }) => /^test(?:s|ing)\//.test(path) && title === undefined);
  assertEquals(unnamed, []);
});

Deno.test("each guarantee has, for each driver, a test that runs over that driver", () => {
  const rows = tableRows(read(GUARANTEES));
  assertEquals(rows.map(([number]) => Number(number)), Array.from({ length: 12 }, (_, i) => i + 1));
  for (const [number, ...cells] of rows) {
    assertEquals(cells.length, DRIVERS.length);
    for (const [i, cell] of cells.entries()) {
      const { name, files } = DRIVERS[i] ?? DRIVERS[0];
      const links = linksIn(cell, GUARANTEES);
      assert(links.length > 0, `guarantee ${number} on ${name} has no test`);
      for (const { path } of links) {
        assert(files.has(path), `guarantee ${number} on ${name}: ${path} does not run over it`);
      }
    }
  }
});

Deno.test("each failure in failure-modes.md names a test that lets it happen", () => {
  const tables = read(FAILURES).split(/^\| what happens .*\n.*\n/m).slice(1);
  const rows = tables.flatMap((table) => /^(?:\|.*\n)+/.exec(table)?.[0].trim().split("\n") ?? []);
  assert(rows.length > 40);
  const without = rows.filter((row) => linksIn(row.split(" | ")[0] ?? "").length === 0);
  assertEquals(without, []);
});

Deno.test("codes, reasons and options in the guides are called so in the code", () => {
  const ours = SOURCES.flatMap((path) => filesIn(path)).map(read).join("\n");
  const closes = Object.values(CLOSE).map(({ code, reason }) => `${code} \`${reason}\``);
  const wrong = [GUARANTEES, FAILURES, "docs/scaling.md"].flatMap((guide) => {
    const text = read(guide);
    const codes = text.match(/(?<=`)(?:broadcast|client)\.[a-z_]+(?=`)/g) ?? [];
    const names = text.match(/(?<=`)[a-z]+[A-Z]\w+/g) ?? [];
    return [
      ...codes.filter((code) => !ours.includes(`"${code}"`)),
      ...names.filter((name) => !new RegExp(`\\b${name}\\b`).test(ours)),
      ...(text.match(/\b[14]\d{3} `[a-z ]+`/g) ?? []).filter((close) => !closes.includes(close)),
    ].map((name) => `${guide}: ${name}`);
  });
  assertEquals(wrong, []);
});

/** The files whose tests run over each driver, in the order of the table's columns. */
const DRIVERS = [
  {
    name: "memory",
    files: runBy(/^tests\/(?:core|gateway|client)\/|^tests\/(?:drivers|jitter)\/memory_/),
  },
  { name: "Redis", files: runBy(/^tests\/(?:drivers|drivers_on_servers|jitter)\/redis_/) },
  { name: "Postgres", files: runBy(/^tests\/(?:drivers|drivers_on_servers|jitter)\/postgres_/) },
] as const;

/** Files of tests, and what they import: a suite that is run over many drivers. */
function runBy(pattern: RegExp): ReadonlySet<string> {
  const files = filesIn("tests").filter((path) => /_test\.ts$/.test(path) && pattern.test(path));
  return new Set(files.flatMap((path) => [path, ...importsOf(path)]));
}

function importsOf(path: string): string[] {
  return [...read(path).matchAll(/ from "(.+)";$/gm)].flatMap(([, specifier = ""]) => {
    if (specifier === "@airwave/broadcast/testing") return ["testing/driver_contract.ts"];
    return specifier.startsWith(".")
      ? [new URL(specifier, `file:///${path}`).pathname.slice(1)]
      : [];
  });
}

/** Whether a file registers a test by that name, with or without the name of what it runs over. */
function hasTest(path: string, title: string): boolean {
  const code = read(path).replace(/^\s*\/\/.*$/gm, "");
  const name = title.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  return new RegExp(`\\(\\s*["\`](?:\\$\\{\\w+\\}: )?${name}["\`]\\s*,`).test(code);
}

/** The cells of the numbered rows. */
function tableRows(page: string): string[][] {
  return [...page.matchAll(/^\| (\d+ .*) \|$/gm)].map(([, row = ""]) =>
    row.split(" | ").map((cell) => cell.trim())
  );
}
