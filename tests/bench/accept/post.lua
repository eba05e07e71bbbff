-- wrk script: a file of ACCEPT_BYTES as multipart/form-data, out of a dozen that differ, made before it counts: making one of a
-- megabyte takes wrk longer than sending it.
local KINDS = 12
local boundary = "hoistbench7d93b1f0"
local size = tonumber(os.getenv("ACCEPT_BYTES"))
local requests = {}
local n = 0

function init(args)
  local filler = string.rep("0123456789abcdef", size / 16 - 2)
  for i = 1, KINDS do
    local body = "--" .. boundary .. "\r\n"
      .. 'Content-Disposition: form-data; name="file"; filename="bench.bin"\r\n'
      .. "Content-Type: application/octet-stream\r\n\r\n" .. string.format("%032d", i) .. filler
      .. "\r\n--" .. boundary .. "--\r\n"
    requests[i] = wrk.format("POST", wrk.path, {
      ["Content-Type"] = "multipart/form-data; boundary=" .. boundary,
      ["Host"] = "localhost",
    }, body)
  end
end

function request()
  n = n % KINDS + 1
  return requests[n]
end

-- ACCEPT_RATE requests a second: each has its time, all connections together; wrk waits whole milliseconds.  Where answers
-- are too slow for that, the rate is what they allow, and what was missed is not made up for.
local rate = tonumber(os.getenv("ACCEPT_RATE")) or 0
if rate > 0 then
  local ffi = require("ffi")
  ffi.cdef("typedef struct { long s, ns; } accept_time; int clock_gettime(int clock, accept_time *ret);")
  local monotonic, read, due = 1, ffi.new("accept_time"), 0

  function delay()
    ffi.C.clock_gettime(monotonic, read)
    local now = tonumber(read.s) * 1000 + tonumber(read.ns) / 1e6
    due = math.max(due + 1000 / rate, now)
    return due - now
  end
end

function done(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d %d\n",
    summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write,
    summary.errors.timeout, latency:percentile(50), latency:percentile(99)))
end
