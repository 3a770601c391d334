import { ROOT } from "../scripts/project.ts";

/** A link of a page to a file of the project. */
export interface Link {
  /** Where it leads, seen from the root folder. */
  readonly path: string;
  /** The words in quotes behind the address: in guides, the name of a test. */
  readonly title: string | undefined;
}

/** The links of a page, or of a part of one, that stay within the project. */
export function linksIn(text: string, page = ""): Link[] {
  return [...text.matchAll(/\]\(([^)#:\s]+)(?:#[^)\s]*)?(?: "([^"]*)")?\)/g)].map(
    ([, path = "", title]) => ({ path: new URL(path, `file:///${page}`).pathname.slice(1), title }),
  );
}

/** The text of a file, seen from the root folder. */
export function read(path: string): string {
  return Deno.readTextFileSync(`${ROOT}/${path}`);
}

/** The TypeScript files in a folder, or the file itself. */
export function filesIn(path: string): string[] {
  if (path.endsWith(".ts")) return [path];
  if (!Deno.statSync(`${ROOT}/${path}`).isDirectory) return [];
  return [...Deno.readDirSync(`${ROOT}/${path}`)].flatMap(({ name }) => filesIn(`${path}/${name}`));
}
