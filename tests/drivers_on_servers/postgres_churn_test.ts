import { churnTrial } from "./churn_trial.ts";
import { PostgresBackend } from "./postgres_server.ts";

churnTrial("postgres", () => PostgresBackend.open());
