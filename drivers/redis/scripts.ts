/**
 * The scripts that run inside Redis. All take the four keys of a channel (see `names.ts`):
 *
 * - `state`, a hash: `epoch` and `top`, the position; `run`, the server process that counted last, and
 *   `durable`, whether its writes were on disk before they were answered, as every writer knew it;
 *   `at`, the time of the last event; `bornAt` and `bornTop`, when the newer hash of ids was begun.
 * - `events`, a stream: the history. `ids` and `ids:older`, hashes: event id to offset.
 *
 * Redis copies to replicas after it has answered, and writes to disk when it is told to. So what was
 * numbered and seen may be gone after a fail-over or a restart, and its numbers would be given again.
 * Therefore the first script that meets a channel in another server process than the last one begins
 * a new epoch, unless it is certain that nothing is missing:
 *
 * - a server that was started again, with every write on disk before it was answered. That has to hold
 *   for the process that wrote last, and for the one of now: what it lost would take the proof along;
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
 * How long a channel's position outlives its last event at least: a week. Who comes back later is told
 * that something may be lost.
 */
const KEEP_STATE_MS = 7 * 24 * 60 * 60_000;

/**
 * What one read brings at most, and how many entries it looks at between two looks at their size. An
 * answer of any length would keep a connection busy until it is taken for silent.
 */
const READ = { bytes: 64 * 1024 * 1024, page: 16 };

/** What is the same for every call of a driver, and therefore stands in the scripts: reading it costs. */
export interface ScriptSettings {
  /** Most events that are kept. */
  readonly historySize: number;
  /** Their age. */
  readonly historyTtlMs: number;
  /** How long ids are known at least. */
  readonly idWindowMs: number;
  /** Whether nothing is shown before replicas have it. */
  readonly waits: boolean;
  /** The command that sends, if the script is to. */
  readonly send: "PUBLISH" | "SPUBLISH" | undefined;
}

/**
 * How long the keys live. With the first event of each beat, a tenth of the events' age, they get that
 * time anew.
 */
function lifetimes({ historyTtlMs, idWindowMs }: ScriptSettings) {
  const beatMs = Math.max(1, Math.floor(historyTtlMs / 10));
  const longestMs = Math.max(historyTtlMs, idWindowMs);
  const idsMs = 2 * longestMs + beatMs;
  // Without the state all else is worth nothing.
  const stateMs = Math.max(KEEP_STATE_MS, idsMs);
  return { beatMs, longestMs, eventsMs: historyTtlMs + beatMs, idsMs, stateMs };
}

/**
 * Both scripts begin with it. ARGV: 1 a name for a new epoch, should one begin; 2 the server process
 * as the caller knows it, or nothing: asking Redis for it costs a third of a publish; 3 `1` where
 * writes are on disk before they are answered. `isAhead` says whether the caller has seen more than
 * is left.
 */
function open(settings: ScriptSettings, isAhead: string): string {
  return `
local call = redis.call
local state = call('HMGET', KEYS[1], 'epoch', 'top', 'run', 'at', 'bornAt', 'bornTop', 'durable')
local epoch, top = state[1], tonumber(state[2])
local run, durable, lastAt = ARGV[2], ARGV[3], tonumber(state[4] or 0)
local time = call('TIME')
local ms = math.floor(time[2] / 1000)
local now = time[1] * 1000 + ms
local isWhole = run ~= '' and run == state[3]

if not isWhole then
  local function field(info, name)
    local _, at = string.find(type(info) == 'string' and info or '', name .. ':', 1, true)
    return at and string.match(info, '^%w*', at + 1) or ''
  end
  local server = redis.pcall('INFO', 'server')
  run = field(server, 'run_id')
  if state[3] == run then
    isWhole = true
  elseif epoch then
    local replication = redis.pcall('INFO', 'replication')
    if string.find(field(replication, 'master_replid2'), '[1-9a-f]') then
      -- Redis counts whole seconds since the second in which it started; taken for the end of that one.
      local uptime = tonumber(field(server, 'uptime_in_seconds'))
      local startedAt = (math.floor(now / 1000) - uptime + 1) * 1000
      -- A time that is still to come is of a clock that was ahead, and proves nothing.
      isWhole = ${settings.waits} and startedAt <= lastAt and lastAt <= now
    else
      isWhole = state[7] == '1' and durable == '1'
    end
  end
end

-- One writer that knows better is enough: it counts until the process ends.
if state[3] == run and state[7] == '0' then durable = '0' end

if not (epoch and top) then
  call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
  epoch, top, lastAt, state = ARGV[1], 0, 0, {}
  call('HSET', KEYS[1], 'epoch', epoch, 'top', 0, 'run', run, 'durable', durable)
  call('PEXPIRE', KEYS[1], ${lifetimes(settings).stateMs})
elseif not isWhole or ${isAhead} then
  epoch = ARGV[1]
  call('HSET', KEYS[1], 'epoch', epoch, 'run', run, 'durable', durable)
elseif state[3] ~= run or state[7] ~= durable then
  call('HSET', KEYS[1], 'run', run, 'durable', durable)
end
`;
}

