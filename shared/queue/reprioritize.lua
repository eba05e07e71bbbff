-- reprioritize: another priority for a job that has not begun; it takes effect at its next place in line otherwise.
-- ARGV: id priority.  Answers OK, CONFLICT (done, cancelled), MISSING, or BAD (impossible record).
local id, priority = ARGV[1], int(ARGV[2])
local record, fault = load()

if not record and not fault then
  return {'MISSING', '', ''}
elseif fault then
  return {'BAD', record and record.state or '', fault}
elseif record.state == 'done' or record.state == 'cancelled' then
  return {'CONFLICT', record.state, ''}
end
local score = redis.call('ZSCORE', ready, id)
if score then
  redis.call('ZADD', ready, text(priority * PLACES + math.fmod(tonumber(score), PLACES)), id)
elseif record.group then
  local old = grouped_as(record.group, record.priority, record.seq, id)
  local new = grouped_as(record.group, priority, record.seq, id)
  if new ~= old and redis.call('ZSCORE', grouped, old) then
    redis.call('ZADD', grouped, 0, new)
    redis.call('ZREM', grouped, old)
  end
end
redis.call('HSET', job, 'priority', text(priority))
record.priority = priority
if record.unique and string.match(redis.call('HGET', unique, record.unique) or '', '^%S+') == id then
  lock(id, record)
end
return {'OK', record.state or '', ''}
