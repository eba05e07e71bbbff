-- batch: open one, or close it: it ends with the last of its jobs.
-- ARGV: uuid open|close; to open it also its callback and its owner, "" for none.  Answers OK with its numbers as text, or
-- MISSING (to close).
local id = ARGV[1]
local known = redis.call('HGET', batches, id)

local function note(name, value)
  if value and value ~= '' then
    redis.call('HSETNX', batches, id .. name, value)
  end
end

if ARGV[2] == 'open' then
  if not known then
    redis.call('HSET', batches, id, 'open=1 total=0 done=0 dead=0 cancelled=0')
    redis.call('ZADD', timers, text(now + 7 * KEEP_MS), 'batch:' .. id)
  end
  note(':callback', ARGV[3])
  note(':owner', ARGV[4])
elseif not known then
  return {'MISSING', '', ''}
else
  count_in_batch(id, {open = -1})
end
return {'OK', '', redis.call('HGET', batches, id)}
