-- lib_claim.lua: leasing jobs, and finding what is due or has expired.  For claim, finish and status.

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
    end
  end
  if #found == MAX_ITEMS then
    return ids, now
  end
  local next = redis.call('ZRANGEBYSCORE', set, '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  return ids, tonumber(next[2])
end

local function is_paused()
  local paused = redis.pcall('HGET', conf, 'paused')
  return paused == '1' or paused == 'yes' or paused == 'true'
end

local function lease(want, lease_ms, worker)
  local ids = redis.call('ZRANGE', ready, 0, want - 1)
  if #ids == 0 then
    return {}
  end
  local token = redis.call('INCRBY', fence, #ids) - #ids
  local leases, scores, owners = {}, {}, {}
  for _, id in ipairs(ids) do
    if is_uuid(id) then
      local n = #leases
      token = token + 1
      leases[n + 1], leases[n + 2] = id, token
      scores[n + 1], scores[n + 2] = text(now + lease_ms), id
      owners[n + 1], owners[n + 2] = id, worker .. ':' .. text(token)
    end
  end
  if #leases > 0 then
    redis.call('ZADD', leased, unpack(scores))
    redis.call('HSET', owner, unpack(owners))
  end
  redis.call('ZREM', ready, unpack(ids))
  return leases
end

-- {answer, {id, token, ...}, {due id, ...}, {expired id, ...}, ms until the next time, 1 when ready holds more}
local function claim(answer, want, lease_ms, worker)
  local paused = is_paused()
  local due, next_due = times(later)
  local expired, next_expiry = times(leased)
  local leases = {}
  if want > 0 and not paused then
    leases = lease(math.min(want, MAX_ITEMS), lease_ms, worker)
  end
  local next = math.min(next_due or math.huge, next_expiry or math.huge)
  local wait = -1
  if #leases > 0 then
    next = math.min(next, now + lease_ms)
  end
  if next < math.huge then
    wait = math.min(math.max(next - now, 0), KEEP_MS)
  end
  local more = 0
  if not paused and redis.call('ZCARD', ready) > 0 then
    more = 1
    wake_one()
  end
  return {answer, leases, due, expired, math.ceil(wait), more}
end
