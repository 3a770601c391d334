/** A program that tests start and that neither Deno nor npm brings along. */
export interface Program {
  /** What people call it. */
  readonly name: string;
  /** Its names on the PATH; the first that is there wins. */
  readonly commands: readonly string[];
  /** Folders off the PATH where it may be as well; a `*` stands for any one name, the last one wins. */
  readonly folders?: string;
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

/** The runtime that most packages of npm run on, and the listener on `node:http`, too. */
export const NODE: Program = {
  name: "Node.js",
  commands: ["node"],
  debianPackage: "nodejs",
};

/** Packs and installs the package as its users do. */
export const NPM: Program = {
  name: "npm",
  commands: ["npm"],
  debianPackage: "npm",
};

/** Publishes over HTTP, as the guide says. */
export const CURL: Program = {
  name: "curl",
  commands: ["curl"],
  debianPackage: "curl",
};

/** Signs what curl publishes. */
export const OPENSSL: Program = {
  name: "OpenSSL",
  commands: ["openssl"],
  debianPackage: "openssl",
};

/** A backplane: server, cluster and, under its other name, sentinel. */
export const REDIS: Program = {
  name: "Redis",
  commands: ["redis-server"],
  debianPackage: "redis-server",
};

/** Watches over a Redis and its replicas. */
export const REDIS_SENTINEL: Program = {
  name: "Redis Sentinel",
  commands: ["redis-sentinel"],
  debianPackage: "redis-sentinel",
};

/** A backplane. `initdb` lies beside it. */
export const POSTGRES: Program = {
  name: "PostgreSQL",
  commands: ["postgres"],
  folders: "/usr/lib/postgresql/*/bin",
  debianPackage: "postgresql",
};

/** The pool that many a PostgreSQL is behind. */
export const PGBOUNCER: Program = {
  name: "PgBouncer",
  commands: ["pgbouncer"],
  debianPackage: "pgbouncer",
};

/** The proxy that many a gateway is behind. */
export const NGINX: Program = {
  name: "nginx",
  commands: ["nginx"],
  debianPackage: "nginx-light",
};

/** Another one. */
export const CADDY: Program = {
  name: "Caddy",
  commands: ["caddy"],
  debianPackage: "caddy",
};

/** Where a program is, or `undefined` if it is not on this machine. */
export function findProgram({ commands, folders, variable }: Program): string | undefined {
  const named = variable === undefined ? undefined : Deno.env.get(variable);
  if (named) return isExecutable(named) ? named : undefined;
  return findOnPath(...commands) ??
    (folders === undefined ? undefined : findIn(matching(folders), commands));
}

/** The first of these commands that is on the PATH. */
export function findOnPath(...commands: readonly string[]): string | undefined {
  return findIn((Deno.env.get("PATH") ?? "").split(":"), commands);
}

function findIn(folders: readonly string[], commands: readonly string[]): string | undefined {
  return commands
    .flatMap((command) => folders.map((folder) => `${folder}/${command}`))
    .find(isExecutable);
}

/** The folders that a path with at most one `*` means, the last first: versions count upwards. */
function matching(path: string): string[] {
  const [parent = "", rest] = path.split("*");
  if (rest === undefined) return [path];
  try {
    const names = [...Deno.readDirSync(parent)].map(({ name }) => name);
    const byVersion = new Intl.Collator("en", { numeric: true });
    return names.sort(byVersion.compare).reverse().map((name) => `${parent}${name}${rest}`);
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && (mode === null || (mode & 0o111) !== 0);
  } catch {
    return false;
  }
}
