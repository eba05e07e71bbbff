-- lib_record.lua: reading and moving the record of one job.  For all scripts that are about one.

-- The first thing that is impossible in the numbers the scripts reckon with; they are made numbers on the way.
local function impossible(record)
  record.attempts, record.crashes = int(record.attempts or '0'), int(record.crashes or '0')
  record.max_attempts, record.seq = int(record.max_attempts), int(record.seq)
  record.priority = int(record.priority or '0')
  for _, name in ipairs({'attempts', 'max_attempts', 'crashes', 'priority', 'seq'}) do
    if not record[name] then
      return 'record: ' .. name .. ' is missing or no number'
    end
  end
  if record.priority > 9 then
    return 'record: priority is above 9'
  elseif record.seq >= PLACES then
    return 'record: seq is above 2^45'
  elseif record.max_attempts < 1 then
    return 'record: max_attempts is 0'
  end
end

-- The record as a table, and what is impossible in it; or nil and why there is no table; or nil alone when there is
-- no record.  With fresh, attempts and crashes count as 0 whatever they are.
local function load(fresh)
  local flat = redis.pcall('HGETALL', job)
  if flat.err then
    return nil, 'record: the key holds no hash'
  elseif #flat == 0 then
    return nil
  elseif #flat > 2 * MAX_FIELDS then
    return nil, 'record: more than ' .. MAX_FIELDS .. ' fields'
  end
  local record, bytes = {}, 0
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
  return record, impossible(record)
end

-- Whether the lease is this worker's; and when the job began (nil: it has not).
local function owns(id, worker_token)
  local value = redis.call('HGET', owner, id)
  local since = began(value, worker_token)
  return since ~= nil or value == worker_token, since
end

-- Whether it has ended: a state alone was put there by hand.
local FINAL = {done = true, cancelled = true, dead = true}
local function has_ended(record)
  return record ~= nil and FINAL[record.state] and record.ended ~= nil
end

local function drop_lease(id)
  if redis.call('ZREM', leased, id) == 1 and redis.pcall('HEXISTS', conf, 'max_inflight') == 1 then
    wake_one() -- there is room for another
  end
  redis.call('HDEL', owner, id)
end

-- What is true only while a job runs.
local function drop_run()
  redis.call('HDEL', job, 'worker', 'phase', 'rate', 'parts', 'parts_done')
end

-- The record of a job is gone: nothing more is known of it than its id.
local function forget(id)
  drop_lease(id)
  settle(id, {}, 'done')
end

-- A lease of a job that has ended: it was put into a line by hand, or its record was deleted and enqueued again.
local function drop_ended(id)
  drop_lease(id)
  free_slot(id)
end

-- Whoever is the first in a minute to change a counter notes what they were before: see queue_minutes.h.  known: `_minute` in
-- owner, where most scripts look anyway.  Like one_more_try it names no local of the script: each that a function does costs
-- every call of every script that has the function.
local function begin_minute(known, now, owner, stats, minutes)
  local minute = math.floor(now / 60000)
  if tonumber(known or 0) == minute then
    return
  end
  local totals = redis.pcall('HMGET', stats, 'enqueued', 'done', 'failed', 'dead', 'done_bytes')
  if totals.err then
    return
  end
  redis.pcall('HSET', minutes, string.format('%d', minute % 64), string.format('%d %s %s %s %s %s', minute,
    totals[1] or '0', totals[2] or '0', totals[3] or '0', totals[4] or '0', totals[5] or '0'))
  redis.call('HSET', owner, '_minute', string.format('%d', minute))
end

-- One more of these, and among them of those of this class; shared/queue_classes.c has the same list.
local CLASSES = ' transient throttled config refresh resolve never fetch command converter record crashed refused gone '
local function count_class(name, class)
  begin_minute(redis.call('HGET', owner, '_minute'), now, owner, stats, minutes)
  count(name)
  if string.find(class, '^%l+$') and string.find(CLASSES, ' ' .. class .. ' ', 1, true) then
    count(name .. '_' .. class)
  end
