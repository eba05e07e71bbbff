-- beat: renew leases, and write into the records how far they are: a job that ends before its first beat never says
-- `running` there.  KEYS: one job key for each item.
-- ARGV: worker lease_ms, then for each item id token sent arrived (lib_arrived.lua) phase rate parts parts_done ('' and 0: not
-- known).  Answers OK, LOST or CANCELLED for each, in order.
local worker, until_ms = ARGV[1], text(now + int(ARGV[2]))
local answers = {}

for item = 1, #KEYS - JOBS do
  local at = item * 8 - 5
  local id, token, sent = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  job = KEYS[JOBS + item]
  local mine = worker .. ':' .. token
  local value = redis.call('HGET', owner, id)
  local since = began(value, mine)
  if value ~= mine and not since then
    answers[item] = 'LOST'
  else
    local state = redis.pcall('HMGET', job, 'state', 'cancel')
    answers[item] = state[2] == '1' and 'CANCELLED' or 'OK'
    redis.call('ZADD', leased, until_ms, id)
    if since and (state[1] == 'waiting' or state[1] == 'running') then
      redis.call('HSET', job, 'state', 'running', 'worker', worker, 'started', since, 'sent', sent)
      note_arrived(ARGV[at + 3])
      if ARGV[at + 4] ~= '' then
        redis.call('HSET', job, 'phase', ARGV[at + 4], 'rate', ARGV[at + 5])
      end
      if ARGV[at + 6] ~= '0' then
        redis.call('HSET', job, 'parts', ARGV[at + 6], 'parts_done', ARGV[at + 7])
      end
    end
  end
end
return answers
