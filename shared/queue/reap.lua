-- reap: take an expired lease back.
-- ARGV: id max_crashes.  Answers OK (ready again), CONFLICT with dead or cancelled, or MISSING (not leased, not
-- expired, or the record is gone).
local id, max_crashes = ARGV[1], int(ARGV[2])
local expiry = redis.call('ZSCORE', leased, id)

if not expiry or tonumber(expiry) > now then
  return {'MISSING', '', ''}
end
local record, fault = load()
if not record and not fault then
  drop_lease(id)
  return {'MISSING', '', ''}
end
if not fault and record.state ~= 'running' and record.state ~= 'waiting' then
  fault = 'record: state of a leased job is ' .. string.sub(record.state or 'missing', 1, 32)
end
if fault then
  return bury(id, fault, 'record')
end
local crashes = record.crashes
if record.state == 'running' then
  crashes = crashes + 1
  redis.call('HSET', job, 'crashes', text(crashes))
  count('crashed')
end
if record.cancel == '1' then
  conclude(id, 'cancelled', cancel_keep(record))
  return {'CONFLICT', 'cancelled', ''}
elseif record.state == 'running' and crashes >= max_crashes then
  return bury(id, 'its worker died ' .. text(crashes) .. ' times', 'crashed')
elseif record.state == 'running' and record.attempts >= record.max_attempts then
  return bury(id, 'its worker died in attempt ' .. text(record.attempts) .. ' of ' ..
    text(record.max_attempts), 'crashed')
end
to_ready(id, record)
drop_lease(id)
return {'OK', 'waiting', ''}
