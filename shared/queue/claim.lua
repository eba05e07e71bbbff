-- claim: lease up to want ready jobs; say what is due, what has expired and when to look again.
-- ARGV: worker turn lease_ms want.
local worker, turn, lease_ms = ARGV[1], ARGV[2], int(ARGV[3])

local said, leases = recall(worker, turn)
if said then
  return look_again({}, leases, lease_ms)
end
return claim({}, '', int(ARGV[4]), lease_ms, worker, turn)
