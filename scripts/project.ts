/** What scripts and tests need to know of the project: where it is, and what deno.json says. */
import config from "../deno.json" with { type: "json" };

/** The root folder. */
export const ROOT: string = `${import.meta.dirname}/..`;

/** The module behind every export. */
export const EXPORTS: readonly string[] = Object.values(config.exports);

const published = existing(config.publish.include);

/** The pages of text that are published. */
export const PAGES: readonly string[] = published.filter((path) => path.endsWith(".md"));

/** The guides, which are read where the code is. */
export const GUIDES: readonly string[] = [...Deno.readDirSync(`${ROOT}/docs`)].flatMap(({ name }) =>
  name.endsWith(".md") ? [`docs/${name}`] : []
);

/** The modules and folders of modules that are published. */
export const SOURCES: readonly string[] = published.filter((path) =>
  !PAGES.includes(path) && path !== "deno.json" && path !== "LICENSE"
);

/** Those of the paths, seen from the root folder, that are there. */
export function existing(paths: readonly string[]): string[] {
  return paths.filter((path) => {
    try {
      Deno.statSync(`${ROOT}/${path}`);
      return true;
    } catch {
      return false;
    }
  });
}
