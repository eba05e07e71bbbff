-- retry: a dead job runs again, from attempt 0, at its old place (a grouped one in the line of its group).  So does one that
-- is done, when its object turned out to be gone: it counts as enqueued once more, for counters only rise.
-- ARGV: id, and of a job that is done: when it ended, as its record says (another time: it was done anew meanwhile).
-- Answers OK, CONFLICT (the state it is in; this very state when another job has its unique key), MISSING, or BAD
-- (impossible record).
local id, ended = ARGV[1], ARGV[2]
local from = ended and 'done' or 'dead'
local record, fault = load(true)

if not record and not fault then
  return {'MISSING', '', ''}
elseif fault then
  return {'BAD', record and record.state or '', fault}
elseif record.state ~= from or ended and record.ended ~= ended then
  return {'CONFLICT', record.state or '', ''}
end
local other = record.unique and holder(record.unique, id)
if other then
  return {'CONFLICT', from, 'its unique key is held by ' .. other}
end
redis.call('PERSIST', job)
redis.call('ZREM', timers, 'children:failed:' .. id)
redis.call('HSET', job, 'sent', 0)
redis.call('HDEL', job, 'ended', 'cancel', 'cancel_keep', 'attempts', 'crashes', 'url', 'etag')
if record.unique then
  lock(id, record)
end
if record.batch then
  count_in_batch(record.batch, {[from] = -1})
end
if ended then
  begin_minute(redis.call('HGET', owner, '_minute'), now, owner, stats, minutes)
  count('enqueued')
  for name in pairs(record) do -- at one of its destinations it has gone: look at all again
    if string.sub(name, 1, 8) == 'arrived.' then
      redis.call('HDEL', job, name)
    end
  end
end
count('bytes', int(record.bytes) or 0)
to_ready(id, record)
if ended then
  redis.call('ZREM', done, id)
else
  redis.call('ZREM', dead, id)
end
return {'OK', 'waiting', ''}
