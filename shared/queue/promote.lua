-- promote: a job whose time has come, or whose parent has ended, goes from later into its line.
-- ARGV: id, and "now" where somebody does not want to wait for its time.
-- Answers OK, MISSING (not there, or not due yet), CONFLICT dead (impossible record) or CONFLICT cancelled
-- (its parent failed).  With "now", MISSING is a job that is not known, CONFLICT (what it is) one that is not in later, BAD
-- one of those with an impossible record.
local id, hurried = ARGV[1], ARGV[2] == 'now'
local due = redis.call('ZSCORE', later, id)

-- What a job is that does not wait for its time.
local function what_it_is(record)
  if record.after and redis.call('ZSCORE', behind, record.after .. ':' .. id) then
    return 'waiting for another job'
  elseif record.group and redis.call('ZSCORE', grouped, grouped_as(record.group, record.priority, record.seq, id)) then
    return 'waiting for its group'
  elseif not has_ended(record) and redis.call('ZSCORE', leased, id) then
    return 'running'
  end
  return record.state or ''
end

if not hurried and (not due or tonumber(due) > now) then
  return {'MISSING', '', ''}
end
local record, fault = load()
if not due and (record or fault) then
  return fault and {'BAD', record and record.state or '', fault} or {'CONFLICT', what_it_is(record), ''}
elseif not record and not fault then
  if due then
    redis.call('ZREM', later, id)
    forget(id)
  end
  return {'MISSING', '', ''}
end
if has_ended(record) or not fault and record.state ~= 'scheduled' and (redis.call('ZSCORE', ready, id) or
    redis.call('ZSCORE', leased, id)) then
  redis.call('ZREM', later, id) -- put there by hand, or its record was deleted by hand and enqueued again
  return hurried and {'CONFLICT', what_it_is(record), ''} or {'MISSING', '', ''}
elseif not fault and record.state ~= 'scheduled' and not (record.state == 'waiting' and record.after) then
  fault = 'record: state of a scheduled job is ' .. string.sub(record.state or 'missing', 1, 32)
end
if fault then
  return bury(id, record, fault, 'record')
end
local failed = redis.call('ZREM', timers, 'failed:' .. id) == 1
if failed and record.after_failure ~= 'run' then
  redis.call('HSET', job, 'error', 'the job it waits for has failed', 'error_class', 'parent')
  call_off(id, record, KEEP_MS)
  return {'CONFLICT', 'cancelled', ''}
elseif hurried then
  redis.call('HSET', job, 'due', text(now))
elseif record.state == 'waiting' and (int(record.due) or 0) > now then
  redis.call('HSET', job, 'state', 'scheduled') -- its parent has ended before its own time
  redis.call('ZADD', later, record.due, id)
  wake_if_first_later(id)
  event(id, 'scheduled')
  return {'OK', 'scheduled', ''}
end
if record.attempts > 0 and redis.pcall('HGET', conf, 'retry_place') == 'tail' then
  record.seq = redis.call('INCR', seq)
  redis.call('HSET', job, 'seq', text(record.seq))
end
to_ready(id, record)
redis.call('ZREM', later, id)
return {'OK', 'waiting', ''}
