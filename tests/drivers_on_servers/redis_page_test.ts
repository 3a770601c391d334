import { pageTrial } from "./page_trial.ts";
import { RedisBackend } from "./redis_server.ts";

pageTrial("Redis", () => RedisBackend.open({ timeoutMs: 5_000 }));
