-- finish: the job has ended, done or cancelled; and claim the next ones in the same call.
-- ARGV: id worker:token worker lease_ms state sent keep_ms keep_count want url etag ("" for none).
-- Returns what claim returns, with LOST (and nothing claimed) when the lease is another's.
local id, worker, lease_ms, state = ARGV[1], ARGV[3], int(ARGV[4]), ARGV[5]
local sent, keep_ms, keep_count, want = ARGV[6], int(ARGV[7]), int(ARGV[8]), int(ARGV[9])

if not owns(id, ARGV[2]) then
  return claim('LOST', 0, lease_ms, worker)
end
local size = redis.pcall('HLEN', job)
if size == 0 or type(size) == 'table' then
  -- Somebody deleted or replaced the record while the job ran: there is nothing to write its end into.
  if type(size) == 'table' then
    redis.call('DEL', job)
  end
  drop_lease(id)
  count(state)
  event(id, state)
  return claim('OK', want, lease_ms, worker)
end
redis.call('HSET', job, 'sent', sent)
if state == 'done' then
  redis.call('HDEL', job, 'error', 'error_class')
end
if ARGV[10] ~= '' then
  redis.call('HSET', job, 'url', ARGV[10])
end
if ARGV[11] ~= '' then
  redis.call('HSET', job, 'etag', ARGV[11])
end
conclude(id, state, keep_ms, keep_count)
return claim('OK', want, lease_ms, worker)
