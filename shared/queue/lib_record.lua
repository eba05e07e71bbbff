-- lib_record.lua: reading and moving the record of one job.  For all scripts that are about one but enqueue.

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
