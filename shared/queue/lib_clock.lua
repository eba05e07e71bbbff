-- lib_clock.lua: Redis' own time in ms.  For all scripts but enqueue, which asks only for jobs that are delayed.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