/**
 * Numbers, stores and sends events. Answers the epoch and the offset of each.
 *
 * What is stored is at least what the limits say, and up to a node of the stream more.
 *
 * ARGV: 4 the pub/sub channel; then for each event its id and its record.
 */
export function publishScript(settings: ScriptSettings): RedisScript {
  const { historySize, historyTtlMs, idWindowMs, send } = settings;
  const { beatMs, longestMs, eventsMs, idsMs, stateMs } = lifetimes(settings);
  return script(`${open(settings, "false")}
local clock = time[1] .. string.format('%03d', ms)
-- A clock that was set back must not put an event before the last one.
local at = now < lastAt and state[4] or clock
local answer, before = {epoch}, top
-- What was evicted begins anew, and must not stay for ever.
local isDue = math.floor(now / ${beatMs}) ~= math.floor(lastAt / ${beatMs})
  or call('EXISTS', KEYS[2], KEYS[3]) < 2
local bornAt, bornTop = tonumber(state[5] or 0), tonumber(state[6] or 0)
if now < bornAt then
  -- By a clock that was set back it would not grow older: it is as young as it can be.
  bornAt = now
  call('HSET', KEYS[1], 'bornAt', clock)
end
for i = 5, #ARGV, 2 do
  local id, record = ARGV[i], ARGV[i + 1]
  -- The first hash begins with the first event, so until there is a second, none is older.
  local known = call('HGET', KEYS[3], id) or bornTop > 1 and call('HGET', KEYS[4], id)
  if not known then
    top = top + 1
    known = string.format('%.0f', top)
    local age = now - bornAt
    if (top - bornTop > ${historySize} and age >= ${idWindowMs}) or age >= ${longestMs} then
      if call('EXISTS', KEYS[3]) == 1 then call('RENAME', KEYS[3], KEYS[4]) end
      -- Exactly: no event may outlive its id, and those before the newer hash lose theirs now.
      call('XTRIM', KEYS[2], 'MAXLEN', '=', top - bornTop)
      bornAt, bornTop, isDue = now, top, true
      call('HSET', KEYS[1], 'bornAt', clock, 'bornTop', known)
    end
    -- The event first: nothing may know of one that could not be stored.
    call('XADD', KEYS[2], 'MAXLEN', '~', ${historySize}, at .. '-' .. known, 'r', record)
    call('HSET', KEYS[1], 'top', known, 'at', at)
    call('HSET', KEYS[3], id, known)
    ${send ? `call('${send}', ARGV[4], '1 ' .. epoch .. ' ' .. known .. '\\n' .. record)` : ""}
  end
  answer[#answer + 1] = tonumber(known)
end
if top > before and isDue then
  call('XTRIM', KEYS[2], 'MINID', '~', string.format('%.0f', math.max(0, now - ${historyTtlMs})))
  call('PEXPIRE', KEYS[2], ${eventsMs})
  call('PEXPIRE', KEYS[3], ${idsMs})
end
-- In any case something is written: a caller may wait until replicas have it.
if top == before or isDue then call('PEXPIRE', KEYS[1], ${stateMs}) end
return answer
`);
}

/**
 * Reads what lies behind a position. Answers `{epoch, top, entries}`, the newest entry first: as many
 * as are missing, if the position is of this epoch, so many are stored, and they are not too large.
 *
 * ARGV: 4 and 5 the epoch and offset of an event that was seen, or nothing and 0; 6 and 7 those of
 * the position.
 */
export function readScript(settings: ScriptSettings): RedisScript {
  return script(`${open(settings, "(ARGV[4] == epoch and tonumber(ARGV[5]) > top)")}
-- A write to wait for: before it is on replicas, so is everything that is answered here.
if ${settings.waits} then call('PEXPIRE', KEYS[1], ${lifetimes(settings).stateMs}) end
local entries = {}
local missing = top - tonumber(ARGV[7])
if ARGV[6] == epoch and missing > 0 and missing <= call('XLEN', KEYS[2]) then
  local from, bytes = '+', 0
  repeat
    local count = math.min(${READ.page}, missing - #entries)
    local page = call('XREVRANGE', KEYS[2], from, '-', 'COUNT', count)
    for _, entry in ipairs(page) do
      entries[#entries + 1] = entry
      bytes = bytes + #(entry[2][2] or '')
      from = '(' .. entry[1]
    end
    if bytes > ${READ.bytes} then
      entries = {}
      break
    end
  until #page == 0 or #entries == missing
end
return {epoch, top, entries}
`);
}
