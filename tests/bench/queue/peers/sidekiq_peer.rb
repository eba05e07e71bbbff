# Sidekiq (OSS) with its defaults.  As a program it is the producer: enqueue MODE N, idle N MS (see common.py); loaded by
# the sidekiq command (-r) it is the job.  A worker is one process, so stamps are kept in memory until BENCH_BATCH of
# them are there: all jobs of a drain, or each one while idle.
require 'digest'
require 'json'
require 'sidekiq'

Sidekiq.configure_server { |c| c.redis = { url: "unix://#{ENV.fetch('BENCH_REDIS')}" } }
Sidekiq.configure_client { |c| c.redis = { url: "unix://#{ENV.fetch('BENCH_REDIS')}" } }
Sidekiq.logger.level = Logger::WARN

STAMPS = File.open(ENV.fetch('BENCH_STAMPS'), 'r+b')
STAMPS.sync = true
BATCH = Integer(ENV.fetch('BENCH_BATCH', '1'))
SEEN = []
LOCK = Mutex.new
CHUNK = 1000

def now_ns
  Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
end

class BenchJob
  include Sidekiq::Worker

  def perform(_record)
    LOCK.synchronize do
      SEEN << now_ns
      STAMPS.syswrite(SEEN.shift(BATCH).pack('q*')) if SEEN.size == BATCH
    end
  end
end

def record(index)
  { 'name' => format('photo-%08d.jpg', index), 'size' => 100_000 + index,
    'sha256' => Digest::SHA256.hexdigest(index.to_s), 'type' => 'image/jpeg', 'to' => 'default' }
end

def idle(count, gap_ms)
  count.times do |i|
    this = record(i)
    began = now_ns
    BenchJob.perform_async(this)
    puts (STAMPS.sysread(8).unpack1('q') - began) / 1e6
    sleep gap_ms / 1000
  end
end

def enqueue(mode, count)
  records = Array.new(count) { |i| record(i) }
  began = now_ns
  if mode == 'bulk'
    records.each_slice(CHUNK) { |some| Sidekiq::Client.push_bulk('class' => BenchJob, 'args' => some.map { |r| [r] }) }
  else
    records.each { |r| BenchJob.perform_async(r) }
  end
  puts (now_ns - began) / 1e9
end

if $PROGRAM_NAME == __FILE__
  case ARGV[0]
  when 'idle' then idle(Integer(ARGV[1]), Float(ARGV[2]))
  when 'enqueue' then enqueue(ARGV[1], Integer(ARGV[2]))
  end
end
