/** Takes the place of what tests of servers use of `Deno` on Node and Bun. Deno has its own. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { connect as connectTo, createServer } from "node:net";
import { tmpdir } from "node:os";
import process from "node:process";
import { Readable, Writable } from "node:stream";
import { inspect } from "node:util";

class NotFound extends Error {}
class AddrInUse extends Error {}

/** A bare connection. */
class Connection {
  #socket;
  #chunks;

  constructor(socket) {
    this.#socket = socket;
    // A test that is done with it does not care how it ends.
    socket.on("error", () => {});
    this.#chunks = socket.iterator({ destroyOnReturn: false });
  }

  /** At most as many bytes as the buffer has; what is left of them comes with the next call. */
  async read(buffer) {
    const { value, done } = await this.#chunks.next();
    if (done) return null;
    const length = Math.min(value.length, buffer.length);
    buffer.set(value.subarray(0, length));
    if (length < value.length) this.#socket.unshift(value.subarray(length));
    return length;
  }

  write(bytes) {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve(bytes.length));
    });
  }

  closeWrite() {
    return new Promise((resolve) => this.#socket.end(resolve));
  }

  close() {
    this.#socket.destroy();
  }

  [Symbol.dispose]() {
    this.close();
  }
}

class Command {
  #path;
  #options;

  constructor(path, options) {
    this.#path = path;
    this.#options = options;
  }

  spawn() {
    const { args, env, uid, gid, stdin, stdout, stderr } = this.#options;
    const stdio = [stdin, stdout, stderr].map((to) => to === "piped" ? "pipe" : "ignore");
    const child = spawn(this.#path, args, { env: { ...process.env, ...env }, uid, gid, stdio });
    const status = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve({ code, signal, success: code === 0 }));
    });
    const [output, errors] = [child.stdout, child.stderr].map((from) =>
      from && Readable.toWeb(from)
    );
    return {
      pid: child.pid,
      stdin: child.stdin && Writable.toWeb(child.stdin),
      stdout: output,
      stderr: errors,
      status,
      kill(signal) {
        if (!child.kill(signal)) throw new NotFound("The process has ended");
      },
      async output() {
        const [stdout, stderr] = await Promise.all([output, errors].map(readAll));
        return { ...await status, stdout, stderr };
      },
    };
  }
}

async function readAll(stream) {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function connect({ port, hostname }) {
  return new Promise((resolve, reject) => {
    const socket = connectTo({ port, host: hostname }, () => {
      socket.off("error", reject);
      resolve(new Connection(socket));
    });
    socket.once("error", reject);
  });
}

/** Without a host Node listens before it returns, on loopback as well. */
function listen({ port }) {
  const server = createServer().on("error", () => {}).listen(port);
  if (!server.listening) throw new AddrInUse(`Somebody listens on ${port}`);
  return server;
}

/** What `Deno` becomes, member by member: the package under test must not take it for the runtime. */
export const denoOrStandIn = globalThis.Deno ?? {
  chmod: (path, mode) => fs.promises.chmod(path, mode),
  chown: (path, uid, gid) => fs.promises.chown(path, uid, gid),
  Command,
  connect,
  errors: { AddrInUse, NotFound },
  inspect,
  kill(pid, signal) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      throw error.code === "ESRCH" ? new NotFound(error.message) : error;
    }
  },
  listen,
  makeTempDir: ({ prefix }) => fs.promises.mkdtemp(`${tmpdir()}/${prefix}`),
  makeTempFile: async ({ prefix }) => {
    const path = `${tmpdir()}/${prefix}${randomUUID()}`;
    await fs.promises.writeFile(path, "", { flag: "wx" });
    return path;
  },
  mkdir: (path) => fs.promises.mkdir(path),
  readDirSync: (path) => fs.readdirSync(path, { withFileTypes: true }),
  readTextFile: (path) => fs.promises.readFile(path, "utf8"),
  readTextFileSync: (path) => fs.readFileSync(path, "utf8"),
  realPathSync: (path) => fs.realpathSync(path),
  remove: (path, options) => fs.promises.rm(path, options),
  removeSync: (path, options) => fs.rmSync(path, options),
  rename: (from, to) => fs.promises.rename(from, to),
  stat: (path) => fs.promises.stat(path),
  statSync(path) {
    const stat = fs.statSync(path);
    return { isFile: stat.isFile(), mode: stat.mode };
  },
  truncate: (path, size) => fs.promises.truncate(path, size),
  uid: () => process.getuid(),
  writeTextFile: (path, text, options) => fs.promises.writeFile(path, text, options),
};

// Node tells of its end in another way.
if (globalThis.Deno === undefined) process.on("exit", () => dispatchEvent(new Event("unload")));

// What Node 20 does not have.
globalThis.WebSocket ??= (await import("ws")).WebSocket;
globalThis.ErrorEvent ??= class extends Event {};
Uint8Array.prototype.toHex ??= function () {
  return Array.from(this, (byte) => byte.toString(16).padStart(2, "0")).join("");
};
