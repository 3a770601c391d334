import type { Cluster, Redis } from "ioredis";
import type { HistoryRead } from "../../core/driver.ts";
import type { EventRecord, StoredEvent } from "../../core/event.ts";
import type { Position } from "../../core/position.ts";
import { Batches } from "./batches.ts";
import { isCluster } from "./client.ts";
import type { Commands } from "./commands.ts";
import type { Link } from "./link.ts";
import type { Names } from "./names.ts";
import type { RedisOptions } from "./options.ts";
import { publishScript, readScript, type RedisScript } from "./scripts.ts";
import { decodeRecord, encodeMessage, encodeRecord } from "./wire.ts";

/** The oldest Redis that the tests run on. */
const MIN_VERSION = 7;

interface ServerFacts {
  /** Whether writes are on disk before they are answered. */
  readonly isDurable: boolean;
  /** The process, or nothing where that cannot be told beforehand. */
  readonly run: string;
}

/** The facts, once they are there, and which connection they are for. */
interface KnownFacts {
  readonly connection: number;
  server: ServerFacts | Promise<ServerFacts>;
}

/** An entry that our scripts did not write, or an answer that they do not give. */
class ForeignDataError extends Error {}

/** The numbered and stored events of all channels. */
export class History {
  readonly #commands: Commands;
  readonly #link: Link;
  readonly #names: Names;
  readonly #options: RedisOptions;
  readonly #publishScript: RedisScript;
  readonly #readScript: RedisScript;
  readonly #batches: Batches;
  readonly #epochPrefix = crypto.randomUUID();
  #epochs = 0;
  /** What is known of the server of a connection. */
  #facts: KnownFacts | undefined;

  constructor(commands: Commands, link: Link, names: Names, options: RedisOptions) {
    this.#commands = commands;
    this.#link = link;
    this.#names = names;
    this.#options = options;
    const waits = options.waitForReplicas > 0;
    const settings = {
      ...options,
      waits,
      // Where replicas are waited for, nobody hears of it before they have it.
      send: waits ? undefined : isCluster(link.client) ? "SPUBLISH" : "PUBLISH",
    } as const;
    this.#publishScript = publishScript(settings);
    this.#readScript = readScript(settings);
    this.#batches = new Batches(
      (channel, records, timeoutMs, failed) => this.#publish(channel, records, timeoutMs, failed),
      options.timeoutMs,
      () => link.lastError,
    );
  }

  /** Numbers, stores and sends an event, once however often it is tried. */
  publish(channel: string, record: EventRecord): Promise<Position> {
    return this.#batches.publish(channel, record);
  }

  /** Where a channel stands. An event that was `seen` and is not there any more ends the epoch. */
  async top(channel: string, seen: Position | undefined): Promise<Position> {
    return parsePosition(await this.#read(channel, { epoch: "", offset: 0 }, seen));
  }

  /**
   * What lies behind a position; `report` hears of what is stored and is none of ours.
   */
  async read(
    channel: string,
    after: Position,
    report: (cause: unknown) => void,
  ): Promise<HistoryRead> {
    const answer = await this.#read(channel, after, undefined);
    const top = parsePosition(answer);
    const entries = listOf(listOf(answer)[2]);
    const missing = top.offset - after.offset;
    if (after.epoch !== top.epoch || missing < 0 || entries.length !== missing) {
      return { complete: false, top };
    }
    try {
      const events = entries.toReversed().map((entry, i) =>
        this.#parseEntry(entry, { epoch: top.epoch, offset: after.offset + 1 + i })
      );
      return { complete: true, events, top };
    } catch (cause) {
      report(cause);
      return { complete: false, top };
    }
  }

  /**
   * An operator may have a server write to disk later from now on. That it writes sooner need not be
   * noticed: it only makes a restart told that lost nothing.
   */
  async lookAgain(): Promise<void> {
    const facts = this.#facts;
    if (facts === undefined || facts.server instanceof Promise || !facts.server.isDurable) return;
    const all = await Promise.all(mastersOf(this.#link.client).map(writesBeforeItAnswers));
    if (all.includes(false)) facts.server = { ...facts.server, isDurable: false };
  }

  #publish(
    channel: string,
    records: readonly EventRecord[],
    timeoutMs: number,
    failed: (cause: unknown) => void,
  ): Promise<readonly Position[]> {
    const name = this.#names.messages(channel);
    const args = [name, ...records.flatMap((record) => [record.id, encodeRecord(record)])];
    return this.#commands.run(async (client) => {
      const answer = await this.#script(client, channel, this.#publishScript, args);
      const [epoch, ...offsets] = listOf(answer);
      const positions = offsets.map((offset) => parsePosition([epoch, offset]));
      if (this.#options.waitForReplicas > 0) {
        await Promise.all(
          records.map((record, i) =>
            this.#commands.send(client, "PUBLISH", [name, encodeMessage(record, positions[i])])
          ),
        );
      }
      return positions;
    }, { isRepeatable: true, timeoutMs, failed });
  }

  #read(channel: string, after: Position, seen: Position | undefined): Promise<unknown> {
    const args = [seen?.epoch ?? "", seen?.offset ?? 0, after.epoch, after.offset];
    return this.#commands.run(
      (client) => this.#script(client, channel, this.#readScript, args),
      { isRepeatable: true },
    );
  }

  /** Runs a script, and waits for replicas where that is wanted. */
  async #script(
    client: Redis | Cluster,
    channel: string,
    script: RedisScript,
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const { waitForReplicas } = this.#options;
    const { connection } = this.#link;
    const server = this.#server(client);
    // Awaited only where it must be: a call is on its way before anything else is done for it.
    const { isDurable, run } = server instanceof Promise ? await server : server;
    const answer = await this.#commands.script(client, script, this.#names.keys(channel), [
      `${this.#epochPrefix}-${(this.#epochs++).toString(36)}`,
      run,
      isDurable ? 1 : 0,
      ...args,
    ]);
    if (waitForReplicas === 0 || isCluster(client)) return answer;
    const replicas = await this.#commands.replicated(client, waitForReplicas);
    // On another connection Redis answers for what was written there, and knows nothing of this.
    if (this.#link.connection !== connection) throw new Error("The connection was lost meanwhile");
    if (replicas >= waitForReplicas) return answer;
    throw new Error(`${replicas} of ${waitForReplicas} replicas have it within the time`);
  }

  #server(client: Redis | Cluster): ServerFacts | Promise<ServerFacts> {
    const { connection } = this.#link;
    if (this.#facts?.connection === connection) return this.#facts.server;
    const facts: KnownFacts = {
      connection,
      server: factsOf(client).then((server) => facts.server = server),
    };
    this.#facts = facts;
    return facts.server;
  }

  #parseEntry(entry: unknown, position: Position): StoredEvent {
    const [id, fields] = listOf(entry);
    const [, text] = listOf(fields);
    if (typeof id !== "string" || Number(id.split("-")[1]) !== position.offset) {
      throw new ForeignDataError(`entry ${String(id)} stands where ${position.offset} should`);
    }
    if (typeof text !== "string") throw new ForeignDataError(`entry ${id} has no record`);
    return { record: decodeRecord(text, this.#options.maxEventBytes), position };
  }
}

