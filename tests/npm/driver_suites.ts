/** A suite of drivers on real servers, for Node. */
export interface DriverSuite {
  /** In `tests/drivers_on_servers`. They run one after the other. */
  readonly files: readonly string[];
  /** How many tests there are at least. */
  readonly count: number;
}

/** Each runs in a process of its own, all at the same time: mostly they wait for their servers. */
export const DRIVER_SUITES = {
  "Redis": { files: ["redis_test.ts", "redis_trial_test.ts"], count: 44 },
  "a Redis that fails": {
    files: [
      "redis_faults_test.ts",
      "redis_mistakes_test.ts",
      "redis_page_test.ts",
      "redis_sentinel_test.ts",
    ],
    count: 30,
  },
  "Redis Cluster": { files: ["redis_cluster_test.ts", "redis_model_test.ts"], count: 8 },
  "nodes over Redis": { files: ["redis_identity_test.ts"], count: 7 },
  "PostgreSQL": { files: ["postgres_contract_test.ts", "postgres_trial_test.ts"], count: 25 },
  "a PostgreSQL that fails": {
    files: ["postgres_faults_test.ts", "postgres_page_test.ts", "postgres_tls_test.ts"],
    count: 11,
  },
  "transactions of PostgreSQL": {
    files: [
      "postgres_mistakes_test.ts",
      "postgres_model_test.ts",
      "postgres_test.ts",
      "postgres_transaction_test.ts",
    ],
    count: 28,
  },
  "nodes over PostgreSQL": { files: ["postgres_identity_test.ts"], count: 7 },
  "PgBouncer": { files: ["pgbouncer_trial_test.ts"], count: 7 },
} as const satisfies Record<string, DriverSuite>;

/** The name of one. */
export type DriverSuiteName = keyof typeof DRIVER_SUITES;

/** Their names. */
export const DRIVER_SUITE_NAMES = Object.keys(DRIVER_SUITES) as readonly DriverSuiteName[];

/** Files that stay on Deno, and why. */
export const DRIVERS_ON_DENO_ONLY: Readonly<Record<string, string>> = {
  "redis_churn_test.ts": "it keeps a core busy for a minute",
  "postgres_churn_test.ts": "it keeps a core busy for a minute",
};
