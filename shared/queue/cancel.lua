-- cancel: a job that nobody has leased is cancelled now; the worker of any other is told by its next beat.
-- ARGV: id keep_ms idle.  With idle = 1 a job that is leased is left alone.
-- Answers OK, RUNNING, CONFLICT (done, cancelled; with idle also running), MISSING, or BAD (leased, and the key holds no
-- hash).
local id, keep_ms = ARGV[1], ARGV[2]
local record, fault = load()

if not record and not fault then
  return {'MISSING', '', ''}
end
local is_leased = redis.call('ZSCORE', leased, id)
if not record then
  if is_leased then
    return {'BAD', '', fault}
  end
  return bury(id, nil, fault, 'record')
elseif is_leased and ARGV[3] == '1' then
  return {'CONFLICT', 'running', ''}
elseif is_leased and not FINAL[record.state] then
  redis.call('HSET', job, 'cancel', 1, 'cancel_keep', keep_ms)
  return {'RUNNING', 'running', ''}
elseif record.state == 'done' or record.state == 'cancelled' then
  return {'CONFLICT', record.state, ''}
end
if ARGV[3] == '1' then
  record.callback, record.hooks = nil, nil -- it goes on in another queue
end
call_off(id, record, int(keep_ms))
return {'OK', 'cancelled', ''}
