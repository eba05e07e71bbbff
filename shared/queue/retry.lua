-- retry: a dead job runs again, from attempt 0, at its old place (a grouped one in the line of its group).
-- ARGV: id.  Answers OK, CONFLICT (the state it is in; `dead` when another job has its unique key), MISSING, or BAD
-- (impossible record).
local id = ARGV[1]
local record, fault = load(true)

if not record and not fault then
  return {'MISSING', '', ''}
elseif fault then
  return {'BAD', record and record.state or '', fault}
elseif record.state ~= 'dead' then
  return {'CONFLICT', record.state or '', ''}
end
local other = record.unique and holder(record.unique, id)
if other then
  return {'CONFLICT', 'dead', 'its unique key is held by ' .. other}
end
redis.call('PERSIST', job)
redis.call('ZREM', timers, 'children:failed:' .. id)
redis.call('HSET', job, 'sent', 0)
redis.call('HDEL', job, 'ended', 'cancel', 'cancel_keep', 'attempts', 'crashes')
if record.unique then
  lock(id, record)
end
if record.batch then
  count_in_batch(record.batch, {dead = -1})
end
count('bytes', int(record.bytes) or 0)
to_ready(id, record)
redis.call('ZREM', dead, id)
return {'OK', 'waiting', ''}
