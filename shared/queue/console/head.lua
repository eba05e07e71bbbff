-- head.lua: what every function of the console uses: the keys of a queue, calling its scripts, text for people.
--
-- cmake/functions.cmake puts in front of this: VERSION, LIBRARY, RECORD_VERSION, NAMES (of the keys, in the order of
-- lib.lua) and scripts (the very texts that the workers run, each as a function of KEYS and ARGV).
--
-- A function answers an array of status replies, one for each line: a terminal shows them numbered and without quotes,
-- `--raw` and pipes one line each.  What stands in Redis was perhaps edited by hand, and what is printed goes to a
-- terminal: control characters are shown as '?'.
local MOST = 100 -- items a call
local MOST_CHANGED = 50 -- jobs a call that are retried or cancelled, at about 50 us each

local function refuse(why)
  error({refused = 'ERR hoist: ' .. why})
end

local function printable(value)
  return (string.gsub(string.gsub(value, '%c', '?'), '\194[\128-\159]', '?'))
end

-- Lines are gathered in a list that ends as the reply.
local function say(lines, ...)
  lines[#lines + 1] = redis.status_reply((string.gsub(printable(string.format(...)), ' +$', '')))
end

local function digits(value)
  if type(value) == 'string' and #value <= 15 and string.find(value, '^%d+$') then
    return tonumber(value)
  end
end

local function now_ms()
  local clock = redis.call('TIME')
  return clock[1] * 1000 + math.floor(clock[2] / 1000)
end

-- In a Redis Cluster, while the slot of the queue is on its way to another node, no node has the whole queue.
local function refuse_on_the_move(queue)
  local nodes = redis.pcall('CLUSTER', 'NODES')
  if type(nodes) ~= 'string' then
    return -- no cluster, or nothing that may be asked
  end
  local slot = redis.call('CLUSTER', 'KEYSLOT', queue)
  for line in string.gmatch(nodes, '[^\n]+') do
    if string.find(line, 'myself', 1, true) and string.find(line, '[' .. slot .. '-', 1, true) then
      error({refused = 'TRYAGAIN hoist: the slot of {' .. queue .. '} is being moved to another node'})
    end
  end
end

-- The queue that the only key names, as {media} or media: its keys by name, and as the scripts want them.
local function open(keys)
  local name = #keys == 1 and (string.match(keys[1], '^{([^{}]*)}$') or keys[1])
  if not name or #name > 32 or not string.find(name, '^[a-z0-9][a-z0-9_-]*$') then
    refuse("the one key is the queue, as in: FCALL_RO hoist_status 1 '{media}'")
  end
  refuse_on_the_move(name)
  local q = {name = name, prefix = 'hoist:{' .. name .. '}:', keys = {}}
  for i, key in ipairs(NAMES) do
    q[key] = q.prefix .. key
    q.keys[i] = q[key]
  end
  return q
end

local function job_key(q, id)
  return q.prefix .. 'job:' .. id
end

-- Run a script of the queue about one job (or none), as a worker or the responder would.
local function run(q, name, id, ...)
  local keys = {unpack(q.keys)}
  if id then
    keys[#keys + 1] = job_key(q, id)
  end
  return scripts[name](keys, {...})
end

-- Nothing may be called while the library is loaded: no text is put together outside of a function.
local function is_id(value)
  local a, b, c, d, e = string.match(value, '^(%x+)%-(%x+)%-7(%x+)%-[89ab](%x+)%-(%x+)$')
  return a ~= nil and #a == 8 and #b == 4 and #c == 3 and #d == 3 and #e == 12 and not string.find(value, '%u')
end

-- A job as UUID or QUEUE.UUID.
local function job_id(q, value)
  local queue, id = string.match(value or '', '^([^.]*)%.(.*)$')
  id = id or value or ''
  if queue and queue ~= q.name then
    refuse('that job is of queue ' .. printable(queue) .. ', not of ' .. q.name)
  elseif not is_id(id) then
    refuse('a job is named by its UUID, or QUEUE.UUID')
  end
  return id
end

-- --- Text for people ---

-- Days since 1970 to a date, by the calendar's period of 400 years (146,097 days), years beginning in March.
local function rfc3339(ms)
  local days, rest = math.floor(ms / 86400000), ms % 86400000
  local z = days + 719468
  local era = math.floor(z / 146097)
  local day = z - era * 146097
  local year = math.floor((day - math.floor(day / 1460) + math.floor(day / 36524) - math.floor(day / 146096)) / 365)
  local of_year = day - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local march = math.floor((5 * of_year + 2) / 153)
  local month = march < 10 and march + 3 or march - 9
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year + era * 400 + (month <= 2 and 1 or 0), month,
    of_year - math.floor((153 * march + 2) / 5) + 1, math.floor(rest / 3600000), math.floor(rest / 60000) % 60,
    math.floor(rest / 1000) % 60, rest % 1000)
end

local function duration(ms)
  local seconds = math.floor(math.max(ms, 0) / 1000)
  if seconds < 120 then
    return seconds .. 's'
  elseif seconds < 7200 then
    return math.floor(seconds / 60) .. 'm'
  elseif seconds < 172800 then
    return math.floor(seconds / 3600) .. 'h'
  end
  return math.floor(seconds / 86400) .. 'd'
end

local function ago(ms, now)
  return ms > now and 'in ' .. duration(ms - now) or duration(now - ms) .. ' ago'
end

local function amount(bytes)
  local n = tonumber(bytes)
  if not n then
    return '-'
  end
  for _, unit in ipairs({'B', 'KiB', 'MiB', 'GiB', 'TiB'}) do
    if n < 1024 or unit == 'TiB' then
      return unit == 'B' and string.format('%d B', n) or string.format('%.1f %s', n, unit)
    end
    n = n / 1024
  end
end

-- What owner says of a job: its worker, and since when it runs (nil: claimed, not begun).
local function owner_of(q, id)
  local value = redis.call('HGET', q.owner, id)
  if not value then
    return nil
  end
  local worker, _, since = string.match(value, '^([^:]*):(%d+):?(%d*)$')
  return worker or value, tonumber(since or '')
end
