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

function done(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d %d\n",
    summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write,
    summary.errors.timeout, latency:percentile(50), latency:percentile(99)))
end
