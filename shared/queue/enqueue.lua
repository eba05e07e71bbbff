-- enqueue: new jobs, each to its line: ready, later (due in the future), behind its parent, or that of its group.
-- Idempotent on the id.  KEYS: one job key for each item, then those of parents.
-- ARGV: two for each item, values one after the other as MessagePack has them (each argument costs more than unpacking it):
--   priority, due, bytes, tie: 0 neither group, parent, unique key nor batch; 1 one of them; 2 a parent too, whose key is the
--   next of theirs
--   the fields of the record, name and value in turn
-- Answers for each {answer, state, reason}: EXISTS, DUPLICATE (state: uuid of the job that has its unique key; this one is
-- cancelled), FULL (nothing was written), BAD; or {OK} alone, since it is what nearly all get.
local items, ids = #ARGV / 2, {}
for item = 1, items do
  ids[item] = string.sub(KEYS[JOBS + item], -36)
end
local first = redis.call('INCRBY', seq, items) - items
local bounds = redis.pcall('HMGET', conf, 'max_length', 'max_bytes')
local most, most_bytes = limit(bounds[1]), limit(bounds[2])
local length = most and redis.call('ZCARD', ready) + redis.call('ZCARD', later) + redis.call('ZCARD', leased) +
  redis.call('ZCARD', grouped) + redis.call('ZCARD', behind)
local held = most_bytes and int(redis.pcall('HGET', stats, 'bytes')) or 0
local answers, scores, log, bytes, added = {}, {}, {}, 0, 0
local OK = {'OK'}
local joined = {} -- batch -> what this call changes in it, all at once: it must not end between two of its jobs

local function fields_of(item)
  local record, flat = {}, {cmsgpack.unpack(ARGV[2 * item])}
  for i = 1, #flat, 2 do
    record[flat[i]] = flat[i + 1]
  end
  return record
end

local function known()
  local state = redis.pcall('HGET', job, 'state')
  if type(state) == 'table' then
    return {'BAD', '', 'record: the key holds no hash'}
  end
  return {'EXISTS', state or '', ''}
end

-- A job whose batch nobody could ask about when it came enters it here only if it is its owner's; else it is in none.
local function check_batch(record)
  if record.batch_unchecked ~= '1' then
    return
  elseif not record.policy and redis.call('HGET', batches, record.batch .. ':owner') == record.owner then
    return
  end
  redis.call('HSET', job, 'batch_refused', record.batch)
  redis.call('HDEL', job, 'batch', 'batch_unchecked', 'batch_callback')
  record.batch = nil
end

local function join(record, cancelled)
  local batch = record.batch
  tell_batch_to(batch, record)
  local changes = joined[batch] or {total = 0, cancelled = 0}
  joined[batch] = {total = changes.total + 1, cancelled = changes.cancelled + cancelled}
end

-- Born cancelled: its unique key is another job's, or its parent has failed.
local function still_born(id, record, why, class)
  redis.call('HSET', job, 'state', 'cancelled', 'ended', text(now), 'error', why, 'error_class', class)
  redis.call('PEXPIRE', job, KEEP_MS)
  redis.call('ZADD', done, text(now), id)
  cap_done()
  if record.batch then
    join(record, 1)
  end
  count('cancelled')
  log[#log + 1], log[#log + 2] = id, 'cancelled'
  tell(id, record, 'cancelled')
end

-- A job with a group, a parent, a unique key or a batch.  Returns its answer, and its state while it lives.
local function tie(id, record, due, parent)
  local other = record.unique and holder(record.unique, id)
  if other then
    still_born(id, record, 'duplicate of ' .. other, 'duplicate')
    return {'DUPLICATE', other, ''}
  end
  local state = parent > 0 and record.after ~= id and redis.pcall('HGET', KEYS[JOBS + items + parent], 'state')
  local failed = state == 'dead' or state == 'cancelled'
  if failed and record.after_failure ~= 'run' then
    still_born(id, record, 'the job it waits for is ' .. state, 'parent')
    return OK
  end
  if record.unique then
    lock(id, record)
  end
  if record.batch then
    join(record, 0)
  end
  if type(state) == 'string' and state ~= 'done' and not failed then
    redis.call('ZADD', behind, 0, record.after .. ':' .. id)
    return OK, 'waiting'
  elseif due > now then
    return OK, 'scheduled'
  end
  place(id, record)
  return OK, 'waiting'
end

-- A job waits no longer than from created to due, however wrong the clock was that said both.
local function in_time(due, record)
  local created = int(record.created) or 0
  return due > created and created > 0 and math.min(due, now + due - created) or due
end

local function add(item, place_no, parent, priority, due, size, ties)
  local id, state = ids[item], 'waiting'
  if due > now then
    due = in_time(due, fields_of(item))
    state = due > now and 'scheduled' or 'waiting'
  end
  if due > 0 then
    redis.call('HSET', job, 'state', state, 'seq', text(place_no), 'due', text(due), cmsgpack.unpack(ARGV[2 * item]))
  else
    redis.call('HSET', job, 'state', state, 'seq', text(place_no), cmsgpack.unpack(ARGV[2 * item]))
  end
  local answer = OK
  if ties > 0 then
    local record = fields_of(item)
    local written = state
    if record.batch then
      check_batch(record)
    end
    record.priority, record.seq = priority, place_no
    answer, state = tie(id, record, due, parent)
    if not state then
      return answer
    elseif state ~= written then
      redis.call('HSET', job, 'state', state)
    end
  elseif state == 'waiting' then
    local k = #scores
    scores[k + 1], scores[k + 2] = text(priority * PLACES + place_no), id
  end
  if state == 'scheduled' then
    redis.call('ZADD', later, text(due), id)
    wake_if_first_later(id)
  end
  bytes = bytes + size
  return answer
end

ids[items + 1] = '_minute'
local owners = redis.call('HMGET', owner, unpack(ids))
-- Mostly none of them is there; then only what this call itself has made can be.
local all_new = redis.call('EXISTS', unpack(KEYS, JOBS + 1, JOBS + items)) == 0
local made, parents = {}, 0
for item = 1, items do
  local priority, due, size, ties = cmsgpack.unpack(ARGV[2 * item - 1])
  local has_parent = ties == 2
  parents = parents + (has_parent and 1 or 0)
  job = KEYS[JOBS + item]
  if (made[job] or not all_new) and redis.call('EXISTS', job) == 1 then
    answers[item] = known()
  elseif owners[item] then
    answers[item] = {'EXISTS', 'running', ''} -- its record was deleted by hand
  elseif most and length + added >= most then
    answers[item] = {'FULL', '', 'the queue holds ' .. text(length + added) .. ' jobs, max_length is ' .. text(most)}
  elseif most_bytes and held + bytes + size > most_bytes then
    answers[item] = {'FULL', '', 'the queue holds ' .. text(held + bytes) .. ' bytes, max_bytes is ' .. text(most_bytes)}
  else
    answers[item] = add(item, first + item, has_parent and parents or 0, priority, due, size, ties)
    added, made[job] = added + 1, true
  end
end
if #scores > 0 then
  redis.call('ZADD', ready, unpack(scores))
  wake_one()
end
for batch, changes in pairs(joined) do
  count_in_batch(batch, changes)
end
if added > 0 then
  begin_minute(owners[items + 1], now, owner, stats, minutes)
  count('enqueued', added)
  count('bytes', bytes)
end
if #log > 0 then
  event(unpack(log)) -- only of those that have ended already: to be born is no change of state
end
return answers
