-- lib.lua: what every script of the queue begins with; cmake/scripts.cmake puts it in front of each of them, then those
-- of lib_*.lua that it needs (each function costs a little on every call).
--
-- KEYS are the same for all, so that every key a script may touch is declared: those of the queue, then those of the
-- jobs it is about.  What many jobs share (groups, parents, unique keys, batches) stands in keys of the queue, one for
-- each kind, never in a key for each name: a script could not declare what it does not know yet.  `none` never exists,
-- which keeps a Redis Cluster from letting a script in while the slot of its queue moves.
--
-- Rules: Redis' own clock; check first, write last; the new place before the old one is left, so that a script that
-- stops half-way loses nothing; at most 100 items; what stands in a record was perhaps edited by hand.
local ready, later, leased, owner, wake, done, dead, stats, events, fence, conf, seq, grouped, groups, slots, behind,
  unique, batches, timers, rate, claims, minutes, outbox, none, job = unpack(KEYS, 1, 25)

local JOBS = 24 -- so many keys come before those of the jobs
local MAX_ITEMS, MAX_FIELDS, MAX_RECORD, MAX_DONE, KEEP_MS = 100, 128, 65536, 1000000, 86400000
-- A text this long keeps the hash from being a list that is searched from its beginning.
local OWNER_NOTE = 'uuid -> worker:token of its lease, and :ms since when, once it has begun; see shared/queue.h'
local PLACES = 2 ^ 45 -- the score in ready is priority * PLACES + seq

local function text(number)
  return string.format('%d', number)
end

-- The number in a text of 1 to 15 digits, else nil.
local function int(value)
  if type(value) == 'string' and #value <= 15 and string.find(value, '^%d+$') then
    return tonumber(value)
  end
end

-- Counters and the log of events never keep a job from moving: a wrong type there is ignored.
local function count(name, by)
  redis.pcall('HINCRBY', stats, name, by or 1)
end

-- One entry of the log: a uuid and its new state, or several such pairs.
local function event(...)
  redis.pcall('XADD', events, 'MAXLEN', '~', 10000, '*', ...)
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
