/** What the pages of text say of the project, where a machine can tell whether it holds. */
import { assert, assertEquals } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { existing, ROOT } from "../scripts/project.ts";

const PAGES = [...Deno.readDirSync(ROOT)].map(({ name }) => name).filter((name) =>
  name.endsWith(".md")
);

Deno.test("every link between the pages and into the code leads somewhere", () => {
  const dead = PAGES.flatMap((page) =>
    linksIn(read(page)).filter((path) => existing([path]).length === 0)
      .map((path) => `${page}: ${path}`)
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
    assert(linksIn(row).some((path) => names.test(read(path))), `guarantee ${number}`);
  }
});

Deno.test("CONTRIBUTING.md names every task", () => {
  const page = read("CONTRIBUTING.md");
  const unnamed = Object.keys(config.tasks).filter((task) =>
    !page.includes(`| \`deno task ${task}\` `)
  );
  assertEquals(unnamed, []);
});

function read(path: string): string {
  return Deno.readTextFileSync(`${ROOT}/${path}`);
}

function linksIn(text: string): string[] {
  return [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, path = ""]) => path);
}
