-- lib_links.lua: what ties a job to others: its group, its parent, its unique key, its batch.
--
-- grouped  ZSET  members "group:priority:seq:uuid", all of score 0: in the order of these texts
-- slots    HASH  uuid -> group of the jobs that have their group's turn: in ready, leased, or waiting for a retry
-- groups   ZSET  group -> how many slots it has taken
-- behind   ZSET  members "parent:child", all of score 0: jobs that wait for their parent
-- unique   HASH  name -> "uuid place-in-grouped place-in-behind" of the job that holds it
-- batches  HASH  uuid -> "open=0 total=5 done=3 dead=0 cancelled=0", and told=1 once its end was told;
--                uuid:hooks -> "names url" of the webhooks that are told of its end, "-" for none
--                uuid:callback -> its own url, that is told instead of that one; uuid:owner -> who opened it
-- outbox   STREAM  ends that webhooks are to be told of
-- rate     HASH  queue or group:NAME -> "tokens ms"
-- timers   ZSET  ms -> what the next claim after it does: see lib_claim.lua

local SWEEP_MS = 1000 -- how often waiting groups are looked at for limits that have changed

-- The positive number in a text like 2 or 0.5, else nil: 0 means no limit.
local function limit(value)
  if type(value) == 'string' and #value <= 15 and string.find(value, '^%d+%.?%d*$') and tonumber(value) > 0 then
    return tonumber(value)
  end
end

-- Tokens in a bucket that gains per_second and holds burst.
local function tokens(name, per_second, burst)
  local left, at = string.match(redis.call('HGET', rate, name) or '', '^(%d+%.?%d*) (%d+)$')
  if not left then
    return burst
  end
  return math.min(tonumber(left) + math.max(now - tonumber(at), 0) * per_second / 1000, burst)
end

-- A bucket that nobody has drawn from for a day is forgotten.
local function keep_tokens(name, left)
  redis.call('HSET', rate, name, string.format('%.3f %.0f', left, now))
  redis.call('ZADD', timers, text(now + KEEP_MS), 'rate:' .. name)
end

local function ms_until_token(left, per_second)
  return math.max(math.ceil((1 - left) * 1000 / per_second), 1)
end

local function grouped_as(group, priority, place, id)
  return group .. ':' .. text(priority) .. ':' .. string.format('%015.0f', place) .. ':' .. id
end

-- Fill the free slots of a group: its first jobs get the last places in ready, so that groups take turns.
local function admit(group)
  local asked = redis.pcall('HMGET', conf, 'group_max_inflight:' .. group, 'group_max_inflight',
    'group_rate:' .. group, 'group_rate', 'group_burst:' .. group, 'group_burst')
  local most = math.max(math.floor(limit(asked[1]) or limit(asked[2]) or 1), 1)
  local per_second = limit(asked[3]) or limit(asked[4])
  local burst = math.max(limit(asked[5]) or limit(asked[6]) or per_second or 1, 1)
  local taken = tonumber(redis.call('ZSCORE', groups, group) or 0)
  for _ = 1, MAX_ITEMS do
    if taken >= most then
      return
    end
    local first = redis.call('ZRANGEBYLEX', grouped, '[' .. group .. ':', '(' .. group .. ';', 'LIMIT', 0, 1)[1]
    if not first then
      return
    end
    local left = per_second and tokens('group:' .. group, per_second, burst)
    if left and left < 1 then
      redis.call('ZADD', timers, text(now + ms_until_token(left, per_second)), 'group:' .. group)
      wake_one() -- somebody has to know of that time
      return
    end
    local priority, id = string.match(first, ':(%d):%d+:([^:]+)$')
    if id and redis.call('HSETNX', slots, id, group) == 1 then
      if left then
        keep_tokens('group:' .. group, left - 1)
      end
      taken = taken + 1
      redis.call('ZINCRBY', groups, 1, group)
      redis.call('ZADD', ready, text(tonumber(priority) * PLACES + redis.call('INCR', seq)), id)
      wake_one()
    end
    redis.call('ZREM', grouped, first)
  end
end

-- Into the line: of its group when it has one and not its turn yet, else into ready at the place of its seq.
local function place(id, record)
  if record.group and redis.call('HEXISTS', slots, id) == 0 then
    redis.call('ZADD', grouped, 0, grouped_as(record.group, record.priority, record.seq, id))
    admit(record.group)
    redis.call('ZADD', timers, 'NX', text(now + SWEEP_MS), 'sweep:')
  else
    redis.call('ZADD', ready, text(record.priority * PLACES + record.seq), id)
    wake_one()
  end
end

-- A job has ended: the next of its group has its turn.
local function free_slot(id)
  local group = redis.call('HGET', slots, id)
  if group then
    redis.call('HDEL', slots, id)
    if tonumber(redis.call('ZINCRBY', groups, -1, group)) <= 0 then
      redis.call('ZREM', groups, group)
    end
    admit(group)
  end
end

