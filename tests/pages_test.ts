/** What the pages of text say of the project, where a machine can tell whether it holds. */
import { assert, assertEquals } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { existing, ROOT, SOURCES } from "../scripts/project.ts";
import { filesIn, linksIn, read } from "./links.ts";

const PAGES = ["", "docs/", "examples/recipes/"].flatMap((folder) =>
  [...Deno.readDirSync(`${ROOT}/${folder}`)].map(({ name }) => `${folder}${name}`)
).filter((path) => path.endsWith(".md"));

Deno.test("every link between the pages and into the code leads somewhere", () => {
  const dead = PAGES.flatMap((page) =>
    linksIn(read(page), page).filter(({ path }) => existing([path]).length === 0)
      .map(({ path }) => `${page}: ${path}`)
  );
  assertEquals(dead, []);
});

Deno.test("every guarantee has a test that names it, in a file that README.md names", () => {
  const rows = [...read("README.md").matchAll(/^\| (\d+) +\|.*$/gm)];
  assertEquals(
    rows.map(([, number]) => Number(number)),
    Array.from({ length: 12 }, (_, i) => i + 1),
  );
  for (const [row, number] of rows) {
    const names = new RegExp(`"guarantee ${number}: `);
    assert(linksIn(row).some(({ path }) => names.test(read(path))), `guarantee ${number}`);
  }
});

Deno.test("CONTRIBUTING.md names every task", () => {
  const page = read("CONTRIBUTING.md");
  const unnamed = Object.keys(config.tasks).filter((task) =>
    !page.includes(`| \`deno task ${task}\` `)
  );
  assertEquals(unnamed, []);
});

Deno.test("every name of ours in coming-from.md is one", () => {
  const ours = SOURCES.flatMap(filesIn).map(read).join("\n");
  const rows = [...read("docs/coming-from.md").matchAll(/^\| .* \| (.*) \|$/gm)];
  const code = rows.flatMap(([, cell = ""]) => cell.match(/`[^`]*`/g) ?? []).join(" ");
  // Not what stands in quotes, or for something of the reader's.
  const names = code.replace(/"[^"]*"/g, "").match(/[A-Za-z]{3,}/g) ?? [];
  const unknown = new Set(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(ours)));
  assertEquals([...unknown], []);
});
