-- release: a job given back unfinished, to its old place; an attempt that had begun is refunded.
-- A job that was asked to stop keeps that mark: the next start tells.
-- ARGV: id worker:token.  Answers OK, LOST, CONFLICT dead (impossible record) or MISSING.
local id = ARGV[1]

if not owns(id, ARGV[2]) then
  return {'LOST', '', ''}
end
local record, fault = load()
if not record and not fault then
  drop_lease(id)
  return {'MISSING', '', ''}
elseif fault then
  return bury(id, fault, 'record')
end
if record.state == 'running' then
  redis.call('HSET', job, 'attempts', text(math.max(record.attempts - 1, 0)), 'sent', 0)
end
to_ready(id, record)
drop_lease(id)
return {'OK', 'waiting', ''}
