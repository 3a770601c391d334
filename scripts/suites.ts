import { SOURCES } from "./project.ts";
import {
  CADDY,
  CHROMIUM,
  CURL,
  NGINX,
  NODE,
  NPM,
  OPENSSL,
  PGBOUNCER,
  POSTGRES,
  type Program,
  PYTHON,
  REDIS,
  REDIS_SENTINEL,
} from "./programs.ts";

/** A part of the tests: one run of `deno`, and what it needs of the machine. */
export interface Suite {
  /** Programs that must be there. */
  readonly programs: readonly Program[];
  /** Arguments for `deno`. */
  readonly args: readonly string[];
  /** Test files at a time, where they mostly wait; as many as the machine has cores unless told. */
  readonly jobs?: number;
}

/** Every suite, by the name that `deno task test` takes, in the order of running. */
export const SUITES = {
  /** No server of others, no browser, under 30 seconds. */
  unit: {
    programs: [],
    args: [
      "test",
      "-A",
      "--parallel",
      "--ignore=tests/e2e,tests/npm,tests/recipes,tests/drivers_on_servers,tests/jitter",
      "tests",
      "scripts",
    ],
    jobs: 4,
  },
  /** The examples in doc comments, and those of the guide that is about tests. */
  doc: {
    programs: [],
    args: ["test", "-A", "--doc", ...SOURCES, "docs/testing-your-application.md"],
  },
  /** The drivers on real servers, with real faults. */
  servers: {
    programs: [REDIS, REDIS_SENTINEL, POSTGRES, PGBOUNCER],
    args: ["test", "-A", "--parallel", "tests/drivers_on_servers"],
    jobs: 6,
  },
  /** Hundreds of clients on a bad network, for a minute, over each driver at the same time. */
  jitter: {
    programs: [REDIS, POSTGRES],
    args: ["test", "-A", "--parallel", "tests/jitter"],
    jobs: 4,
  },
  /** Whole systems: real browsers and programs in other languages. */
  e2e: {
    programs: [CURL, OPENSSL, CHROMIUM, PYTHON, NODE, NGINX, REDIS],
    args: ["test", "-A", "--parallel", "--unstable-bundle", "tests/e2e"],
  },
  /** The package for npm: what is in it, on every runtime and through the usual bundlers. */
  npm: {
    programs: [NODE, NPM, CHROMIUM, REDIS, REDIS_SENTINEL, POSTGRES, PGBOUNCER],
    args: ["test", "-A", "tests/npm"],
  },
  /** What examples/recipes shows, each with the real thing. */
  recipes: {
    programs: [CADDY, CHROMIUM, NGINX, POSTGRES, REDIS],
    args: ["test", "-A", "--unstable-bundle", "tests/recipes"],
  },
} as const satisfies Record<string, Suite>;