async function factsOf(client: Redis | Cluster): Promise<ServerFacts> {
  const [all, run] = await Promise.all([
    Promise.all(mastersOf(client).map(writesBeforeItAnswers)),
    isCluster(client) ? "" : runOf(client),
  ]);
  return { isDurable: all.every((isDurable) => isDurable === true), run };
}

/** A connection leads to one server process. In a cluster's client there are many, and others come. */
async function runOf(client: Redis): Promise<string> {
  const info = await client.info("server").catch(() => "");
  assertVersion(info);
  return /^run_id:(\w+)/m.exec(info)?.[1] ?? "";
}

function mastersOf(client: Redis | Cluster): readonly Redis[] {
  return isCluster(client) ? client.nodes("master") : [client];
}

/** One that does not tell its version, as some hosted ones, is taken for new enough. */
function assertVersion(info: string): void {
  const version = /^redis_version:(\S+)/m.exec(info)?.[1];
  if (version === undefined || parseInt(version) >= MIN_VERSION) return;
  throw new Error(`Redis ${version} is too old, ${MIN_VERSION}.0 or later is needed`);
}

/** Nothing where a server does not tell, as many a hosted one, or is not reached. */
async function writesBeforeItAnswers(client: Redis): Promise<boolean | undefined> {
  try {
    const settings = listOf(await client.config("GET", "append*")).map(String);
    const valueOf = (name: string) => settings[settings.indexOf(name) + 1];
    return valueOf("appendonly") === "yes" && valueOf("appendfsync") === "always";
  } catch {
    return undefined;
  }
}

function parsePosition(answer: unknown): Position {
  const [epoch, offset] = listOf(answer);
  if (typeof epoch !== "string" || !Number.isSafeInteger(offset)) {
    throw new ForeignDataError("Redis answered what our script does not");
  }
  return { epoch, offset: Number(offset) };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
