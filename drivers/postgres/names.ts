import type { OptionCheck } from "../../core/options.ts";

/** Short enough that what is added stays within PostgreSQL's 63 bytes. */
const NAME = /^[a-z_][a-z0-9_]{0,29}$/;

/** A schema's name or the start of a table's name. Nothing else ever gets into SQL unquoted. */
export const sqlName: OptionCheck = (value) =>
  typeof value === "string" && NAME.test(value)
    ? undefined
    : "1 to 30 characters of a-z 0-9 _ that do not start with a digit";

/** Where the tables of one application are: two that differ in either never see each other. */
export interface PostgresNames {
  /** The schema that holds the tables, `public` unless told. */
  readonly schema?: string | undefined;
  /** What the names of tables and functions start with, `broadcast` unless told. */
  readonly prefix?: string | undefined;
}

/** The names of everything that the driver has in a database, quoted. */
export class Names {
  readonly schema: string;
  /** Name that NOTIFY and LISTEN use; also names the advisory locks. */
  readonly bell: string;
  readonly #prefix: string;

  constructor({ schema = "public", prefix = "broadcast" }: PostgresNames) {
    this.schema = quote(schema);
    this.bell = `${schema}.${prefix}`;
    this.#prefix = prefix;
  }

  /** A table or function. */
  of(what: string): string {
    return `${this.schema}.${this.index(what)}`;
  }

  /** An index, which is in the schema of its table and cannot be told so. */
  index(what: string): string {
    return quote(`${this.#prefix}_${what}`);
  }
}

function quote(name: string): string {
  return `"${name}"`;
}
