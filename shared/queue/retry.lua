-- retry: a dead job runs again, from attempt 0, at its old place.
-- ARGV: id.  Answers OK, CONFLICT (the state it is in), MISSING, or BAD (impossible record).
local id = ARGV[1]
local record, fault = load(true)

if not record and not fault then
  return {'MISSING', '', ''}
elseif fault then
  return {'BAD', record and record.state or '', fault}
elseif record.state ~= 'dead' then
  return {'CONFLICT', record.state or '', ''}
end
redis.call('PERSIST', job)
redis.call('HSET', job, 'attempts', 0, 'crashes', 0, 'sent', 0)
redis.call('HDEL', job, 'ended', 'cancel', 'cancel_keep')
to_ready(id, record)
redis.call('ZREM', dead, id)
return {'OK', 'waiting', ''}
