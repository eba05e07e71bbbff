-- enqueue: a new job, to ready or (due in the future) to later.  Idempotent on the id.
-- ARGV: id priority due, then the fields of the record, name and value in turn.  Answers OK or EXISTS.
local id, priority, due = ARGV[1], int(ARGV[2]), int(ARGV[3])

local known = redis.pcall('HGET', job, 'state')
if type(known) == 'table' then
  return {'BAD', '', 'record: the key holds no hash'}
elseif known then
  return {'EXISTS', known, ''}
end
local place = redis.call('INCR', seq)
local delayed = false
if due > 0 then
  local clock = redis.call('TIME')
  delayed = due > clock[1] * 1000 + math.floor(clock[2] / 1000)
end
local state = delayed and 'scheduled' or 'waiting'
if due > 0 then
  redis.call('HSET', job, 'state', state, 'seq', text(place), 'attempts', 0, 'crashes', 0, 'due', text(due),
    unpack(ARGV, 4))
else
  redis.call('HSET', job, 'state', state, 'seq', text(place), 'attempts', 0, 'crashes', 0, unpack(ARGV, 4))
end
-- Where the record was deleted by hand, the id may stand in one of the other sets still.
if delayed then
  redis.call('ZADD', later, text(due), id)
  redis.call('ZREM', ready, id)
  wake_if_first_later(id)
else
  redis.call('ZADD', ready, text(priority * 2 ^ 45 + place), id)
  redis.call('ZREM', later, id)
  wake_one()
end
redis.call('ZREM', dead, id)
count('enqueued')
event(id, state)
return {'OK', '', ''}
