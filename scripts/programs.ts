/** A program that tests start and that neither Deno nor npm brings along. */
export interface Program {
  /** What people call it. */
  readonly name: string;
  /** Its names on the PATH; the first that is there wins. */
  readonly commands: readonly string[];
  /** Environment variable with its path, for one that is not on the PATH. */
  readonly variable?: string;
  /** The package that brings it on Debian. */
  readonly debianPackage: string;
}

/** Drives the client and the example pages. */
export const CHROMIUM: Program = {
  name: "Chromium",
  commands: ["chromium", "chromium-browser", "google-chrome"],
  variable: "CHROMIUM_PATH",
  debianPackage: "chromium",
};

/** Runs a client that was written from PROTOCOL.md in another language. */
export const PYTHON: Program = {
  name: "Python 3",
  commands: ["python3"],
  debianPackage: "python3",
};

/** Where a program is, or `undefined` if it is not on this machine. */
export function findProgram({ commands, variable }: Program): string | undefined {
  const named = variable === undefined ? undefined : Deno.env.get(variable);
  if (named) return isExecutable(named) ? named : undefined;
  return findOnPath(...commands);
}

/** The first of these commands that is on the PATH. */
export function findOnPath(...commands: readonly string[]): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  return commands
    .flatMap((command) => folders.map((folder) => `${folder}/${command}`))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && (mode === null || (mode & 0o111) !== 0);
  } catch {
    return false;
  }
}
