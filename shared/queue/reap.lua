-- reap: take an expired lease back.
-- ARGV: id max_crashes.  Answers OK (waiting again), CONFLICT with dead or cancelled, or MISSING (not leased, not
-- expired, or the record is gone).
local id, max_crashes = ARGV[1], int(ARGV[2])
local expiry = redis.call('ZSCORE', leased, id)

if not expiry or tonumber(expiry) > now then
  return {'MISSING', '', ''}
end
local record, fault = load()
if not record and not fault then
  forget(id)
  return {'MISSING', '', ''}
end
if has_ended(record) then
  drop_ended(id)
  return {'MISSING', '', ''}
elseif not fault and record.state ~= 'running' and record.state ~= 'waiting' then
  fault = 'record: state of a leased job is ' .. string.sub(record.state or 'missing', 1, 32)
end
if fault then
  return bury(id, record, fault, 'record')
end
local value = redis.call('HGET', owner, id) or ''
local since = string.match(value, ':%d+:(%d+)$')
local crashes = record.crashes
if since then
  crashes, record.attempts = crashes + 1, record.attempts + 1
  redis.call('HSET', job, 'crashes', text(crashes), 'attempts', text(record.attempts), 'started', since,
    'tries', one_more_try(record, value, since, now, 'crashed', 'its worker died'))
  count('crashed')
end
if record.cancel == '1' then
  call_off(id, record, cancel_keep(record))
  return {'CONFLICT', 'cancelled', ''}
elseif since and crashes >= max_crashes then
  return bury(id, record, 'its worker died ' .. text(crashes) .. ' times', 'crashed')
elseif since and record.attempts >= record.max_attempts then
  return bury(id, record, 'its worker died in attempt ' .. text(record.attempts) .. ' of ' ..
    text(record.max_attempts), 'crashed')
end
to_ready(id, record)
drop_lease(id)
return {'OK', 'waiting', ''}
