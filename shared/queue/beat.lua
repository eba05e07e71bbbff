-- beat: renew leases and store progress.  KEYS: one job key for each item, after those of the queue.
-- ARGV: lease_ms worker, then id token sent for each item.  Answers OK, LOST or CANCELLED for each, in order.
local until_ms, worker = text(now + int(ARGV[1])), ARGV[2]
local answers = {}

for item = 1, #KEYS - 12 do
  local at = item * 3
  local id, token, sent = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  job = KEYS[12 + item]
  if not owns(id, worker .. ':' .. token) then
    answers[item] = 'LOST'
  else
    local state = redis.pcall('HMGET', job, 'state', 'cancel')
    answers[item] = state[2] == '1' and 'CANCELLED' or 'OK'
    redis.call('ZADD', leased, until_ms, id)
    if state[1] == 'running' then
      redis.call('HSET', job, 'sent', sent, 'lease_until', until_ms)
    end
  end
end
return answers
