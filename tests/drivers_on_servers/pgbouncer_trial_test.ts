import { trial } from "../drivers/trial.ts";
import { PostgresBackend } from "./postgres_server.ts";

trial("postgres behind PgBouncer", () => PostgresBackend.openBehindPgBouncer());
