-- start: mark leased jobs as begun, before anything of them runs: from here on the end of the lease counts as an attempt.
-- The records are not touched, and no job's key is needed: owner holds "worker:token:ms" from now on.
-- ARGV: worker, then id token for each item.  Answers OK or LOST for each.
local worker = ARGV[1]
local ids, answers, marks, log, n = {}, {}, {}, {}, 0

for item = 1, (#ARGV - 1) / 2 do
  ids[item] = ARGV[2 * item]
end
local owners = redis.call('HMGET', owner, unpack(ids))
for item = 1, #ids do
  local id, mine = ids[item], worker .. ':' .. ARGV[2 * item + 1]
  if owners[item] == mine then
    answers[item] = 'OK'
    marks[n + 1], marks[n + 2] = id, mine .. ':' .. now
    log[n + 1], log[n + 2] = id, 'running'
    n = n + 2
  elseif began(owners[item], mine) then
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
