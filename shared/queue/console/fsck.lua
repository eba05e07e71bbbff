-- fsck.lua: compares every index with the records and the records with the indexes, and repairs with the parts of the
-- scripts themselves.  cmake/functions.cmake puts all of lib*.lua in front of it.
--
-- ARGV: cursor, "repair" or "".  A pass is a row of phases: first the indexes, then all records, then what is counted.
-- The cursor is phase/place/sum/bytes/moves: where the pass is, the bytes of unfinished jobs it has seen, and what the
-- counters said when it began (bytes can only be compared when the queue stood still meanwhile).
local repairing = ARGV[2] == 'repair'
local lines, found, looked, left = {}, 0, 0, 100
local prefix = string.match(ready, '^(.*:)ready$') .. 'job:'
local SLOTS_MAX = 2000 -- slots that are counted in one call
local sum, bytes_then, moves_then

local function problem(id, what, mended, mend)
  found = found + 1
  say(lines, '%s  %s: %s%s', id, what, repairing and '' or 'to be ', mended)
  if repairing then
    mend()
  end
end

local function moves()
  local all = 0
  for _, name in ipairs({'enqueued', 'started', 'done', 'failed', 'dead', 'cancelled'}) do
    all = all + (int(redis.pcall('HGET', stats, name)) or 0)
  end
  return all
end

local function held_bytes()
  return tonumber(redis.pcall('HGET', stats, 'bytes') or 0) or 0
end

-- 1 when there is a record (or something else) of that id.
local function has_record(id)
  return redis.call('EXISTS', prefix .. id) == 1
end

-- --- Indexes: each entry has a record ---

local function drop_from(set, id)
  redis.call('ZREM', set, id)
  free_slot(id)
end

local function check_in(set, name)
  return function(id)
    if not is_uuid(id) then
      problem(id, name .. ' holds what is no id', 'removed', function() redis.call('ZREM', set, id) end)
    elseif set ~= done and not has_record(id) then -- ids stay in done when records expire; the next finish sweeps them
      problem(id, name .. ' holds a job without a record', 'removed', function() drop_from(set, id) end)
    end
  end
end

local function check_leased(id)
  if not is_uuid(id) then
    problem(id, 'leased holds what is no id', 'removed', function() drop_lease(id) end)
  elseif not has_record(id) then
    problem(id, 'leased holds a job without a record', 'removed', function() forget(id) end)
  elseif redis.call('HEXISTS', owner, id) == 0 then
    job = prefix .. id
    local record, fault = load()
    if not fault and not has_ended(record) then -- else check_record sees to it
      problem(id, 'leased, but nobody owns the lease', 'put back into its line', function()
        to_ready(id, record)
        drop_lease(id)
      end)
    end
  end
end

local function check_grouped(member)
  local group, id = string.match(member, '^([^:]*):%d:%d+:([^:]+)$')
  local record
  if id and has_record(id) then
    job = prefix .. id
    record = load()
  end
  if not id or not record then
    problem(member, 'grouped holds a job without a record', 'removed', function() redis.call('ZREM', grouped, member) end)
  elseif not record.group or not tonumber(record.seq) or member ~= grouped_as(record.group, record.priority, record.seq, id) then
    problem(member, 'grouped: its record names another place', 'removed', function() redis.call('ZREM', grouped, member) end)
  elseif not redis.call('ZSCORE', groups, group) and not redis.call('ZSCORE', timers, 'group:' .. group) then
    problem(group, 'jobs of this group wait and it has all slots free', 'let in', function() admit(group) end)
  end
end

local function check_behind(member)
  local parent, child = string.match(member, '^([^:]*):([^:]*)$')
  if not child or not has_record(child) or redis.pcall('HGET', prefix .. child, 'after') ~= parent then
    problem(member, 'behind holds a job without such a record', 'removed', function() redis.call('ZREM', behind, member) end)
    return
  end
  local state = redis.pcall('HGET', prefix .. parent, 'state')
  if (not state or FINAL[state]) and not redis.call('ZSCORE', timers, 'children:ended:' .. parent) and
      not redis.call('ZSCORE', timers, 'children:failed:' .. parent) then
    problem(child, 'waits for ' .. parent .. ', which has ended', 'let go', function()
      release_children(parent, state == 'dead' or state == 'cancelled')
    end)
  end
end

-- --- Records: each stands where its state says ---

local function places(id, record)
  local at = {leased = redis.call('ZSCORE', leased, id), ready = redis.call('ZSCORE', ready, id),
    later = redis.call('ZSCORE', later, id), dead = redis.call('ZSCORE', dead, id)}
  if record and record.group and tonumber(record.priority or 0) and tonumber(record.seq) then
    at.grouped = redis.call('ZSCORE', grouped, grouped_as(record.group, record.priority or 0, record.seq, id))
  end
  if record and record.after then
    at.behind = redis.call('ZSCORE', behind, record.after .. ':' .. id)
  end
  return at
end

