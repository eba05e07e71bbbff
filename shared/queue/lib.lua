-- lib.lua: what every script of the queue begins with; cmake/scripts.cmake puts it in front of each of them.
--
-- KEYS are the same for all, so that every key a script may touch is declared: the twelve of the queue, then those of
-- the jobs it is about (one; beat: many; claim and status: none).
--
-- Rules: Redis' own clock; check first, write last; the new place before the old one is left, so that a script that
-- stops half-way loses nothing; at most 100 items; what stands in a record was perhaps edited by hand.
local ready, later, leased, owner, wake, done, dead, stats, events, fence, conf, seq, job =
  unpack(KEYS, 1, 13)

local MAX_ITEMS, MAX_FIELDS, MAX_RECORD, KEEP_MS = 100, 128, 65536, 86400000

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function text(number)
  return string.format('%.0f', number)
end

-- The number in a text of 1 to 15 digits, else nil.
local function int(value)
  if type(value) == 'string' and #value <= 15 and string.find(value, '^%d+$') then
    return tonumber(value)
  end
end

local function is_uuid(id)
  local a, b, c, d = string.match(id, '^(%x+)%-(%x+)%-7(%x+)%-[89ab](%x+)%-%x+$')
  return #id == 36 and a ~= nil and #a == 8 and #b == 4 and #c == 3 and #d == 3 and not string.find(id, '%u')
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

-- The record as a table, the five numbers the scripts reckon with as numbers; or nil and what is impossible in it; or
-- nil alone when there is none.  The second value may come with a table too: then that can still be read.  With fresh,
-- attempts and crashes count as 0 whatever they are.
local function load(fresh)
  local size = redis.pcall('HLEN', job)
  if type(size) == 'table' then
    return nil, 'record: the key holds no hash'
  elseif size == 0 then
    return nil
  elseif size > MAX_FIELDS then
    return nil, 'record: more than ' .. MAX_FIELDS .. ' fields'
  end
  local flat, record, bytes = redis.call('HGETALL', job), {}, 0
  for i = 1, #flat, 2 do
    record[flat[i]] = flat[i + 1]
    bytes = bytes + #flat[i] + #flat[i + 1]
  end
  if bytes > MAX_RECORD then
    return nil, 'record: more than ' .. MAX_RECORD .. ' bytes'
  end
  if fresh then
    record.attempts, record.crashes = '0', '0'
  end
  local why
  for _, name in ipairs({'attempts', 'max_attempts', 'crashes', 'priority', 'seq'}) do
    record[name] = int(record[name])
    if not record[name] then
      why = why or 'record: ' .. name .. ' is missing or no number'
    end
  end
  if why then
    return record, why
  elseif record.priority > 9 then
    return record, 'record: priority is above 9'
  elseif record.seq >= 2 ^ 45 then
    return record, 'record: seq is above 2^45'
  elseif record.max_attempts < 1 then
    return record, 'record: max_attempts is 0'
  end
  return record
end

local function owns(id, worker_token)
  return redis.call('HGET', owner, id) == worker_token
end

local function drop_lease(id)
  redis.call('ZREM', leased, id)
  redis.call('HDEL', owner, id)
end

-- To ready, at the place its priority and seq give it.
local function to_ready(id, record)
  redis.call('HSET', job, 'state', 'waiting')
  redis.call('HDEL', job, 'worker', 'token', 'lease_until')
  redis.call('ZADD', ready, text(record.priority * 2 ^ 45 + record.seq), id)
  wake_one()
  event(id, 'waiting')
end

-- To dead, whatever the key holds: a wrong type gives way to a hash that says why.
local function bury(id, why, class)
  if type(redis.pcall('HLEN', job)) == 'table' then
    redis.call('DEL', job)
  end
  for _, name in ipairs({'attempts', 'crashes', 'seq'}) do
    if not int(redis.call('HGET', job, name)) then
      redis.call('HSET', job, name, 0)
    end
  end
  redis.call('HSET', job, 'state', 'dead', 'ended', text(now), 'error', why, 'error_class', class)
  redis.call('HDEL', job, 'worker', 'token', 'lease_until', 'cancel', 'cancel_keep')
  redis.call('PERSIST', job)
  redis.call('ZADD', dead, text(now), id)
  redis.call('ZREM', ready, id)
  redis.call('ZREM', later, id)
  drop_lease(id)
  count('dead')
  event(id, 'dead')
  return {'CONFLICT', 'dead', why}
