-- wrk script: a 4 KiB file as multipart/form-data; each request's bytes differ in a counter, so that no layer can guess.
local boundary = "hoistbench7d93b1f0"
local filler = string.rep("0123456789abcdef", 254)
local n = 0
local bad = 0

function request()
  n = n + 1
  local file = string.format("%032d", n) .. filler
  local body = "--" .. boundary .. "\r\n"
    .. 'Content-Disposition: form-data; name="file"; filename="bench.bin"\r\n'
    .. "Content-Type: application/octet-stream\r\n\r\n" .. file .. "\r\n--" .. boundary .. "--\r\n"
  return wrk.format("POST", wrk.path, {
    ["Content-Type"] = "multipart/form-data; boundary=" .. boundary,
    ["Host"] = "localhost",
  }, body)
end

function done(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d %d\n",
    summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write,
    summary.errors.timeout, latency:percentile(50), latency:percentile(99)))
end
