/** What the guides say is tested: that the test is there, and is about what the guide says. */
import { assert, assertEquals } from "@std/assert";
import { GUIDES, ROOT } from "../scripts/project.ts";
import { linksIn, read } from "./links.ts";

const GUARANTEES = "docs/delivery-guarantees.md";

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
  const files = [...testFiles("tests")].filter((path) => pattern.test(path));
  return new Set(files.flatMap((path) => [path, ...importsOf(path)]));
}

function* testFiles(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(`${ROOT}/${folder}`)) {
    if (isDirectory) yield* testFiles(`${folder}/${name}`);
    else if (name.endsWith("_test.ts")) yield `${folder}/${name}`;
  }
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
