/**
 * The scripts that run inside Redis. All take the four keys of a channel (see `names.ts`):
 *
 * - `state`, a hash: `epoch` and `top`, the position; `run`, the server process that counted last;
 *   `past`, the epochs before and how far each goes; `at`, the time of the last event; `bornAt` and
 *   `bornTop`, when the newer of the two hashes of ids was begun.
 * - `events`, a stream: the history. `ids` and `ids:older`, hashes: event id to offset.
 *
 * Redis copies to replicas after it has answered, and writes to disk when it is told to. So what was
 * numbered and seen may be gone after a fail-over or a restart, and its numbers would be given again.
 * Therefore the first script that meets a channel in another server process than the last one begins
 * a new epoch, and writes down how far the one before goes in what is left. A position of that epoch
 * is good up to there; one behind it names an event that is lost.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** A script and the name by which Redis knows it. */
export interface RedisScript {
  readonly lua: string;
  readonly sha: string;
}

function script(lua: string): RedisScript {
  return { lua, sha: createHash("sha1").update(lua).digest("hex") };
}

/** Most characters of `past`; the oldest epochs fall out, and positions of theirs count as lost. */
const MAX_PAST = 2_000;

// ARGV[1]: a name for a new epoch, should one begin. ARGV[2]: how long the state is kept, in ms.
const OPEN = `
local info = redis.pcall('INFO', 'server')
local run = ''
if type(info) == 'string' then
  local _, at = string.find(info, 'run_id:', 1, true)
  if at then run = string.sub(info, at + 1, at + 40) end
end
local state = redis.call('HMGET', KEYS[1], 'epoch', 'top', 'run', 'past', 'at', 'bornAt', 'bornTop')
local epoch, top, past = state[1], tonumber(state[2]), state[4]
if not (epoch and top and past) then
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
  epoch, top, past, state = ARGV[1], 0, '', {}
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'top', 0, 'run', run, 'past', past)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
elseif state[3] ~= run then
  past = past .. epoch .. ' ' .. string.format('%.0f', top) .. ' '
  while #past > ${MAX_PAST} do past = string.gsub(past, '^%S+ %S+ ', '', 1) end
  epoch = ARGV[1]
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'run', run, 'past', past)
end
`;

/**
 * Numbers, stores and sends an event. Answers `{epoch, offset, past}`.
 *
 * ARGV: 3 the record, 4 its id, 5 most events, 6 their age in ms, 7 how long ids are known at least,
 * in ms, 8 the pub/sub channel, 9 the command that sends.
 */
export const PUBLISH: RedisScript = script(`${OPEN}
local known = redis.call('HGET', KEYS[3], ARGV[4]) or redis.call('HGET', KEYS[4], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if known then return {epoch, tonumber(known), past} end

local size, ttl, window = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local time = redis.call('TIME')
-- A clock that was set back must not put an event before the last one.
local now = math.max(time[1] * 1000 + math.floor(time[2] / 1000), tonumber(state[5] or 0))
top = top + 1
local at, offset = string.format('%.0f', now), string.format('%.0f', top)

local bornAt, bornTop = tonumber(state[6] or 0), tonumber(state[7] or 0)
local age = now - bornAt
if (top - bornTop > size and age >= window) or age >= math.max(ttl, window) then
  if redis.call('EXISTS', KEYS[3]) == 1 then redis.call('RENAME', KEYS[3], KEYS[4]) end
  redis.call('HSET', KEYS[1], 'top', offset, 'at', at, 'bornAt', at, 'bornTop', offset)
else
  redis.call('HSET', KEYS[1], 'top', offset, 'at', at)
end
redis.call('HSET', KEYS[3], ARGV[4], offset)
redis.call('PEXPIRE', KEYS[3], 2 * math.max(ttl, window))

redis.call('XADD', KEYS[2], 'MAXLEN', size, at .. '-' .. offset, 'r', ARGV[3])
redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', math.max(0, now - ttl)))
redis.call('PEXPIRE', KEYS[2], ttl)
redis.call(ARGV[9], ARGV[8], '1 ' .. epoch .. ' ' .. offset .. '\\n' .. ARGV[3])
return {epoch, top, past}
`);

/**
 * Reads what lies behind a position. Answers `{epoch, top, past, entries}`, the newest entry first:
 * as many as are missing, if the position can be one of this channel and so many are stored.
 *
 * ARGV: 3 the epoch, 4 the offset.
 */
export const READ: RedisScript = script(`${OPEN}
local asked = tonumber(ARGV[4])
local last = -1
if ARGV[3] == epoch then last = top end
for name, base in string.gmatch(past, '(%S+) (%S+) ') do
  if name == ARGV[3] then last = tonumber(base) end
end
local entries = {}
local missing = top - asked
if asked <= last and missing > 0 and missing <= redis.call('XLEN', KEYS[2]) then
  entries = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', missing)
end
return {epoch, top, past, entries}
`);
