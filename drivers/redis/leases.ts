import type { LeasedChange, LeasedEntry, LeaseStore } from "../../core/leases.ts";
import type { Commands } from "./commands.ts";
import type { Names } from "./names.ts";
import { script } from "./scripts.ts";

/** Most owners whose leases ran out that one write clears away. */
const MAX_CLEARED = 100;

// KEYS: 1 the owners by the end of their leases, 2 the names of their leases, 3 how long they last. The
// sets and hashes of topics and owners begin with KEYS[4]; all of them are in one slot.
const OPEN = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function topicKey(topic) return KEYS[4] .. ':topic:' .. topic end
local function ownerKey(owner) return KEYS[4] .. ':owner:' .. owner end
local function entriesKey(topic, owner) return topicKey(topic) .. '\\n' .. owner end
local function remaining(owner)
  local left = tonumber(redis.call('ZSCORE', KEYS[1], owner) or 0) - now
  local lasts = tonumber(redis.call('HGET', KEYS[3], owner) or left)
  if left <= lasts then return left end
  -- Renewed by a clock that was ahead and has been set right since.
  redis.call('ZADD', KEYS[1], now + lasts, owner)
  return lasts
end
`;

/**
 * Writes entries and renews the lease. Answers its name.
 *
 * ARGV: 1 the owner, 2 how long the lease lasts in ms, 3 a name for a new lease, then for each change
 * topic, key, and `=` with the value or nothing.
 */
const WRITE = script(`${OPEN}
local function clear(owner)
  for _, topic in ipairs(redis.call('SMEMBERS', ownerKey(owner))) do
    redis.call('DEL', entriesKey(topic, owner))
    redis.call('SREM', topicKey(topic), owner)
  end
  redis.call('DEL', ownerKey(owner))
  redis.call('ZREM', KEYS[1], owner)
  redis.call('HDEL', KEYS[2], owner)
  redis.call('HDEL', KEYS[3], owner)
end
local owner = ARGV[1]
for _, ended in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ${MAX_CLEARED})) do
  clear(ended)
end
-- Its own lease may be one of so many that it was not reached.
if tonumber(redis.call('ZSCORE', KEYS[1], owner) or now + 1) <= now then clear(owner) end
redis.call('HSETNX', KEYS[2], owner, ARGV[3])
redis.call('HSET', KEYS[3], owner, ARGV[2])
redis.call('ZADD', KEYS[1], now + ARGV[2], owner)
for i = 4, #ARGV, 3 do
  local topic, key, value = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local entries = entriesKey(topic, owner)
  if value == '' then
    redis.call('HDEL', entries, key)
    if redis.call('EXISTS', entries) == 0 then
      redis.call('SREM', topicKey(topic), owner)
      redis.call('SREM', ownerKey(owner), topic)
    end
  else
    redis.call('HSET', entries, key, string.sub(value, 2))
    redis.call('SADD', topicKey(topic), owner)
    redis.call('SADD', ownerKey(owner), topic)
  end
end
return redis.call('HGET', KEYS[2], owner)
`);

/** Lists a topic: for each owner whose lease holds, the owner and a list of keys and values. */
const LIST = script(`${OPEN}
local found = {}
for _, owner in ipairs(redis.call('SMEMBERS', topicKey(ARGV[1]))) do
  if remaining(owner) > 0 then
    table.insert(found, {owner, redis.call('HGETALL', entriesKey(ARGV[1], owner))})
  end
end
return found
`);

/** How long the leases of the owners in ARGV still hold, in ms; 0 for none. */
const REMAINING = script(`${OPEN}
local found = {}
for i, owner in ipairs(ARGV) do
  found[i] = math.max(0, remaining(owner))
end
return found
`);

/** Leases in Redis, by its own clock. All of one application are in one slot of a cluster. */
export class RedisLeases implements LeaseStore {
  readonly #commands: Commands;
  readonly #keys: readonly string[];

  /** Leases under the application's prefix. */
  constructor(commands: Commands, names: Names) {
    const name = names.messages("!leases");
    this.#commands = commands;
    this.#keys = [`${name}:owners`, `${name}:names`, `${name}:lasting`, name];
  }

  /** Writes entries and renews the lease. */
  async write(owner: string, leaseMs: number, changes: readonly LeasedChange[]): Promise<string> {
    const args = changes.flatMap(({ topic, key, value }) => [
      topic,
      key,
      value === undefined ? "" : `=${value}`,
    ]);
    const lease = await this.#run(WRITE, [owner, leaseMs, crypto.randomUUID(), ...args]);
    if (typeof lease !== "string") throw new Error("Redis answered no name of a lease");
    return lease;
  }

  /** Every entry of a topic. */
  async list(topic: string): Promise<readonly LeasedEntry[]> {
    const found = await this.#run(LIST, [topic]);
    return asArray(found).flatMap((part) => {
      const [owner, pairs] = asArray(part);
      const texts = asArray(pairs);
      return texts.flatMap((key, i) => {
        const value = texts[i + 1];
        if (i % 2 === 1 || typeof owner !== "string") return [];
        return typeof key === "string" && typeof value === "string" ? [{ owner, key, value }] : [];
      });
    });
  }

  /** How long these leases hold. */
  async remainingMs(owners: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const found = owners.length === 0 ? [] : asArray(await this.#run(REMAINING, owners));
    return new Map(owners.flatMap((owner, i) => {
      const remaining = Number(found[i]);
      return remaining > 0 ? [[owner, remaining] as const] : [];
    }));
  }

  #run(script: typeof WRITE, args: readonly (string | number)[]): Promise<unknown> {
    return this.#commands.run(
      (client) => this.#commands.script(client, script, this.#keys, args),
      { isRepeatable: true },
    );
  }
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
