import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";

/** A bundle for browsers, minified. */
export interface Bundle {
  /** Gzipped bytes that a page loads at once. */
  readonly initialBytes: number;
  /** Gzipped bytes with everything that is loaded on demand. */
  readonly totalBytes: number;
  /** The modules that are in it, from the folder it was made in. */
  readonly modules: readonly string[];
}

/** Bundles a module given by its text, whose imports are resolved from a folder. */
export function bundle(text: string, folder: string): Bundle {
  // What `build` leaves behind is a process whose end nobody can wait for.
  const { metafile, outputFiles } = buildSync({
    stdin: { contents: text, resolveDir: folder, loader: "ts", sourcefile: "page.ts" },
    absWorkingDir: folder,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    splitting: true,
    outdir: "out",
    metafile: true,
    write: false,
    logLevel: "silent",
  });
  const outputs = new Map(Object.entries(metafile.outputs));
  const sizes = outputFiles.map(({ path, contents }) =>
    [path.slice(path.lastIndexOf("/out/") + 1), gzippedBytes(contents)] as const
  );
  const entry = [...outputs].find(([, { entryPoint }]) => entryPoint !== undefined)?.[0] ?? "";
  const initial = staticImports(entry, outputs);
  const sum = (files: typeof sizes) => files.reduce((total, [, bytes]) => total + bytes, 0);
  return {
    initialBytes: sum(sizes.filter(([path]) => initial.has(path))),
    totalBytes: sum(sizes),
    // One of which only the types were used is not in the bundle.
    modules: [...outputs.values()].flatMap(({ inputs }) =>
      Object.entries(inputs).flatMap(([path, { bytesInOutput }]) =>
        path === "page.ts" || bytesInOutput === 0 ? [] : [path]
      )
    ),
  };
}

/** A file and what it imports before it runs. */
function staticImports(
  entry: string,
  outputs: ReadonlyMap<string, { imports: readonly { path: string; kind: string }[] }>,
): ReadonlySet<string> {
  const found = new Set([entry]);
  for (const path of found) {
    for (const imported of outputs.get(path)?.imports ?? []) {
      if (imported.kind === "import-statement") found.add(imported.path);
    }
  }
  return found;
}

/** As a server sends what it compressed once: `gzip -9`. */
function gzippedBytes(contents: Uint8Array): number {
  return gzipSync(contents, { level: 9 }).length;
}
