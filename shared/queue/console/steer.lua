-- steer.lua: the functions that change something.  What happens to a job is done by the scripts of the queue.

-- --- One job ---

local function answer(lines, id, reply, words)
  local what, state, why = reply[1], reply[2], reply[3]
  local text = words[what] or what
  if what == 'CONFLICT' then
    text = (words.CONFLICT or 'it is') .. ' ' .. state
  elseif what == 'MISSING' then
    text = 'no such job'
  elseif what == 'BAD' then
    text = 'impossible record'
  end
  say(lines, '%s  %s%s', id, text, why and why ~= '' and ': ' .. why or '')
  return what == 'OK' or what == 'RUNNING'
end

local RETRY = {OK = 'waits again', CONFLICT = 'not retried, it is', done = 'retried'}
local PROMOTE = {OK = 'waits no longer for its time', CONFLICT = 'not promoted, it is', done = 'promoted'}
local CANCEL = {OK = 'cancelled', RUNNING = 'is running: its worker is told with its next beat',
  CONFLICT = 'not cancelled, it is'}

local function cancel(keys, args)
  local q, lines = open(keys), {}
  local id = job_id(q, args[1])
  answer(lines, id, run(q, 'cancel', id, id, KEEP), CANCEL)
  return lines
end

local function priority(keys, args)
  local q, lines = open(keys), {}
  local id = job_id(q, args[1])
  if not string.find(args[2] or '', '^%d$') then
    refuse('a priority is a digit, 0 (first) to 9')
  end
  answer(lines, id, run(q, 'reprioritize', id, id, args[2]),
    {OK = 'priority ' .. args[2], CONFLICT = 'not changed, it is'})
  return lines
end

-- --- Many jobs: at most 50 a call ---

-- Those of a set, the lowest score coming first; those that cannot be changed stay, and the cursor leads past them.
local function change_all(q, set, cursor, words, change)
  local page, lines = page_of_scores(q[set], {}, cursor, MOST_CHANGED), {}
  local changed, last = 0, nil
  for i = 1, #page, 2 do
    local id, left = page[i], {}
    last = page[i + 1] .. '/' .. id
    if not is_id(id) then
      say(lines, '%s  is no id; see hoist_fsck', id)
    elseif answer(left, id, change(id), words) then
      changed = changed + 1
    else
      lines[#lines + 1] = left[1]
    end
  end
  say(lines, '%d %s, %d left in %s', changed, words.done, redis.call('ZCARD', q[set]), set)
  say(lines, 'next: %s', #page == 2 * MOST_CHANGED and last or 'none')
  return lines
end

-- JOB, or all and CURSOR.
local function change(q, args, set, words, how)
  if args[1] == 'all' then
    return change_all(q, set, args[2] or '0', words, how)
  end
  local id, lines = job_id(q, args[1]), {}
  answer(lines, id, how(id), words)
  return lines
end

-- Dead ones, those that died first coming first.
local function retry(keys, args)
  local q = open(keys)
  return change(q, args, 'dead', RETRY, function(id) return run(q, 'retry', id, id) end)
end

-- Those that wait for their time, or for that of their retry, the next ones coming first.
local function promote(keys, args)
  local q = open(keys)
  return change(q, args, 'later', PROMOTE, function(id) return run(q, 'promote', id, id, 'now') end)
end

-- Cancelling, in place of deleting: so the responder learns that the bytes may go.
local function purge(keys, args)
  local q, lines = open(keys), {}
  local view = views[args[1]]
  if not view or args[1] == 'running' or args[1] == 'done' then
    refuse("usage: FCALL hoist_purge 1 '{" .. q.name .. "}' waiting|scheduled|dead|grouped|behind " .. q.name)
  end
  local set = q[view.set]
  if args[2] ~= q.name then
    say(lines, 'would be cancelled, %d a call: %d %s', MOST_CHANGED, redis.call('ZCARD', set), args[1])
    say(lines, "to do it: FCALL hoist_purge 1 '{%s}' %s %s", q.name, args[1], q.name)
    return lines
  end
  local cancelled, page = 0, redis.call('ZRANGE', set, 0, MOST_CHANGED - 1)
  for _, member in ipairs(page) do
    local id, left = view.lex and select(2, string.match(member, view.lex)) or member, {}
    if is_id(id) and answer(left, id, run(q, 'cancel', id, id, KEEP), CANCEL) then
      cancelled = cancelled + 1
    else
      say(lines, '%s  is not cancelled; see hoist_fsck', member)
    end
  end
  say(lines, '%d cancelled, %d left in %s', cancelled, redis.call('ZCARD', set), view.set)
  return lines
end

-- --- The queue ---

local function configure(q, name, value)
  if value then
    redis.call('HSET', q.conf, name, value)
  else
    redis.call('HDEL', q.conf, name)
  end
  redis.call('ZADD', q.wake, 0, '0') -- whoever is idle looks again
end

local function pause(keys)
  local q, lines = open(keys), {}
  configure(q, 'paused', '1')
  say(lines, '%s is paused; what runs goes on to its end: %d', q.name, redis.call('ZCARD', q.leased))
  return lines
end

local function resume(keys)
  local q, lines = open(keys), {}
  configure(q, 'paused', nil)
  say(lines, '%s goes on; waiting: %d', q.name, redis.call('ZCARD', q.ready))
  return lines
end

local LIMITS = {rate = true, burst = true, max_inflight = true, max_length = true, max_bytes = true,
  group_max_inflight = true, group_rate = true, group_burst = true, retry_place = 'tail'}

local function limit(keys, args)
  local q, lines = open(keys), {}
  local name, value = args[1], args[2]
  if not name then
    say(lines, 'limits     %s', conf_line(q))
    return lines
  end
  local kind, group = string.match(name, '^(group_%a[%a_]*):([A-Za-z0-9][A-Za-z0-9._-]*)$')
  local allowed = LIMITS[kind or name]
  if not allowed or group and #group > 64 then
    refuse('a limit is one of rate, burst, max_inflight, max_length, max_bytes, group_max_inflight[:GROUP], ' ..
      'group_rate[:GROUP], group_burst[:GROUP], retry_place')
  elseif value == 'none' then
    configure(q, name, nil)
  elseif allowed == 'tail' and value == 'tail' or allowed == true and value and #value <= 15 and
      string.find(value, '^%d+%.?%d*$') then
    configure(q, name, value)
  else
    refuse(allowed == true and 'a value is a number such as 5 or 0.5, or none' or 'retry_place is tail, or none')
  end
  say(lines, 'limits     %s', conf_line(q))
  return lines
end