-- Those that wait for this parent are due: promote reads their records.  The rest beyond 100 by the next claim.
local function release_children(parent, failed)
  local waiting = redis.call('ZRANGEBYLEX', behind, '[' .. parent .. ':', '(' .. parent .. ';', 'LIMIT', 0, MAX_ITEMS)
  for _, member in ipairs(waiting) do
    local child = string.sub(member, #parent + 2)
    if failed then
      redis.call('ZADD', timers, text(now + KEEP_MS), 'failed:' .. child)
    end
    redis.call('ZADD', later, text(now), child)
  end
  if #waiting > 0 then
    redis.call('ZREM', behind, unpack(waiting))
    wake_one()
  end
  if #waiting == MAX_ITEMS then
    redis.call('ZADD', timers, text(now), 'children:' .. (failed and 'failed:' or 'ended:') .. parent)
  end
end

-- The job that holds a unique name, if it is another one and still to be found or within its window.
local function holder(name, id)
  local other, in_group, in_behind = string.match(redis.call('HGET', unique, name) or '', '^(%S+) (%S*) (%S*)$')
  if not other or other == id then
    return
  end
  local window = redis.call('ZSCORE', timers, 'unique:' .. name)
  if window and tonumber(window) > now or redis.call('ZSCORE', ready, other) or redis.call('ZSCORE', later, other) or
      redis.call('ZSCORE', leased, other) or redis.call('ZSCORE', grouped, in_group) or
      redis.call('ZSCORE', behind, in_behind) then
    return other
  end
end

local function lock(id, record)
  redis.call('ZREM', timers, 'unique:' .. record.unique)
  redis.call('HSET', unique, record.unique, id .. ' ' ..
    (record.group and grouped_as(record.group, record.priority, record.seq, id) or '') .. ' ' ..
    (record.after and record.after .. ':' .. id or ''))
end

local function unlock(id, record, window_ms)
  local value = redis.call('HGET', unique, record.unique)
  if not value or string.match(value, '^%S+') ~= id then
    return
  elseif window_ms > 0 then
    redis.call('ZADD', timers, text(now + window_ms), 'unique:' .. record.unique)
  else
    redis.call('HDEL', unique, record.unique)
  end
end

-- Something that webhooks are told of has happened; fields of a record come behind it.  Some worker will see to it.
local function post(what, id, ...)
  redis.pcall('XADD', outbox, '*', 'event', what, 'id', id, ...)
  redis.call('ZADD', timers, text(now), 'outbox:')
  wake_one()
end

-- A job has ended as its record now says.
local function tell(id, record, state)
  if record and (record.callback or record.hooks) and record.source ~= 'hook' then
    post(state, id, unpack(redis.call('HGETALL', job)))
  end
end

-- Who is told of the end of a batch: what its first job says, and its own callback, which each of its jobs brings with it.
local function tell_batch_to(batch, record)
  if record.callback or record.hooks then
    redis.call('HSETNX', batches, batch .. ':hooks', (record.hooks or '-') .. ' ' .. (record.callback or '-'))
  end
  if record.batch_callback then
    redis.call('HSETNX', batches, batch .. ':callback', record.batch_callback)
  end
end

local function tell_batch(batch)
  local told = redis.call('HMGET', batches, batch .. ':hooks', batch .. ':callback')
  local names, url = string.match(told[1] or '', '^(%S+) (%S+)$')
  if names or told[2] then
    post('batch', batch, 'hooks', names or '-', 'callback', told[2] or url)
  end
end

-- Add to the numbers of a batch.  When all its jobs have ended this is told, once for all that have come until then, and it
-- is forgotten after a while.  What ends here is one part of a batch that is in several queues: it may end and go on.
local function count_in_batch(batch, changes)
  local value = redis.call('HGET', batches, batch) or 'open=0 total=0 done=0 dead=0 cancelled=0'
  local n = {}
  for key, number in string.gmatch(value, '(%a+)=(%d+)') do
    n[key] = tonumber(number)
  end
  for key, by in pairs(changes) do
    n[key] = math.max((n[key] or 0) + by, 0)
  end
  local told_before = n.told == 1 and not changes.total
  local ended = n.open == 0 and n.done + n.dead + n.cancelled >= n.total
  local told = told_before or ended
  redis.call('HSET', batches, batch, string.format('open=%.0f total=%.0f done=%.0f dead=%.0f cancelled=%.0f%s',
    n.open or 0, n.total or 0, n.done or 0, n.dead or 0, n.cancelled or 0, told and ' told=1' or ''))
  redis.call('ZADD', timers, text(now + 7 * KEEP_MS), 'batch:' .. batch)
  if ended and not told_before then
    event(batch, 'ended')
    tell_batch(batch)
  end
end

-- A job has ended, as `done`, `dead` or `cancelled`: whatever was tied to it.
local function settle(id, record, outcome)
  free_slot(id)
  release_children(id, outcome ~= 'done')
  if record.unique then
    unlock(id, record, outcome == 'done' and int(record.unique_ms) or 0)
  end
  if record.batch then
    count_in_batch(record.batch, {[outcome] = 1})
  end
  count('bytes', -(int(record.bytes) or 0))
end
