-- lib_claim.lua: leasing jobs, and finding what is due or has expired.  For claim, finish and status.

local OUTBOX_MS = 5000 -- how often somebody is told that something is in outbox

local function is_uuid(id)
  local a, b, c, d = string.match(id, '^(%x+)%-(%x+)%-7(%x+)%-[89ab](%x+)%-%x+$')
  return #id == 36 and a ~= nil and #a == 8 and #b == 4 and #c == 3 and #d == 3 and not string.find(id, '%u')
end

-- The members of a set of times that are due (at most 100), and when the next one will be (nil: none).  Members that
-- are no ids were put there by hand and are taken out.
local function times(set)
  local head = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
  if not head[1] then
    return {}
  elseif tonumber(head[2]) > now then
    return {}, tonumber(head[2])
  end
  local ids = {}
  local found = redis.call('ZRANGEBYSCORE', set, '-inf', text(now), 'LIMIT', 0, MAX_ITEMS)
  for _, id in ipairs(found) do
    if is_uuid(id) then
      ids[#ids + 1] = id
    else
      redis.call('ZREM', set, id)
      redis.call('HDEL', owner, id)
    end
  end
  if #found == MAX_ITEMS then
    return ids, now
  end
  local next = redis.call('ZRANGEBYSCORE', set, '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  return ids, tonumber(next[2])
end

-- Limits of groups may have changed since those that wait were last looked at: from group to group, so many at a time.
local function sweep()
  local last = redis.call('HGET', rate, 'sweep') or ''
  for _ = 1, 25 do
    local from = last == '' and '-' or '(' .. last .. ';'
    local group = string.match(redis.call('ZRANGEBYLEX', grouped, from, '+', 'LIMIT', 0, 1)[1] or '', '^([^:]+):')
    if not group then
      last = ''
      break
    end
    admit(group)
    last = group
  end
  if redis.call('ZCARD', grouped) > 0 then
    redis.call('HSET', rate, 'sweep', last)
    redis.call('ZADD', timers, text(now + SWEEP_MS), 'sweep:')
  else
    redis.call('HDEL', rate, 'sweep')
  end
end

-- What the timers stand for.
local outbox_waits = 0
local at_time = {
  outbox = function() -- and again, until it is empty
    local left = redis.pcall('XLEN', outbox)
    if type(left) == 'number' and left > 0 then
      outbox_waits = 1
      redis.call('ZADD', timers, text(now + OUTBOX_MS), 'outbox:')
    end
  end,
  group = admit,
  children = function(rest)
    local outcome, parent = string.match(rest, '^(%a+):(.*)$')
    release_children(parent or rest, outcome == 'failed')
  end,
  failed = function(child) -- a note for promote, until that has come
    if redis.call('ZSCORE', later, child) then
      redis.call('ZADD', timers, text(now + KEEP_MS), 'failed:' .. child)
    end
  end,
  unique = function(name)
    redis.call('HDEL', unique, name)
  end,
  batch = function(id)
    local value = redis.call('HGET', batches, id) or ''
    local total, finished = tonumber(string.match(value, 'total=(%d+)')) or 0, 0
    for name, number in string.gmatch(value, '(%a+)=(%d+)') do
      if name == 'done' or name == 'dead' or name == 'cancelled' then
        finished = finished + tonumber(number)
      end
    end
    if finished < total then
      redis.call('ZADD', timers, text(now + 7 * KEEP_MS), 'batch:' .. id)
    else
      redis.call('HDEL', batches, id, id .. ':hooks', id .. ':callback', id .. ':owner')
    end
  end,
  sweep = sweep,
  rate = function(name)
    redis.call('HDEL', rate, name)
  end,
  claim = function(worker)
    redis.call('HDEL', claims, worker)
  end,
}

-- Run the timers whose time has come (at most 100); when the next one will.
local function run_timers()
  local head = redis.call('ZRANGE', timers, 0, 0, 'WITHSCORES')
  if not head[1] or tonumber(head[2]) > now then
    return tonumber(head[2])
  end
  local names = redis.call('ZRANGEBYSCORE', timers, '-inf', text(now), 'LIMIT', 0, MAX_ITEMS)
  redis.call('ZREM', timers, unpack(names))
  for _, name in ipairs(names) do
    local kind, rest = string.match(name, '^(%a+):(.*)$')
    if at_time[kind] and not redis.call('ZSCORE', timers, name) then -- or one before it has set it anew
      at_time[kind](rest)
    end
  end
  return tonumber(redis.call('ZRANGE', timers, 0, 0, 'WITHSCORES')[2])
end

local function is_true(value)
  return value == '1' or value == 'yes' or value == 'true'
end

-- How many of want jobs the limits allow now; in how many ms more, where that is a matter of time; the queue's bucket;
-- and whether none would be allowed however many were wanted.
local function allowed(want)
  local asked = redis.pcall('HMGET', conf, 'paused', 'max_inflight', 'rate', 'burst')
  if is_true(asked[1]) then
    return 0, nil, nil, true
  end
  local most, per_second = limit(asked[2]), limit(asked[3])
  local room = most and math.max(math.floor(most) - redis.call('ZCARD', leased), 0) or want
  local full = most and room == 0
  want = math.min(want, room)
  if not per_second then
    return want, nil, nil, full
  end
  local burst = math.max(limit(asked[4]) or per_second, 1)
  local left = tokens('queue', per_second, burst)
  local bucket = {per_second = per_second, burst = burst, left = left}
  if left < 1 then
    return 0, ms_until_token(left, per_second), bucket, true
  end
  return math.min(want, math.floor(left)), ms_until_token(left - math.floor(left), per_second), bucket, full
end

-- One token for all that a call claims: what counts is that no other lease of the same job ever has it.
local function lease(want, lease_ms, worker)
  local ids = redis.call('ZRANGE', ready, 0, want - 1)
  if #ids == 0 then
    return {}
  end
  local token = text(redis.call('INCR', fence))
  local mine, expiry = worker .. ':' .. token, text(now + lease_ms)
  local leases, scores, owners, n = {token}, {}, {'_', OWNER_NOTE}, 0
  for _, id in ipairs(ids) do
    if #id == 36 then
      n = n + 1
      leases[n + 1] = id
      scores[2 * n - 1], scores[2 * n] = expiry, id
      owners[2 * n + 1], owners[2 * n + 2] = id, mine
    end
  end
  if n > 0 then
    redis.call('ZADD', leased, unpack(scores))
    redis.call('HSET', owner, unpack(owners))
  end
  redis.call('ZREMRANGEBYRANK', ready, 0, #ids - 1)
  return n > 0 and leases or {}
end

-- A call whose reply was lost on the wire comes again with the same turn, and is given the same reply: what was said of
-- each item it finished, and the leases that are still its own.
local function recall(worker, turn)
  local last, said, list = string.match(redis.call('HGET', claims, worker) or '', '^(%d+) (%a*) (.*)$')
  if last ~= turn then
    return
  end
  local leases = {}
  for word in string.gmatch(list, '%S+') do
    if #leases == 0 or redis.call('HGET', owner, word) == worker .. ':' .. leases[1] then -- and has not begun
      leases[#leases + 1] = word
    end
  end
  return said, leases
end

-- {answers, {token, id, id, ...}, {due id, ...}, {expired id, ...}, ms until the next time, 1 when ready holds more, 1 when
-- outbox holds something}
local function look(answers, leases, lease_ms, next, held)
  local due, next_due = times(later)
  local expired, next_expiry = times(leased)
  next = math.min(next or math.huge, next_due or math.huge, next_expiry or math.huge)
  local wait = -1
  if #leases > 0 then
    next = math.min(next, now + lease_ms)
  end
  if next < math.huge then
    wait = math.min(math.max(next - now, 0), KEEP_MS)
  end
  local more = 0
  if not held and redis.call('ZCARD', ready) > 0 then
    more = 1
    wake_one()
  end
  return {answers, leases, due, expired, math.ceil(wait), more, outbox_waits}
end

-- The same of a call that had been carried out before.
local function look_again(answers, leases, lease_ms)
  local _, ms, _, held = allowed(1)
  return look(answers, leases, lease_ms, held and ms and now + ms, held)
end

-- said: a letter for each of answers, to be remembered.
local function claim(answers, said, want, lease_ms, worker, turn)
  local next = run_timers()
  local most, ms, bucket, held = allowed(math.min(want, MAX_ITEMS))
  local leases = {}
  if most > 0 then
    leases = lease(most, lease_ms, worker)
  end
  if bucket and #leases > 0 then
    bucket.left = bucket.left - (#leases - 1)
    keep_tokens('queue', bucket.left)
    held = bucket.left < 1
    ms = ms_until_token(bucket.left, bucket.per_second)
  end
  if held and ms then
    next = math.min(next or math.huge, now + ms)
  end
  if turn ~= '0' and (#leases > 0 or said ~= '') then
    redis.call('HSET', claims, worker, turn .. ' ' .. said .. ' ' .. table.concat(leases, ' '))
    redis.call('ZADD', timers, text(now + KEEP_MS), 'claim:' .. worker)
  end
  return look(answers, leases, lease_ms, next, held)
end
