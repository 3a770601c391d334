/**
 * The scripts that run inside Redis. All take the four keys of a channel (see `names.ts`):
 *
 * - `state`, a hash: `epoch` and `top`, the position; `run`, the server process that counted last;
 *   `at`, the time of the last event; `bornAt` and `bornTop`, when the newer hash of ids was begun.
 * - `events`, a stream: the history. `ids` and `ids:older`, hashes: event id to offset.
 *
 * Redis copies to replicas after it has answered, and writes to disk when it is told to. So what was
 * numbered and seen may be gone after a fail-over or a restart, and its numbers would be given again.
 * Therefore the first script that meets a channel in another server process than the last one begins
 * a new epoch, unless it is certain that nothing is missing:
 *
 * - a server that was started again, with every write on disk before it was answered;
 * - a replica that was promoted, where nothing is shown to anybody before replicas have it, and which
 *   has been running since before the last event that it knows: so it lost nothing of its own.
 *
 * And where a node has seen more than is left, which proves the loss.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** A script and the name by which Redis knows it. */
export interface RedisScript {
  readonly lua: string;
  readonly sha: string;
}

/** A script under the name by which Redis will know it. */
export function script(lua: string): RedisScript {
  return { lua, sha: createHash("sha1").update(lua).digest("hex") };
}

/**
 * Both scripts begin with it. ARGV: 1 a name for a new epoch, should one begin; 2 how long the state
 * is kept, in ms; 3 `1` where writes are on disk before they are answered; 4 `1` where nothing is
 * shown before replicas have it; 5 and 6 the epoch and offset of an event that was seen; 7 the server
 * process as the caller knows it, or nothing: asking Redis for it costs a third of a publish.
 */
const OPEN = `
local function field(info, name)
  local _, at = string.find(type(info) == 'string' and info or '', name .. ':', 1, true)
  return at and string.match(info, '^%w*', at + 1) or ''
end
local state = redis.call('HMGET', KEYS[1], 'epoch', 'top', 'run', 'at', 'bornAt', 'bornTop')
local run, server = ARGV[7], ''
if run == '' or run ~= state[3] then
  server = redis.pcall('INFO', 'server')
  run = field(server, 'run_id')
end
local epoch, top = state[1], tonumber(state[2])
local lastAt = tonumber(state[4] or 0)

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function isWhole()
  if state[3] == run then return true end
  local wasReplica = string.find(field(redis.pcall('INFO', 'replication'), 'master_replid2'), '[1-9a-f]')
  if not wasReplica then return ARGV[3] == '1' end
  -- Redis counts whole seconds since the second in which it started; taken for the end of that one.
  local uptime = tonumber(field(server, 'uptime_in_seconds'))
  local startedAt = (math.floor(clock() / 1000) - uptime + 1) * 1000
  return ARGV[4] == '1' and startedAt <= lastAt
end

if not (epoch and top) then
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
  epoch, top, lastAt, state = ARGV[1], 0, 0, {}
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'top', 0, 'run', run)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
elseif ARGV[5] == epoch and tonumber(ARGV[6]) > top or not isWhole() then
  epoch = ARGV[1]
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'run', run)
elseif state[3] ~= run then
  redis.call('HSET', KEYS[1], 'run', run)
end
`;

/**
 * Numbers, stores and sends events. Answers the epoch and the offset of each.
 *
 * What is stored is at least what the limits say, and up to a node of the stream more.
 *
 * ARGV: 8 most events, 9 their age in ms, 10 how long ids are known at least, in ms, 11 the pub/sub
 * channel, 12 the command that sends, or nothing; then for each event its id and its record.
 */
export const PUBLISH: RedisScript = script(`${OPEN}
local size, ttl, window = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
-- A clock that was set back must not put an event before the last one.
local now = math.max(clock(), lastAt)
local at = string.format('%.0f', now)
local answer, before = {epoch}, top
-- Keys live on with the first event of each tenth of the events' age, and so much longer.
local beat = math.max(1, math.floor(ttl / 10))
local isDue = math.floor(now / beat) ~= math.floor(lastAt / beat)
local bornAt, bornTop = tonumber(state[5] or 0), tonumber(state[6] or 0)
for i = 13, #ARGV, 2 do
  local id, record = ARGV[i], ARGV[i + 1]
  local known = redis.call('HGET', KEYS[3], id) or redis.call('HGET', KEYS[4], id)
  if not known then
    top = top + 1
    known = string.format('%.0f', top)
    local age = now - bornAt
    if (top - bornTop > size and age >= window) or age >= math.max(ttl, window) then
      if redis.call('EXISTS', KEYS[3]) == 1 then redis.call('RENAME', KEYS[3], KEYS[4]) end
      bornAt, bornTop, isDue = now, top, true
      redis.call('HSET', KEYS[1], 'bornAt', at, 'bornTop', known)
    end
    -- The event first: nothing may know of one that could not be stored.
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', size, at .. '-' .. known, 'r', record)
    redis.call('HSET', KEYS[1], 'top', known, 'at', at)
    redis.call('HSET', KEYS[3], id, known)
    if ARGV[12] ~= '' then
      redis.call(ARGV[12], ARGV[11], '1 ' .. epoch .. ' ' .. known .. '\\n' .. record)
    end
  end
  answer[#answer + 1] = tonumber(known)
end
if top > before and isDue then
  redis.call('XTRIM', KEYS[2], 'MINID', '~', string.format('%.0f', math.max(0, now - ttl)))
  redis.call('PEXPIRE', KEYS[2], ttl + beat)
  redis.call('PEXPIRE', KEYS[3], 2 * math.max(ttl, window) + beat)
end
-- In any case something is written: a caller may wait until replicas have it.
if top == before or isDue then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return answer
`);

/**
 * Reads what lies behind a position. Answers `{epoch, top, entries}`, the newest entry first: as many
 * as are missing, if the position is of this epoch and so many are stored.
 *
 * ARGV: 8 the epoch, 9 the offset.
 */
export const READ: RedisScript = script(`${OPEN}
-- A write to wait for: before it is on replicas, so is everything that is answered here.
if ARGV[4] == '1' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
local entries = {}
local missing = top - tonumber(ARGV[9])
if ARGV[8] == epoch and missing > 0 and missing <= redis.call('XLEN', KEYS[2]) then
  entries = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', missing)
end
return {epoch, top, entries}
`);