end

-- The attempts that have failed, with one more: a line each, the latest ten; shared/job_tries.h reads them.
local function one_more_try(record, worker_token, since, now, class, why)
  local line = string.format('%d ', record.attempts) .. since .. string.format(' %d ', now) ..
    string.match(worker_token, '^[^:]*') .. ' ' .. (string.match(class, '^[%w_-]+$') or '-') .. ' ' ..
    string.gsub(string.sub(why, 1, 300), '%c', ' ') .. '\n'
  local before = record.tries or ''
  local _, lines = string.gsub(before, '\n', '\n')
  if #before > 8000 then
    before = ''
  elseif lines >= 10 then
    before = string.sub(before, string.find(before, '\n', 1, true) + 1)
  end
  return before .. line
end

-- Back into the line.
local function to_ready(id, record)
  redis.call('HSET', job, 'state', 'waiting')
  drop_run()
  place(id, record)
  event(id, 'waiting')
end

-- Out of every line a job that has not begun may stand in.
local function leave_lines(id, record)
  redis.call('ZREM', ready, id)
  redis.call('ZREM', later, id)
  if record.group and record.priority and record.seq then
    redis.call('ZREM', grouped, grouped_as(record.group, record.priority, record.seq, id))
  end
  if record.after then
    redis.call('ZREM', behind, record.after .. ':' .. id)
  end
end

-- To dead, whatever the key holds: a wrong type gives way to a hash that says why.
local function bury(id, record, why, class)
  if type(redis.pcall('HLEN', job)) == 'table' then
    redis.call('DEL', job)
  end
  if not int(redis.call('HGET', job, 'seq')) then
    redis.call('HSET', job, 'seq', 0)
  end
  for _, name in ipairs({'attempts', 'crashes'}) do
    if not int(redis.call('HGET', job, name) or '0') then
      redis.call('HSET', job, name, 0)
    end
  end
  redis.call('HSET', job, 'state', 'dead', 'ended', text(now), 'error', why, 'error_class', class)
  redis.call('HDEL', job, 'cancel', 'cancel_keep')
  drop_run()
  redis.call('PERSIST', job)
  tell(id, record, 'dead')
  redis.call('ZADD', dead, text(now), id)
  leave_lines(id, record or {})
  drop_lease(id)
  settle(id, record or {}, 'dead')
  count_class('dead', class)
  event(id, 'dead')
  return {'CONFLICT', 'dead', why}
end

-- Where the queue's own bounds are not known, as they are to finish.
local function cap_done()
  local extra = redis.call('ZCARD', done) - MAX_DONE
  if extra > 0 then
    redis.call('ZREMRANGEBYRANK', done, 0, math.min(extra, MAX_ITEMS) - 1)
  end
end

-- Cancelled, whatever it was before; the record stays readable for keep_ms.
local function call_off(id, record, keep_ms)
  keep_ms = math.max(keep_ms, 1)
  redis.call('HSET', job, 'state', 'cancelled', 'ended', text(now))
  redis.call('HDEL', job, 'cancel', 'cancel_keep')
  drop_run()
  redis.call('PEXPIRE', job, text(keep_ms))
  tell(id, record, 'cancelled')
  redis.call('ZADD', done, text(now), id)
  leave_lines(id, record)
  drop_lease(id)
  redis.call('ZREM', dead, id)
  if record.state ~= 'dead' then
    settle(id, record, 'cancelled')
  elseif record.batch then -- it had ended before
    count_in_batch(record.batch, {dead = -1, cancelled = 1})
  end
  cap_done()
  count('cancelled')
  event(id, 'cancelled')
end

-- How long the record of a job stays that was asked to stop while it ran.
local function cancel_keep(record)
  return int(record.cancel_keep) or KEEP_MS
end
