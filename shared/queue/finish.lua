-- finish: jobs have ended, done or cancelled; and claim the next ones in the same call.
-- KEYS: one job key for each item.  ARGV: worker turn lease_ms want keep_ms keep_count, then for each item
-- id token state attempts bytes more, and with more = 1 also: sent url etag clear sha256 ("" for none; clear: 1 when an
-- error or the wish to cancel stands in the record; sha256: of bytes that were not known before, sent is their number);
-- with more = 2 (3: and webhooks are told of its end) then also: out_bytes out_sha256 sandbox, of what converters made, and where it has arrived (lib_arrived.lua).
-- Answers OK or LOST (the lease is another's: nothing is done) for each, within what claim returns.
local worker, turn, lease_ms, want = ARGV[1], ARGV[2], int(ARGV[3]), int(ARGV[4])
local keep_ms, keep_count = math.max(int(ARGV[5]), 1), int(ARGV[6])
local items = #KEYS - JOBS

local known, again = recall(worker, turn)
if known then
  local answers = {}
  for item = 1, #known do
    answers[item] = string.sub(known, item, item) == 'O' and 'OK' or 'LOST'
  end
  return look_again(answers, again, lease_ms)
end

local MORE = {['1'] = 11, ['2'] = 15, ['3'] = 15}
local places, ids, at = {}, {}, 7
for item = 1, items do
  places[item], ids[item] = at, ARGV[at]
  at = at + (MORE[ARGV[at + 5]] or 6)
end
ids[items + 1] = '_minute'
local owners = redis.call('HMGET', owner, unpack(ids))
local linked = redis.call('HLEN', unique) + redis.call('HLEN', batches) > 0
local answers, said, ended, scores, log, bytes, done_bytes = {}, {}, {}, {}, {}, 0, 0
local counts = {done = 0, cancelled = 0}
local stamp, keep = text(now), text(keep_ms)

-- What the item says more than its state, as fields and values behind n others; how many there are then.
local function add_more(p, fields, n)
  local function add(name, value)
    if value ~= '' then
      fields[n + 1], fields[n + 2] = name, value
      n = n + 2
    end
  end
  add('url', ARGV[p + 7])
  add('etag', ARGV[p + 8])
  if ARGV[p + 10] ~= '' then
    add('bytes', ARGV[p + 6])
    add('sha256', ARGV[p + 10])
  end
  add('sent', ARGV[p + 6])
  if ARGV[p + 5] >= '2' then
    add('out_bytes', ARGV[p + 11])
    add('out_sha256', ARGV[p + 12])
    add('sandbox', ARGV[p + 13])
  end
  return n
end

-- False when there is no record to write the end into: somebody deleted or replaced it while the job ran.
local function write(p, since)
  local fields, n, more = {'state', ARGV[p + 2], 'ended', stamp}, 4, ARGV[p + 5]
  if since then
    fields[5], fields[6], fields[7], fields[8], fields[9], fields[10] =
      'attempts', ARGV[p + 3], 'started', since, 'worker', worker
    n = 10
  end
  if more ~= '' then
    n = add_more(p, fields, n)
  end
  local added = redis.pcall('HSET', job, unpack(fields))
  if type(added) == 'table' or 2 * added == n then
    redis.call('DEL', job)
    return false
  end
  if more ~= '' and ARGV[p + 9] == '1' then
    redis.call('HDEL', job, 'error', 'error_class', 'cancel', 'cancel_keep', 'phase', 'rate', 'parts', 'parts_done')
  end
  if more >= '2' then
    note_arrived(ARGV[p + 14])
  end
  redis.call('PEXPIRE', job, keep)
  return true
end

-- Ended records leave `done` by age and by count, and themselves by their own expiry.
local function trim_done(most)
  local old = redis.call('ZRANGEBYSCORE', done, '-inf', text(now - keep_ms), 'LIMIT', 0, most)
  if #old > 0 then
    redis.call('ZREM', done, unpack(old))
  end
  local extra = redis.call('ZCARD', done) - keep_count
  if extra > 0 then
    redis.call('ZREMRANGEBYRANK', done, 0, math.min(extra, most) - 1)
  end
end

local function untie(id, state)
  local tied = redis.pcall('HMGET', job, 'unique', 'unique_ms', 'batch')
  if tied[1] then
    unlock(id, {unique = tied[1]}, state == 'done' and int(tied[2]) or 0)
  end
  if tied[3] then
    count_in_batch(tied[3], {[state] = 1})
  end
end

local n = 0
local met = {} -- each job counts once
local token, mine -- most items have the token of the one before
for item = 1, items do
  local p, id = places[item], ids[item]
  local state = ARGV[p + 2]
  if ARGV[p + 1] ~= token then
    token = ARGV[p + 1]
    mine = worker .. ':' .. token
  end
  local since = began(owners[item], mine)
  if not since and owners[item] ~= mine or met[id] then
    answers[item], said[item] = 'LOST', 'L'
  else
    answers[item], said[item] = 'OK', 'O'
    job = KEYS[JOBS + item]
    if write(p, since) then
      scores[#scores + 1], scores[#scores + 2] = stamp, id
      if ARGV[p + 5] == '3' then
        post(state, id, unpack(redis.call('HGETALL', job)))
      end
    end
    if linked then
      untie(id, state)
    end
    met[id] = true
    n = n + 1
    ended[n], log[2 * n - 1], log[2 * n] = id, id, state
    counts[state] = counts[state] + 1
    bytes = bytes + int(ARGV[p + 4])
    if state == 'done' then -- those of another source than the spool are only known now
      done_bytes = done_bytes + int(MORE[ARGV[p + 5]] and ARGV[p + 10] ~= '' and ARGV[p + 6] or ARGV[p + 4])
    end
  end
end

if n > 0 then
  if #scores > 0 then
    redis.call('ZADD', done, unpack(scores))
  end
  trim_done(MAX_ITEMS + n)
  begin_minute(owners[items + 1], now, owner, stats, minutes)
  for state, by in pairs(counts) do
    if by > 0 then
      count(state, by)
    end
  end
  count('bytes', -bytes)
  if done_bytes > 0 then
    count('done_bytes', done_bytes)
  end
  event(unpack(log))
  local grouping, parents = redis.call('HLEN', slots) > 0, redis.call('ZCARD', behind) > 0
  for i = 1, (grouping or parents) and n or 0 do
    if grouping then
      free_slot(ended[i])
    end
    if parents then
      release_children(ended[i], log[2 * i] ~= 'done')
    end
  end
  redis.call('ZREM', leased, unpack(ended))
  redis.call('HDEL', owner, unpack(ended))
end
return claim(answers, table.concat(said), want, lease_ms, worker, turn)
