-- fail: the attempt failed; again later, or dead.
-- ARGV: id worker:token retry_ms (-1: dead) sent error error_class, then what held its converters ("": it has none) and
-- where it has arrived (lib_arrived.lua), if there is any of it.
-- Answers OK, CONFLICT dead, CANCELLED, LOST, or MISSING when the record is gone.
-- A job that is tried again keeps its group's turn: the next of the group must not overtake it.
local id, retry_ms, sent, why, class = ARGV[1], int(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]

local mine, since = owns(id, ARGV[2])
if not mine then
  return {'LOST', '', ''}
end
local record, fault = load()
if not record and not fault then
  forget(id)
  return {'MISSING', '', ''}
elseif has_ended(record) then
  drop_ended(id)
  return {'MISSING', '', ''}
end
count_class('failed', class)
if not fault then
  note_arrived(ARGV[8])
  if (ARGV[7] or '') ~= '' then
    redis.call('HSET', job, 'sandbox', ARGV[7])
  end
end
if since and not fault then
  record.attempts = record.attempts + 1
  redis.call('HSET', job, 'attempts', text(record.attempts), 'started', since,
    'tries', one_more_try(record, ARGV[2], since, now, class, why))
end
if fault then
  return bury(id, record, retry_ms and fault or why, retry_ms and 'record' or class)
elseif record.cancel == '1' then
  call_off(id, record, cancel_keep(record))
  return {'CANCELLED', 'cancelled', ''}
elseif not retry_ms or record.attempts >= record.max_attempts then
  redis.call('HSET', job, 'sent', sent)
  return bury(id, record, why, class)
end
local due = text(now + retry_ms)
redis.call('HSET', job, 'state', 'scheduled', 'due', due, 'sent', sent, 'error', why, 'error_class', class)
drop_run()
redis.call('ZADD', later, due, id)
drop_lease(id)
wake_if_first_later(id)
count('retried')
event(id, 'scheduled')
return {'OK', 'scheduled', ''}
