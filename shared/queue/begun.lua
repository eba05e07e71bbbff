-- begun: a job whose unique key is held only while it waits has begun: the key is free.
-- ARGV: id worker:token.  Answers OK, LOST or MISSING.
local id = ARGV[1]

if not owns(id, ARGV[2]) then
  return {'LOST', '', ''}
end
local record, fault = load()
if not record and not fault then
  return {'MISSING', '', ''}
elseif record and record.unique then
  unlock(id, record, 0)
end
return {'OK', '', ''}
