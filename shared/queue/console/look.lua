-- look.lua: the functions that only read: status, jobs, show, groups, batch, workers.

-- --- hoist_status ---

-- What happened lately, from the last 50 entries of events, at most a minute old.
local function lately(q, lines, now)
  local last = redis.pcall('XREVRANGE', q.events, '+', string.format('%.0f', now - 60000), 'COUNT', 50)
  if last.err or #last == 0 then
    say(lines, 'lately     nothing has happened for a minute')
    return
  end
  local counts = {running = 0, done = 0, dead = 0, cancelled = 0}
  for _, entry in ipairs(last) do
    for i = 2, #entry[2], 2 do
      local state = entry[2][i]
      counts[state] = counts[state] and counts[state] + 1
    end
  end
  local first = tonumber(string.match(last[#last][1], '^%d+'))
  local seconds = #last < 50 and 60 or math.max(now - first, 1) / 1000
  say(lines, 'lately     %.2f started, %.2f done, %.2f dead, %.2f cancelled a second, in %.1f s', counts.running / seconds,
    counts.done / seconds, counts.dead / seconds, counts.cancelled / seconds, seconds)
end

local function conf_line(q)
  local flat, words = redis.pcall('HGETALL', q.conf), {}
  if flat.err then
    return 'conf holds no hash'
  end
  for i = 1, math.min(#flat, 2 * MOST), 2 do
    words[#words + 1] = flat[i] .. ' ' .. flat[i + 1]
  end
  table.sort(words)
  return #words == 0 and 'none' or table.concat(words, ', ')
end

local function oldest_line(q, ids, now)
  local oldest
  for _, id in ipairs(ids) do
    local created = redis.pcall('HGET', job_key(q, id), 'created')
    created = digits(created)
    oldest = created and math.min(oldest or created, created) or oldest
  end
  return oldest and duration(now - oldest) or '-'
end

local function status(keys)
  local q, lines, now = open(keys), {}, now_ms()
  local s = run(q, 'status')
  local n = {}
  for i, name in ipairs({'enqueued', 'done', 'failed', 'retried', 'dead', 'cancelled', 'crashed', 'started', 'bytes'}) do
    n[name] = tonumber(s[7][i] or 0) or 0
  end
  say(lines, 'queue      %s%s', q.name, s[6] == 1 and ', PAUSED' or '')
  say(lines, 'waiting    %d, the oldest %s', s[1], oldest_line(q, s[8], now))
  say(lines, 'grouped    %d, until their group has its turn', s[9])
  say(lines, 'behind     %d, until their parent has ended', s[10])
  say(lines, 'scheduled  %d', s[2])
  say(lines, 'running    %d', s[3])
  say(lines, 'dead       %d', s[4])
  say(lines, 'done       %d kept', s[5])
  say(lines, 'bytes      %s of jobs that have not ended', amount(n.bytes))
  say(lines, 'limits     %s', conf_line(q))
  say(lines, 'totals     %d enqueued, %d started, %d done, %d cancelled, %d dead', n.enqueued, n.started, n.done,
    n.cancelled, n.dead)
  local of = math.max(n.started, 1) / 100
  say(lines, 'attempts   %d failed (%.1f %%), %d tried again, %d crashed (%.1f %%)', n.failed, n.failed / of, n.retried,
    n.crashed, n.crashed / of)
  lately(q, lines, now)
  return lines
end

-- --- hoist_jobs ---

local function cell(record, name)
  local value = record[name]
  return value and value ~= '' and value or '-'
end

local FIELDS = {'state', 'priority', 'created', 'due', 'attempts', 'max_attempts', 'sent', 'bytes', 'name', 'started',
  'ended', 'url', 'key', 'error', 'error_class', 'v'}

local function fields(q, id)
  local values, record = redis.pcall('HMGET', job_key(q, id), unpack(FIELDS)), {}
  if values.err then
    return {error = 'the key holds no hash'}
  end
  for i, name in ipairs(FIELDS) do
    record[name] = values[i] or nil
  end
  return record
end

local function since(record, name, now)
  local ms = digits(record[name])
  return ms and duration(now - ms) or '-'
end

-- One that runs is counted when it ends.
local function tries(record, running)
  return (digits(record.attempts or '0') or 0) + (running and 1 or 0) .. '/' .. cell(record, 'max_attempts')
end

-- A view is a set, its heading, whether the latest come first, and how a line of it looks.
local views = {
  waiting = {set = 'ready', head = '%-36s  %-3s  %-5s  %-6s  %-9s  %s',
    words = {'JOB', 'PRI', 'AGE', 'TRIES', 'SIZE', 'NAME'},
    row = function(_, id, r, now)
      return id, r.priority or '0', since(r, 'created', now), tries(r), amount(r.bytes), cell(r, 'name')
    end},
  scheduled = {set = 'later', head = '%-36s  %-24s  %-7s  %-6s  %s', words = {'JOB', 'DUE', 'IN', 'TRIES', 'LAST ERROR'},
    row = function(_, id, r, now, score)
      return id, rfc3339(score), duration(score - now), tries(r), cell(r, 'error')
    end},
  running = {set = 'leased', head = '%-36s  %-24s  %-7s  %-6s  %-20s  %s',
    words = {'JOB', 'WORKER', 'SINCE', 'TRIES', 'SENT', 'NAME'},
    row = function(q, id, r, now)
      local worker, begun = owner_of(q, id)
      return id, worker or 'nobody', begun and duration(now - begun) or 'claimed', tries(r, begun),
        amount(r.sent or '0') .. ' of ' .. amount(r.bytes), cell(r, 'name')
    end},
  done = {set = 'done', latest = true, head = '%-36s  %-9s  %-24s  %s', words = {'JOB', 'STATE', 'ENDED', 'OBJECT'},
    row = function(_, id, r, _, score)
      return id, r.state or 'forgotten', rfc3339(score), r.state == 'cancelled' and cell(r, 'error') or cell(r, 'url')
    end},
  dead = {set = 'dead', latest = true, head = '%-36s  %-24s  %-6s  %-9s  %s',
    words = {'JOB', 'ENDED', 'TRIES', 'CLASS', 'ERROR'},
    row = function(_, id, r, _, score)
      return id, rfc3339(score), tries(r), cell(r, 'error_class'), cell(r, 'error')
    end},
  grouped = {set = 'grouped', lex = '^([^:]*):.*:([^:]*)$', head = '%-16s  %-36s  %-3s  %-5s  %-9s  %s',
    words = {'GROUP', 'JOB', 'PRI', 'AGE', 'SIZE', 'NAME'},
    row = function(_, id, r, now, group)
      return group, id, r.priority or '0', since(r, 'created', now), amount(r.bytes), cell(r, 'name')
    end},
  behind = {set = 'behind', lex = '^([^:]*):([^:]*)$', head = '%-36s  %-36s  %-5s  %-9s  %s',
    words = {'PARENT', 'JOB', 'AGE', 'SIZE', 'NAME'},
    row = function(_, id, r, now, parent)
      return parent, id, since(r, 'created', now), amount(r.bytes), cell(r, 'name')
    end},
}

-- A page of a set of scores after "score/member": {member, score, member, score, ...}.  What left the set meanwhile
-- makes nothing be skipped.
local function page_of_scores(set, view, cursor, most)
  local from = 0
  if cursor ~= '0' then
    local score, member = string.match(cursor, '^(%d+)/(%S+)$')
    if not score then
      refuse('no such cursor')
    end
    local rank = redis.call('ZSCORE', set, member) == score and
      redis.call(view.latest and 'ZREVRANK' or 'ZRANK', set, member)
    if rank then
      from = rank + 1
    elseif view.latest then
      from = redis.call('ZCOUNT', set, '(' .. score, '+inf')
    else
      from = redis.call('ZCOUNT', set, '-inf', '(' .. score)
    end
  end
  if view.latest then
    return redis.call('ZRANGE', set, from, from + most - 1, 'REV', 'WITHSCORES')
  end
  return redis.call('ZRANGE', set, from, from + most - 1, 'WITHSCORES')
end

local function page_of_texts(set, cursor, most)
  local found = redis.call('ZRANGEBYLEX', set, cursor == '0' and '-' or '(' .. cursor, '+', 'LIMIT', 0, most)
  local page = {}
  for _, member in ipairs(found) do
    page[#page + 1], page[#page + 2] = member, ''
  end
  return page
end

local function jobs(keys, args)
  local q, lines, now = open(keys), {}, now_ms()
  local view, most = views[args[1]], digits(args[3] or '20')
  if not view or not most or most < 1 or most > MOST then
    refuse("usage: FCALL_RO hoist_jobs 1 '{" .. q.name ..
      "}' waiting|scheduled|running|done|dead|grouped|behind [CURSOR|0] [LIMIT 1-100]")
  end
  local set, cursor = q[view.set], args[2] or '0'
  local page = view.lex and page_of_texts(set, cursor, most) or page_of_scores(set, view, cursor, most)
  say(lines, view.head, unpack(view.words))
  local last
  for i = 1, #page, 2 do
    local member, score = page[i], page[i + 1]
    last = view.lex and member or score .. '/' .. member
    local extra, id = tonumber(score), member
    if view.lex then
      extra, id = string.match(member, view.lex)
    end
    say(lines, view.head, view.row(q, id or member, fields(q, id or member), now, extra or '-'))
  end
  say(lines, '%d of %d', #page / 2, redis.call('ZCARD', set))
  if #page == 2 * most then
    say(lines, 'next: %s', last)
  else
    say(lines, 'next: none')
  end
  return lines
end

-- --- hoist_show ---

local TIMES = {created = true, due = true, started = true, ended = true}
local FIRST = {'state', 'name', 'type', 'bytes', 'sha256', 'to', 'key', 'priority', 'seq', 'created', 'due', 'started',
  'ended', 'attempts', 'max_attempts', 'crashes', 'sent', 'worker', 'url', 'etag', 'error_class', 'error'}

local function show_field(lines, name, value, now)
  local ms = TIMES[name] and digits(value)
  if ms and ms > 0 then
    say(lines, '%-13s %s  %s', name, rfc3339(ms), ago(ms, now))
  else
    say(lines, '%-13s %s', name, value)
  end
end

-- Where the job stands, in the words of the sets.
local function show_place(q, lines, id, record, now)
  local rank = redis.call('ZRANK', q.ready, id)
  if rank then
    say(lines, '%-13s %d of %d in ready', 'place', rank + 1, redis.call('ZCARD', q.ready))
  end
  local due, lease = redis.call('ZSCORE', q.later, id), redis.call('ZSCORE', q.leased, id)
  if due then
    say(lines, '%-13s later, %s', 'place', ago(tonumber(due), now))
  end
  if lease then
    local worker, begun = owner_of(q, id)
    say(lines, '%-13s leased, the lease ends %s', 'place', ago(tonumber(lease), now))
    say(lines, '%-13s %s, %s', 'owner', worker or 'nobody', begun and 'began ' .. ago(begun, now) or 'has not begun')
  end
  local priority, seq = digits(record.priority or '0'), digits(record.seq)
  local at = record.group and priority and seq and
    string.format('%s:%d:%015.0f:%s', record.group, priority, seq, id)
  if at and redis.call('ZSCORE', q.grouped, at) then
    say(lines, '%-13s %d of %d in the line of group %s', 'place',
      redis.call('ZLEXCOUNT', q.grouped, '[' .. record.group .. ':', '[' .. at),
      redis.call('ZLEXCOUNT', q.grouped, '[' .. record.group .. ':', '(' .. record.group .. ';'), record.group)
  end
  if record.after and redis.call('ZSCORE', q.behind, record.after .. ':' .. id) then
    say(lines, '%-13s behind %s', 'place', record.after)
  end
  local left = redis.call('PTTL', job_key(q, id))
  if left >= 0 then
    say(lines, '%-13s in %s', 'forgotten', duration(left))
  end
end

local function show(keys, args)
  local q, lines, now = open(keys), {}, now_ms()
  local id = job_id(q, args[1])
  local flat = redis.pcall('HGETALL', job_key(q, id))
  if flat.err then
    refuse('the key of that job holds no hash')
  elseif #flat == 0 then
    refuse('no such job')
  end
  local record, rest, shown = {}, {}, {}
  for i = 1, math.min(#flat, 256), 2 do
    record[flat[i]] = flat[i + 1]
    rest[#rest + 1] = flat[i]
  end
  say(lines, '%-13s %s.%s', 'job', q.name, id)
  for _, name in ipairs(FIRST) do
    shown[name] = true
    if record[name] then
      show_field(lines, name, record[name], now)
    end
  end
  table.sort(rest)
  for _, name in ipairs(rest) do
    if not shown[name] then
      show_field(lines, name, record[name], now)
    end
  end
  show_place(q, lines, id, record, now)
  return lines
end

-- --- hoist_groups, hoist_batch, hoist_workers ---

local function group_limit(q, group)
  local asked = redis.pcall('HMGET', q.conf, 'group_max_inflight:' .. group, 'group_max_inflight')
  return asked[1] or asked[2] or '1'
end

local function groups(keys, args)
  local q, lines, n = open(keys), {}, 0
  local format, after = '%-24s  %-8s  %s', args[1]
  local from = after and after ~= '0' and '[' .. after .. ';' or '-'
  say(lines, format, 'GROUP', 'WAITING', 'SLOTS')
  while n < MOST do
    local first = redis.call('ZRANGEBYLEX', q.grouped, from, '+', 'LIMIT', 0, 1)[1]
    if not first then
      break
    end
    n, after = n + 1, string.match(first, '^[^:]*')
    say(lines, format, after, redis.call('ZLEXCOUNT', q.grouped, '[' .. after .. ':', '(' .. after .. ';'),
      string.format('%d of %s', tonumber(redis.call('ZSCORE', q.groups, after) or 0), group_limit(q, after)))
    from = '[' .. after .. ';'
  end
  if n == MOST then
    say(lines, 'next: %s', after)
    return lines
  end
  -- Those of which none waits: the ones with most slots taken.
  local busy = redis.call('ZRANGE', q.groups, 0, MOST - 1, 'REV', 'WITHSCORES')
  for i = 1, #busy, 2 do
    local group = busy[i]
    if #redis.call('ZRANGEBYLEX', q.grouped, '[' .. group .. ':', '(' .. group .. ';', 'LIMIT', 0, 1) == 0 then
      say(lines, format, group, 0, string.format('%d of %s', tonumber(busy[i + 1]), group_limit(q, group)))
    end
  end
  say(lines, 'next: none')
  return lines
end

local function batch(keys, args)
  local q, lines, n = open(keys), {}, {}
  local id = args[1] or ''
  local value = redis.call('HGET', q.batches, id)
  if not value then
    refuse('no such batch in ' .. q.name)
  end
  for key, number in string.gmatch(value, '(%a+)=(%d+)') do
    n[key] = tonumber(number)
  end
  local ended = (n.done or 0) + (n.dead or 0) + (n.cancelled or 0)
  say(lines, 'batch      %s, %s', id, n.open == 1 and 'open' or ended >= (n.total or 0) and 'ended' or 'closed')
  say(lines, 'jobs       %d', n.total or 0)
  say(lines, 'ended      %d: %d done, %d dead, %d cancelled', ended, n.done or 0, n.dead or 0, n.cancelled or 0)
  say(lines, 'to come    %d', math.max((n.total or 0) - ended, 0))
  return lines
end

local function workers(keys)
  if #keys > 0 then
    refuse('usage: FCALL_RO hoist_workers 0')
  end
  local lines, now = {}, now_ms()
  local format = '%-32s  %-16s  %-8s  %-8s  %s'
  local known = redis.call('ZRANGE', 'hoist:workers', 0, MOST - 1, 'REV', 'WITHSCORES')
  say(lines, format, 'WORKER', 'HOST', 'PID', 'RUNNING', 'SEEN')
  for i = 1, #known, 2 do
    local record = redis.pcall('HMGET', 'hoist:worker:' .. known[i], 'host', 'pid', 'running', 'quiet', 'quiet_since')
    local quiet = record[4] == '1' and (digits(record[5]) or 0) > 0 and ', quiet' or record[4] == '1' and ', told to be quiet'
    say(lines, format, known[i], record[1] or '-', record[2] or '-', record[3] or '-',
      ago(tonumber(known[i + 1]), now) .. (record[1] and quiet or record[1] and '' or ', silent'))
  end
  say(lines, '%d of %d', #known / 2, redis.call('ZCARD', 'hoist:workers'))
  return lines
end

local function version(keys)
  if #keys > 0 then
    refuse('usage: FCALL_RO hoist_version 0')
  end
  local lines = {}
  say(lines, 'hoist %s, library %s, records of version %d, scripts %s', VERSION, LIBRARY, RECORD_VERSION, DIGEST)
  return lines
end
