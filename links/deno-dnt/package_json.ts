import type { EntryPoint } from "./mod.ts";
import type { Dependency } from "./sources.ts";

/** A package.json. */
export interface Package {
  name: string;
  version: string;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  [property: string]: unknown;
}

/** The package.json with its exports and with what the modules import. */
export function packageJson(
  given: Package,
  entryPoints: readonly EntryPoint[],
  entries: readonly string[],
  imported: readonly Dependency[],
): Package {
  const paths = entries.map((entry) => entry.replace(/\.ts$/, ""));
  const versions = (isPeer: boolean) =>
    Object.fromEntries(
      imported.filter(({ peerDependency = false }) => peerDependency === isPeer)
        .map(({ name, version = "*" }) => [name, version]),
    );
  const all = {
    module: `./esm/${paths[0]}.js`,
    types: `./types/${paths[0]}.d.ts`,
    ...given,
    exports: Object.fromEntries(
      entryPoints.map(({ name }, index) => [name, {
        import: {
          types: `./types/${paths[index]}.d.ts`,
          default: `./esm/${paths[index]}.js`,
        },
      }]),
    ),
    dependencies: { ...versions(false), ...given.dependencies },
    peerDependencies: { ...versions(true), ...given.peerDependencies },
  };
  const isEmpty = (value: unknown) =>
    typeof value === "object" && value !== null && Object.keys(value).length === 0;
  return Object.fromEntries(Object.entries(all).filter(([, value]) => !isEmpty(value))) as Package;
}
