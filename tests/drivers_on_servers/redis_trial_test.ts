import { trial } from "../drivers/trial.ts";
import { RedisBackend } from "./redis_server.ts";

trial("Redis", () => RedisBackend.open());
