-- quota: what the client of an [auth NAME] has: its jobs in flight, its bytes of today.  Stands alone, without lib.lua.
-- KEYS: jobs  ZSET  job id -> ms when it was added, or was last seen not to have ended
--       day   HASH  day (since 1970, UTC), bytes
-- ARGV: max_jobs max_bytes (0: no limit)  jobs bytes  more_bytes (accepted before, while this could not be asked)
--       and up to 100 ids of jobs that are to be added when they fit; with none it is only asked whether they would.
-- Answers {OK, jobs, bytes}, {BYTES, seconds until the next day, bytes} or {JOBS, jobs, first, score, second, ...}: up to
-- 100 of those that were looked at longest ago, for the caller to find out which have ended.
local function int(value)
  return type(value) == 'string' and #value <= 15 and string.find(value, '^%-?%d+$') and tonumber(value) or 0
end

local KEEP_SECONDS = 30 * 86400
local clock = redis.call('TIME')
local seconds = tonumber(clock[1])
local now = seconds * 1000 + math.floor(clock[2] / 1000)
local today = math.floor(seconds / 86400)
local max_jobs, max_bytes, jobs, bytes, more = int(ARGV[1]), int(ARGV[2]), int(ARGV[3]), int(ARGV[4]), int(ARGV[5])
local known = redis.call('HMGET', KEYS[2], 'day', 'bytes')
local used = int(known[1]) == today and int(known[2]) or 0
local count = max_jobs > 0 and redis.call('ZCARD', KEYS[1]) or 0

local function keep()
  redis.call('HSET', KEYS[2], 'day', today, 'bytes', string.format('%d', math.max(used, 0)))
  redis.call('EXPIRE', KEYS[2], 2 * 86400)
end

if more ~= 0 then
  used = used + more
  keep()
end
if max_bytes > 0 and (used >= max_bytes or used + bytes > max_bytes) then
  return {'BYTES', (today + 1) * 86400 - seconds, used}
end
if max_jobs > 0 and count + jobs > max_jobs then
  local answer = redis.call('ZRANGE', KEYS[1], 0, 99, 'WITHSCORES')
  table.insert(answer, 1, count)
  table.insert(answer, 1, 'JOBS')
  return answer
end
if #ARGV > 5 then
  if max_bytes > 0 then
    used = used + bytes
    keep()
  end
  if max_jobs > 0 then
    for i = 6, #ARGV do
      redis.call('ZADD', KEYS[1], string.format('%d', now), ARGV[i])
    end
    redis.call('EXPIRE', KEYS[1], KEEP_SECONDS)
    count = count + jobs
  end
end
return {'OK', count, used}
