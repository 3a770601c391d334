import { churnTrial } from "./churn_trial.ts";
import { RedisBackend } from "./redis_server.ts";

churnTrial("Redis", () => RedisBackend.open());
