-- start: count the attempt of a leased job and give its record.
-- ARGV: id worker:token worker token lease_ms.  Returns {answer, reason, {field, value, ...}}.
local id, lease_ms = ARGV[1], int(ARGV[5])

local function reply(answer, reason, record)
  local flat = {}
  for name, value in pairs(record or {}) do
    flat[#flat + 1] = name
    flat[#flat + 1] = type(value) == 'number' and text(value) or value
  end
  return {answer, reason, flat}
end

if not owns(id, ARGV[2]) then
  return reply('LOST', '')
end
local record, why = load()
if not record and not why then
  drop_lease(id)
  return reply('MISSING', '')
elseif why then
  return reply('BAD', why)
end
local again = record.state == 'running' and record.token == ARGV[4] -- the reply to the first start was lost
if record.state ~= 'waiting' and not again then
  return reply('BAD', 'record: state of a leased job is ' .. string.sub(record.state or 'missing', 1, 32))
end
redis.call('ZADD', leased, text(now + lease_ms), id)
if record.cancel == '1' then
  return reply('CANCELLED', '', record)
elseif again then
  return reply('OK', '', record)
elseif record.attempts >= record.max_attempts then
  return reply('BAD', 'record: attempts are used up before the start')
end
record.attempts = record.attempts + 1
record.state, record.worker, record.token, record.sent = 'running', ARGV[3], ARGV[4], '0'
record.started, record.lease_until = text(now), text(now + lease_ms)
redis.call('HSET', job, 'attempts', text(record.attempts), 'state', 'running', 'worker', ARGV[3],
  'token', ARGV[4], 'sent', 0, 'started', record.started, 'lease_until', record.lease_until)
count('started')
event(id, 'running')
return reply('OK', '', record)