local function leave(id, record, name)
  if name == 'leased' then
    drop_lease(id)
  elseif name == 'grouped' then
    redis.call('ZREM', grouped, grouped_as(record.group, record.priority, record.seq, id))
  elseif name == 'behind' then
    redis.call('ZREM', behind, record.after .. ':' .. id)
  else
    redis.call('ZREM', ({ready = ready, later = later, dead = dead})[name], id)
  end
end

-- Out of all places but one.
local function leave_others(id, record, at, keep)
  for _, name in ipairs({'leased', 'ready', 'later', 'grouped', 'behind', 'dead'}) do
    if at[name] and name ~= keep then
      problem(id, 'is ' .. record.state .. ', kept in ' .. (keep or 'no line') .. ', and in ' .. name, 'removed there',
        function() leave(id, record, name) end)
    end
  end
end

local function check_ended(id, record, at)
  leave_others(id, record, at, record.state == 'dead' and 'dead' or nil)
  if record.state == 'dead' and not at.dead then
    problem(id, 'is dead and not in dead', 'put there', function()
      redis.call('ZADD', dead, text(int(record.ended) or now), id)
    end)
  elseif record.state ~= 'dead' and redis.call('PTTL', job) == -1 then
    problem(id, 'has ended and its record never expires', 'forgotten in a day', function()
      redis.call('PEXPIRE', job, text(KEEP_MS))
    end)
  end
end

-- In no line: the one its record asks for.
local function put_back(id, record)
  local parent = record.after and record.state == 'waiting' and redis.pcall('HGET', prefix .. record.after, 'state')
  if record.state == 'scheduled' then
    redis.call('ZADD', later, text(int(record.due) or now), id)
    wake_one()
  elseif parent and not FINAL[parent] then
    redis.call('ZADD', behind, 0, record.after .. ':' .. id)
  else
    to_ready(id, record)
  end
end

local function set_state(id, state, place_name, record)
  problem(id, 'is ' .. tostring(record.state) .. ' by its record, and in ' .. place_name, 'called ' .. state,
    function() redis.call('HSET', job, 'state', state) end)
end

local function check_kept(id, record, at, keep)
  local turn = redis.call('HEXISTS', slots, id) == 1
  if keep == 'later' then
    if record.state ~= 'scheduled' and not (record.state == 'waiting' and record.after) then
      set_state(id, 'scheduled', keep, record)
    end
  elseif record.state ~= 'waiting' and not (keep == 'leased' and record.state == 'running') then
    set_state(id, 'waiting', keep, record)
  end
  if keep == 'ready' and math.floor(at.ready / PLACES) ~= record.priority then
    problem(id, 'is in ready with another priority than its record says', 'put to that of its record', function()
      redis.call('ZADD', ready, text(record.priority * PLACES + math.fmod(at.ready, PLACES)), id)
    end)
  elseif keep == 'grouped' and turn then
    problem(id, 'waits for the turn of its group and has it', 'put into ready', function()
      leave(id, record, 'grouped')
      place(id, record)
    end)
  end
  if record.group and not turn and (keep == 'ready' or keep == 'leased') then
    problem(id, 'has not the turn of its group', 'given it', function()
      redis.call('HSET', slots, id, record.group)
      redis.call('ZINCRBY', groups, 1, record.group)
    end)
  end
end

local function check_live(id, record, at)
  local owned = at.leased and redis.call('HEXISTS', owner, id) == 1
  local keep = owned and 'leased' or record.state == 'scheduled' and at.later and 'later' or at.ready and 'ready' or
    at.grouped and 'grouped' or at.later and 'later' or at.behind and 'behind' or at.leased and 'leased'
  sum = sum + (int(record.bytes) or 0)
  if keep then
    leave_others(id, record, at, keep)
    check_kept(id, record, at, keep)
  elseif at.dead then
    problem(id, 'is in dead, and ' .. tostring(record.state) .. ' by its record', 'called dead', function()
      redis.call('HSET', job, 'state', 'dead', 'ended', record.ended or text(tonumber(at.dead)))
    end)
  else
    problem(id, 'is ' .. tostring(record.state) .. ' and in no line', 'put into its line', function()
      put_back(id, record)
    end)
  end
end

local function check_record(id)
  job = prefix .. id
  local record, fault = load()
  if not record and not fault then
    return -- expired since
  end
  local at = places(id, record)
  if record and (int(record.v) or 1) > RECORD_VERSION then
    sum = sum + (int(record.bytes) or 0) -- left to a newer hoist
  elseif has_ended(record) then
    check_ended(id, record, at)
  elseif fault and not at.leased and not at.dead then
    problem(id, fault, 'put into dead', function()
      local why = bury(id, record, fault, 'record')
      leave_lines(id, record or {})
      return why
    end)
  elseif not fault then
    check_live(id, record, at)
  end
end

-- --- What is counted, and what is held ---

local function check_slot(id, group)
  if not redis.call('ZSCORE', ready, id) and not redis.call('ZSCORE', leased, id) and not redis.call('ZSCORE', later, id) then
    problem(id, 'has a slot of group ' .. group .. ' and is in no line', 'freed', function() free_slot(id) end)
  end
