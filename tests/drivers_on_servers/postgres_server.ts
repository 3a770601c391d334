import postgres from "postgres";
import { PostgresBroadcaster, type PostgresBroadcasterOptions } from "../../drivers/postgres.ts";
import { PGBOUNCER, POSTGRES } from "../../scripts/programs.ts";
import type { NodeOptions, TrialBackend } from "../drivers/trial.ts";
import { pathOf } from "../servers/path_of.ts";
import { freePort } from "../servers/port.ts";
import { ServerProcess } from "../servers/server_process.ts";
import { TcpProxy } from "../servers/tcp_proxy.ts";

/** The role and the database that the application has; no superuser, as in real life. */
const APPLICATION = "shop";

/** PostgreSQL and PgBouncer refuse to be root: then they are this user. */
const USER = Deno.uid() === 0 ? findUser("postgres", "nobody") : undefined;

/** Made once in a run and copied for each server, as making one takes a second. */
const model = await initialise();

/** A PostgreSQL of a test's own, in a folder of its own. */
export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #process: ServerProcess;

  private constructor(port: number, folder: string, process: ServerProcess) {
    this.port = port;
    this.#folder = folder;
    this.#process = process;
  }

  /** Starts one; further arguments as for `postgres`. */
  static async start(...args: readonly string[]): Promise<PostgresServer> {
    const port = freePort();
    const folder = await makeFolder();
    await run("cp", ["-r", `${model}/.`, folder]);
    const process = await ServerProcess.start({
      command: pathOf(POSTGRES),
      args: [
        ...["-D", folder, "-p", `${port}`, "-h", "127.0.0.1", "-k", ""],
        // What is written survives the end of all processes; only the machine's end is not tried.
        ...["-c", "fsync=off", "-c", "max_connections=120"],
        // Into files: several tests may use one server, and its output belongs to none of them.
        ...["-c", "logging_collector=on"],
        ...args,
      ],
      ...USER,
      // An immediate stop: nothing is written, nobody is told.
      killSignal: "SIGQUIT",
      probe: () => greet(port),
    });
    return new PostgresServer(port, folder, process);
  }

  get url(): string {
    return urlOf(this.port);
  }

  get #saved(): string {
    return `${this.#folder}-saved`;
  }

  kill(): Promise<void> {
    return this.#process.kill();
  }

  /** Starts it again with what it had stored. */
  restart(): Promise<void> {
    return this.#process.start();
  }

  /** Keeps a copy of its files, as a backup does; it is stopped meanwhile. */
  async save(): Promise<void> {
    await this.kill();
    await run("cp", ["-r", this.#folder, this.#saved]);
    await this.restart();
  }

  /**
   * Puts the copy in the place of its files; recovering from it, the server begins a timeline, as one
   * does that was a replica. It must not run.
   */
  async putBack(how: "as it was" | "recovering" = "as it was"): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
    await Deno.rename(this.#saved, this.#folder);
    if (how === "as it was") return;
    await writeForServer(`${this.#folder}/recovery.signal`, "");
    await Deno.writeTextFile(
      `${this.#folder}/postgresql.auto.conf`,
      "restore_command = 'false'\n",
      { append: true },
    );
  }

  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  /** A client for the test to look or meddle with, or to hand to a node. */
  client(options: postgres.Options<Record<string, never>> = {}): Stranger {
    return new Stranger(this.url, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Somebody else on the server. */
export class Stranger implements AsyncDisposable {
  readonly sql: postgres.Sql;

  constructor(url: string, options: postgres.Options<Record<string, never>>) {
    // The connection that it listens on ends a moment after all is said to have ended.
    this.sql = postgres(url, { onnotice() {}, max_lifetime: null, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A test that failed may have left a transaction open.
    await this.sql.end({ timeout: 1 });
  }
}

/** A PgBouncer of a test's own, in transaction mode. */
export class PgBouncer implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #process: ServerProcess;

  private constructor(port: number, folder: string, process: ServerProcess) {
    this.port = port;
    this.#folder = folder;
    this.#process = process;
  }

  static async start(serverPort: number): Promise<PgBouncer> {
    const port = freePort();
    const folder = await makeFolder();
    const file = `${folder}/pgbouncer.ini`;
    await Deno.writeTextFile(
      file,
      `[databases]
${APPLICATION} = host=127.0.0.1 port=${serverPort} user=${APPLICATION}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 10
server_login_retry = 1
`,
    );
    const process = await ServerProcess.start({
      command: pathOf(PGBOUNCER),
      args: [file],
      ...USER,
      probe: () => greet(port),
    });
    return new PgBouncer(port, folder, process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** A backend over one server, directly or through PgBouncer. */
export class PostgresBackend implements TrialBackend {
  readonly server: PostgresServer;
  readonly proxy: TcpProxy;
  readonly #bouncer: PgBouncer | undefined;
  readonly #options: Partial<PostgresBroadcasterOptions>;

  private constructor(
    server: PostgresServer,
    proxy: TcpProxy,
    bouncer: PgBouncer | undefined,
    options: Partial<PostgresBroadcasterOptions>,
  ) {
    this.server = server;
    this.proxy = proxy;
    this.#bouncer = bouncer;
    this.#options = options;
  }

  static async open(options: Partial<PostgresBroadcasterOptions> = {}): Promise<PostgresBackend> {
    const server = await PostgresServer.start();
    return new PostgresBackend(server, await TcpProxy.listen(server.port), undefined, options);
  }

  static async openBehindPgBouncer(): Promise<PostgresBackend> {
    const server = await PostgresServer.start();
    const bouncer = await PgBouncer.start(server.port);
    const proxy = await TcpProxy.listen(bouncer.port);
    return new PostgresBackend(server, proxy, bouncer, { listen: false, prepare: false });
  }

  node({ prefix = "trial", proxied = false, ...options }: NodeOptions = {}): PostgresBroadcaster {
    const port = proxied ? this.proxy.port : this.#bouncer?.port ?? this.server.port;
    return new PostgresBroadcaster({
      url: urlOf(port),
      schema: "broadcast",
      prefix,
      timeoutMs: 5_000,
      ...this.#options,
      ...options,
    });
  }

  kill(): Promise<void> {
    return this.server.kill();
  }

  restart(): Promise<void> {
    return this.server.restart();
  }

  freeze(): void {
    this.server.freeze();
  }

  thaw(): void {
    this.server.thaw();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.#bouncer?.[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

function urlOf(port: number): string {
  return `postgres://${APPLICATION}@127.0.0.1:${port}/${APPLICATION}`;
}

/** Makes the files of a server that has nothing but the application's role and database. */
async function initialise(): Promise<string> {
  const folder = await makeFolder();
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const program = pathOf(POSTGRES);
  await run(Deno.realPathSync(program).replace(/[^/]*$/, "initdb"), [
    ...["-D", folder, "-U", "postgres", "-A", "trust"],
    ...["-E", "UTF8", "--locale=C", "--no-sync"],
  ]);
  await run(
    program,
    ["--single", "-D", folder, "postgres"],
    `create role ${APPLICATION} login\ncreate database ${APPLICATION} owner ${APPLICATION}\n`,
  );
  return folder;
}

/** Writes a file that only the server's user may read, in a folder that it may enter. */
export async function writeForServer(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text, { mode: 0o600 });
  if (USER !== undefined) await Deno.chown(path, USER.uid, USER.gid);
}

/** A folder of the server's user. */
export async function makeFolder(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "airwave-postgres-" });
  if (USER !== undefined) await Deno.chown(folder, USER.uid, USER.gid);
  return folder;
}

async function run(command: string, args: readonly string[], input = ""): Promise<void> {
  const process = new Deno.Command(command, {
    args: [...args],
    ...USER,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { success, stderr } = await process.output();
  if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
}

function findUser(...names: readonly string[]): { readonly uid: number; readonly gid: number } {
  const users = Deno.readTextFileSync("/etc/passwd").split("\n").map((line) => line.split(":"));
  for (const name of names) {
    const [, , uid, gid] = users.find((fields) => fields[0] === name) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(`Cannot run PostgreSQL as root: there is no user ${names.join(" or ")}`);
}

/** Resolves once a server lets the application in: while it starts it answers, and refuses. */
async function greet(port: number): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const text = new TextEncoder().encode(
    `\0\0\0\0\0\x03\0\0user\0${APPLICATION}\0database\0${APPLICATION}\0\0`,
  );
  new DataView(text.buffer).setInt32(0, text.length);
  await connection.write(text);
  const answer = new Uint8Array(1);
  await connection.read(answer);
  const [kind] = new TextDecoder().decode(answer);
  if (kind !== "R") throw new Error(`It answered with a message of kind ${kind}`);
}
