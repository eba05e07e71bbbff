-- promote: a job whose time has come goes from later to ready, at the place of its seq.
-- ARGV: id.  Answers OK, MISSING (not there, or not due yet), or CONFLICT dead (impossible record).
local id = ARGV[1]
local due = redis.call('ZSCORE', later, id)

if not due or tonumber(due) > now then
  return {'MISSING', '', ''}
end
local record, fault = load()
if not record and not fault then
  redis.call('ZREM', later, id)
  return {'MISSING', '', ''}
end
if not fault and record.state ~= 'scheduled' then
  fault = 'record: state of a scheduled job is ' .. string.sub(record.state or 'missing', 1, 32)
end
if fault then
  return bury(id, fault, 'record')
end
to_ready(id, record)
redis.call('ZREM', later, id)
return {'OK', 'waiting', ''}