end

local function check_unique(name)
  if not holder(name, '') then
    problem(name, 'is a unique key held by a job that is gone', 'freed', function()
      redis.call('HDEL', unique, name)
      redis.call('ZREM', timers, 'unique:' .. name)
    end)
  end
end

local function check_owner(id)
  if id ~= '_' and id ~= '_minute' and not redis.call('ZSCORE', leased, id) then
    problem(id, 'has an owner and no lease', 'removed', function() redis.call('HDEL', owner, id) end)
  end
end

-- How many slots each group has taken.
local function check_groups()
  local held = redis.call('HLEN', slots)
  if held > SLOTS_MAX or redis.call('ZCARD', groups) > SLOTS_MAX then
    say(lines, 'groups are not counted again: %d slots, at most %d', held, SLOTS_MAX)
    return
  end
  local counted, said = {}, {}
  for _, group in ipairs(redis.call('HVALS', slots)) do
    counted[group] = (counted[group] or 0) + 1
  end
  local flat = redis.call('ZRANGE', groups, 0, -1, 'WITHSCORES')
  for i = 1, #flat, 2 do
    said[flat[i]] = tonumber(flat[i + 1])
    counted[flat[i]] = counted[flat[i]] or 0
  end
  looked = looked + held
  for group, n in pairs(counted) do
    if n ~= (said[group] or 0) and found < 2 * MAX_ITEMS then
      problem(group, 'has taken ' .. n .. ' slots, groups says ' .. (said[group] or 0), 'corrected', function()
        if n > 0 then
          redis.call('ZADD', groups, n, group)
        else
          redis.call('ZREM', groups, group)
        end
        admit(group)
      end)
    end
  end
end

local function check_bytes()
  local held = held_bytes()
  if held == sum then
    return
  elseif held ~= bytes_then or moves() ~= moves_then then
    say(lines, 'bytes are not compared: the queue has moved since the pass began')
    return
  end
  problem('stats', 'bytes is ' .. text(held) .. ', the jobs have ' .. text(sum), 'corrected', function()
    redis.call('HSET', stats, 'bytes', text(sum))
  end)
end

-- --- The pass ---

local function over_zset(set, check)
  return function(at)
    local reply = redis.call('ZSCAN', set, at, 'COUNT', left)
    for i = 1, #reply[2], 2 do
      check(reply[2][i])
    end
    return reply[1], #reply[2] / 2
  end
end

local function over_hash(hash, check)
  return function(at)
    local reply = redis.call('HSCAN', hash, at, 'COUNT', left)
    for i = 1, #reply[2], 2 do
      check(reply[2][i], reply[2][i + 1])
    end
    return reply[1], #reply[2] / 2
  end
end

-- Other queues and programs have keys too: at most 500 of all are walked over in a call.  A record counts as two, since
-- it is looked for in all sets.
local function over_records(at)
  local n = 0
  for _ = 1, 25 do
    local reply = redis.call('SCAN', at, 'MATCH', prefix .. '*', 'COUNT', 20)
    for _, key in ipairs(reply[2]) do
      check_record(string.sub(key, #prefix + 1))
    end
    at, n = reply[1], n + #reply[2]
    if at == '0' or 2 * n + 20 > left then
      return at, n, 2 * n
    end
  end
  return at, n, left
end

local function once(check)
  return function()
    check()
    return '0', 1
  end
end

local phases = {
  over_zset(ready, check_in(ready, 'ready')), over_zset(later, check_in(later, 'later')),
  over_zset(dead, check_in(dead, 'dead')), over_zset(done, check_in(done, 'done')), over_zset(leased, check_leased),
  over_zset(grouped, check_grouped), over_zset(behind, check_behind), over_records,
  over_hash(slots, check_slot), once(check_groups), over_hash(unique, check_unique), over_hash(owner, check_owner),
  once(check_bytes),
}

local phase, at, s, b, m = string.match(ARGV[1], '^(%d+)/(%d+)/(%d+)/(%-?%d+)/(%d+)$')
if ARGV[1] == '0' then
  phase, at, sum, bytes_then, moves_then = 1, '0', 0, held_bytes(), moves()
elseif not phase or #ARGV[1] > 90 or not phases[tonumber(phase)] then
  refuse('no such cursor')
else
  phase, sum, bytes_then, moves_then = tonumber(phase), tonumber(s), tonumber(b), tonumber(m)
end
while left > 0 and phases[phase] do
  local n, weight
  at, n, weight = phases[phase](at)
  looked, left = looked + n, left - (weight or n)
  if at == '0' then
    phase = phase + 1
  end
end
if repairing and redis.call('ZCARD', ready) > 0 then
  wake_one()
end
say(lines, '%d entries looked at, %d found%s', looked, found, repairing and ' and repaired' or '')
if phases[phase] then
  say(lines, 'next: %d/%s/%.0f/%.0f/%.0f', phase, at, sum, bytes_then, moves_then)
else
  say(lines, 'next: none')
end
return lines
