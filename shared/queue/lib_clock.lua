-- lib_clock.lua: Redis' own time in ms, and who has a job.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- What owner says of a job is "worker:token" once it is claimed, "worker:token:ms" once it has begun.
local function began(value, worker_token)
  local n = #worker_token
  if value and #value > n + 1 and string.sub(value, 1, n + 1) == worker_token .. ':' then
    return string.sub(value, n + 2)
  end
end
