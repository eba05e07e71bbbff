-- register.lua: the functions by the names operators type.  Those that only read work with FCALL_RO; of the others all
-- but retry, which starts work anew, also run when Redis is at maxmemory.
local function fsck(keys, args)
  local q = open(keys)
  local cursor, mode = args[1] or '0', args[2] or ''
  if cursor == 'repair' then
    cursor, mode = '0', cursor
  end
  if mode ~= '' and mode ~= 'repair' then
    refuse("usage: FCALL hoist_fsck 1 '{" .. q.name .. "}' [CURSOR|0] [repair]")
  end
  return scripts.fsck(q.keys, {cursor, mode})
end

-- A refusal is answered as it is; Redis would add the script's name and line to an error.
local function register(name, callback, ...)
  redis.register_function({function_name = name, flags = {...}, callback = function(keys, args)
    local ok, reply = pcall(callback, keys, args)
    if not ok and (type(reply) ~= 'table' or not reply.refused) then
      error(reply, 0)
    end
    return ok and reply or {err = reply.refused}
  end})
end

register('hoist_status', status, 'no-writes')
register('hoist_jobs', jobs, 'no-writes')
register('hoist_show', show, 'no-writes')
register('hoist_groups', groups, 'no-writes')
register('hoist_batch', batch, 'no-writes')
register('hoist_workers', workers, 'no-writes')
register('hoist_version', version, 'no-writes')
register('hoist_cancel', cancel, 'allow-oom')
register('hoist_promote', promote, 'allow-oom')
register('hoist_priority', priority, 'allow-oom')
register('hoist_purge', purge, 'allow-oom')
register('hoist_pause', pause, 'allow-oom')
register('hoist_resume', resume, 'allow-oom')
register('hoist_limit', limit, 'allow-oom')
register('hoist_fsck', fsck, 'allow-oom')
register('hoist_retry', retry)
