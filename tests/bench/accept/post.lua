-- wrk script: a file of ACCEPT_BYTES as multipart/form-data; each request's bytes differ in a counter, so that no layer can guess.
local boundary = "hoistbench7d93b1f0"
local size = tonumber(os.getenv("ACCEPT_BYTES"))
local filler = string.rep("0123456789abcdef", size / 16 - 2)
local head = "--" .. boundary .. "\r\n"
  .. 'Content-Disposition: form-data; name="file"; filename="bench.bin"\r\n'
  .. "Content-Type: application/octet-stream\r\n\r\n"
local tail = filler .. "\r\n--" .. boundary .. "--\r\n"
local n = 0

function request()
  n = n + 1
  return wrk.format("POST", wrk.path, {
    ["Content-Type"] = "multipart/form-data; boundary=" .. boundary,
    ["Host"] = "bench",
  }, head .. string.format("%032d", n) .. tail)
end

function done(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d %d\n",
    summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write,
    summary.errors.timeout, latency:percentile(50), latency:percentile(99)))
end