end

-- Ended records leave `done` by age and by count, and themselves by their own expiry.
local function trim_done(keep_ms, keep_count)
  local old = redis.call('ZRANGEBYSCORE', done, '-inf', text(now - keep_ms), 'LIMIT', 0, MAX_ITEMS)
  if #old > 0 then
    redis.call('ZREM', done, unpack(old))
  end
  local extra = keep_count and redis.call('ZCARD', done) - keep_count or 0
  if extra > 0 then
    redis.call('ZREMRANGEBYRANK', done, 0, math.min(extra, MAX_ITEMS) - 1)
  end
end

-- To done, as `done` or `cancelled`; the record stays readable for keep_ms.
local function conclude(id, state, keep_ms, keep_count)
  keep_ms = math.max(keep_ms, 1)
  redis.call('HSET', job, 'state', state, 'ended', text(now))
  redis.call('HDEL', job, 'worker', 'token', 'lease_until', 'cancel', 'cancel_keep')
  redis.call('PEXPIRE', job, text(keep_ms))
  redis.call('ZADD', done, text(now), id)
  redis.call('ZREM', ready, id)
  redis.call('ZREM', later, id)
  redis.call('ZREM', dead, id)
  drop_lease(id)
  trim_done(keep_ms, keep_count)
  count(state)
  event(id, state)
end

-- How long the record of a job stays that was asked to stop while it ran.
local function cancel_keep(record)
  return int(record.cancel_keep) or KEEP_MS
end

-- The members of a set of times that are due (at most 100), and when the next one will be (nil: none).  Members that
-- are no ids were put there by hand and are taken out.
local function times(set)
  local head = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
  if not head[1] then
    return {}
  elseif tonumber(head[2]) > now then
    return {}, tonumber(head[2])
  end
  local ids = {}
  local found = redis.call('ZRANGEBYSCORE', set, '-inf', text(now), 'LIMIT', 0, MAX_ITEMS)
  for _, id in ipairs(found) do
    if is_uuid(id) then
      ids[#ids + 1] = id
    else
      redis.call('ZREM', set, id)
    end
  end
  if #found == MAX_ITEMS then
    return ids, now
  end
  local next = redis.call('ZRANGEBYSCORE', set, '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  return ids, tonumber(next[2])
end

local function is_paused()
  local paused = redis.pcall('HGET', conf, 'paused')
  return paused == '1' or paused == 'yes' or paused == 'true'
end

local function lease(want, lease_ms, worker)
  local ids = redis.call('ZRANGE', ready, 0, want - 1)
  if #ids == 0 then
    return {}
  end
  local token = redis.call('INCRBY', fence, #ids) - #ids
  local leases, scores, owners = {}, {}, {}
  for _, id in ipairs(ids) do
    if is_uuid(id) then
      local n = #leases
      token = token + 1
      leases[n + 1], leases[n + 2] = id, token
      scores[n + 1], scores[n + 2] = text(now + lease_ms), id
      owners[n + 1], owners[n + 2] = id, worker .. ':' .. text(token)
    end
  end
  if #leases > 0 then
    redis.call('ZADD', leased, unpack(scores))
    redis.call('HSET', owner, unpack(owners))
  end
  redis.call('ZREM', ready, unpack(ids))
  return leases
end

-- {answer, {id, token, ...}, {due id, ...}, {expired id, ...}, ms until the next time, 1 when ready holds more}
local function claim(answer, want, lease_ms, worker)
  local paused = is_paused()
  local due, next_due = times(later)
  local expired, next_expiry = times(leased)
  local leases = {}
  if want > 0 and not paused then
    leases = lease(math.min(want, MAX_ITEMS), lease_ms, worker)
  end
  local next = math.min(next_due or math.huge, next_expiry or math.huge)
  local wait = -1
  if #leases > 0 then
    next = math.min(next, now + lease_ms)
  end
  if next < math.huge then
    wait = math.min(math.max(next - now, 0), KEEP_MS)
  end
  local more = 0
  if not paused and redis.call('ZCARD', ready) > 0 then
    more = 1
    wake_one()
  end
  return {answer, leases, due, expired, math.ceil(wait), more}
end

