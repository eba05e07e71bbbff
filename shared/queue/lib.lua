-- lib.lua: what every script of the queue begins with; cmake/scripts.cmake puts it in front of each of them, then those
-- of lib_clock.lua, lib_record.lua and lib_claim.lua that it needs (each function costs a little on every call).
--
-- KEYS are the same for all, so that every key a script may touch is declared: the twelve of the queue, then those of
-- the jobs it is about (one; beat: many; claim and status: none).
--
-- Rules: Redis' own clock; check first, write last; the new place before the old one is left, so that a script that
-- stops half-way loses nothing; at most 100 items; what stands in a record was perhaps edited by hand.
local ready, later, leased, owner, wake, done, dead, stats, events, fence, conf, seq, job =
  unpack(KEYS, 1, 13)

local MAX_ITEMS, MAX_FIELDS, MAX_RECORD, KEEP_MS = 100, 128, 65536, 86400000

local function text(number)
  return string.format('%.0f', number)
end

-- The number in a text of 1 to 15 digits, else nil.
local function int(value)
  if type(value) == 'string' and #value <= 15 and string.find(value, '^%d+$') then
    return tonumber(value)
  end
end

-- Counters and the log of events never keep a job from moving: a wrong type there is ignored.
local function count(name)
  redis.pcall('HINCRBY', stats, name, 1)
end

local function event(id, state)
  redis.pcall('XADD', events, 'MAXLEN', '~', 10000, '*', 'id', id, 'state', state)
end

-- One marker is enough: whoever pops it and leaves work behind puts it back.
local function wake_one()
  redis.call('ZADD', wake, 0, '0')
end

local function wake_if_first_later(id)
  if redis.call('ZRANGE', later, 0, 0)[1] == id then
    wake_one()
  end
end
