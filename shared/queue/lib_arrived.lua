-- lib_arrived.lua: where a job of several destinations has arrived: a field arrived.NAME with its address for each.

-- packed: a name and an address, each with a newline behind it, for each; "" and nil for none.
local function note_arrived(packed)
  for name, address in string.gmatch(packed or '', '([^\n]+)\n([^\n]*)\n') do
    redis.call('HSET', job, 'arrived.' .. name, address)
  end
end
