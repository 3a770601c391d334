import { pageTrial } from "./page_trial.ts";
import { PostgresBackend } from "./postgres_server.ts";

pageTrial("postgres", () => PostgresBackend.open({ timeoutMs: 5_000 }));
