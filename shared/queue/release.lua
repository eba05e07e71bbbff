-- release: a job given back unfinished, to its old place or (delay_ms > 0) later; no attempt is counted.
-- A job that was asked to stop keeps that mark: the next worker sees it.  A record of a newer version is not judged.
-- ARGV: id worker:token delay_ms, and where it has arrived, if it has (lib_arrived.lua).  Answers OK, LOST, CONFLICT dead (impossible record) or MISSING.
local id, delay_ms = ARGV[1], int(ARGV[3])

if not owns(id, ARGV[2]) then
  return {'LOST', '', ''}
end
local record, fault = load()
if not record and not fault then
  forget(id)
  return {'MISSING', '', ''}
elseif has_ended(record) then
  drop_ended(id)
  return {'MISSING', '', ''}
elseif fault and delay_ms == 0 then
  return bury(id, record, fault, 'record')
end
if not fault then
  note_arrived(ARGV[4])
end
if delay_ms > 0 then
  local due = text(now + delay_ms)
  redis.call('HSET', job, 'state', 'scheduled', 'due', due)
  if not fault then
    drop_run()
  end
  redis.call('ZADD', later, due, id)
  wake_if_first_later(id)
  drop_lease(id)
  event(id, 'scheduled')
  return {'OK', 'scheduled', ''}
end
to_ready(id, record)
drop_lease(id)
return {'OK', 'waiting', ''}
