-- start: mark leased jobs as begun, before anything of them runs: from here on the end of the lease counts as an attempt.
-- The records are not touched, and no job's key is needed: owner holds "worker:token:ms" from now on.
-- ARGV: worker, then id token for each item.  Answers OK or LOST for each.
local worker = ARGV[1]
local ids, answers, marks, log, n = {}, {}, {}, {}, 0
local token, mine, mark -- most items have the token of the one before

for item = 1, (#ARGV - 1) / 2 do
  ids[item] = ARGV[2 * item]
end
local owners = redis.call('HMGET', owner, unpack(ids))
for item = 1, #ids do
  local id, value = ids[item], owners[item]
  if ARGV[2 * item + 1] ~= token then
    token = ARGV[2 * item + 1]
    mine = worker .. ':' .. token
    mark = mine .. ':' .. text(now)
  end
  if value == mine then
    answers[item] = 'OK'
    marks[n + 1], marks[n + 2] = id, mark
    log[n + 1], log[n + 2] = id, 'running'
    n = n + 2
  elseif began(value, mine) then
    answers[item] = 'OK' -- the reply to the first start was lost
  else
    answers[item] = 'LOST'
  end
end
if n > 0 then
  redis.call('HSET', owner, unpack(marks))
  count('started', n / 2)
  event(unpack(log))
end
return answers
