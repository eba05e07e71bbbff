-- status: how long the queue is, in O(log n).  Returns {ready, scheduled, running, dead, done, paused,
-- {counters, as queue_status names them}, {the first id of each priority that has one}, behind a group, behind a parent,
-- what each minute of the last hour began with (queue_minutes.h), and now, ms}.
-- ARGV: the names of further counters, which stand behind those that all want.
local oldest = {}

for priority = 0, 9 do
  local first = redis.call('ZRANGEBYSCORE', ready, text(priority * PLACES), '(' .. text((priority + 1) * PLACES),
    'LIMIT', 0, 1)[1]
  if first then
    oldest[#oldest + 1] = first
  end
end
local counters = redis.pcall('HMGET', stats, 'enqueued', 'done', 'failed', 'retried', 'dead', 'cancelled', 'crashed',
  'started', 'bytes', 'done_bytes', unpack(ARGV))
if counters.err then
  counters = {}
end
local begun = redis.pcall('HGETALL', minutes)
return {
  redis.call('ZCARD', ready), redis.call('ZCARD', later), redis.call('ZCARD', leased), redis.call('ZCARD', dead),
  redis.call('ZCARD', done), is_true(redis.pcall('HGET', conf, 'paused')) and 1 or 0, counters, oldest,
  redis.call('ZCARD', grouped), redis.call('ZCARD', behind), begun.err and {} or begun, text(now)
}
