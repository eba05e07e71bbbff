'use strict';
// BullMQ with its defaults: enqueue MODE N, idle N MS (see common.py), worker CONCURRENCY.  A worker is one process, so
// stamps are kept in memory until BENCH_BATCH of them are there: all jobs of a drain, or each one while idle.

const crypto = require('crypto');
const fs = require('fs');
const { Queue, Worker } = require('bullmq');

const CHUNK = 1000; // of one addBulk
const batch = Number(process.env.BENCH_BATCH || 1);
const stamps = fs.openSync(process.env.BENCH_STAMPS, 'r+');
const connection = { path: process.env.BENCH_REDIS, maxRetriesPerRequest: null };

const now = () => process.hrtime.bigint(); // CLOCK_MONOTONIC, ns
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function record(i) {
  return {
    name: `photo-${String(i).padStart(8, '0')}.jpg`,
    size: 100000 + i,
    sha256: crypto.createHash('sha256').update(String(i)).digest('hex'),
    type: 'image/jpeg',
    to: 'default',
  };
}

function worker(concurrency) {
  const seen = new BigInt64Array(batch);
  let count = 0;
  const job = async () => {
    seen[count++] = now();
    if (count === batch) {
      fs.writeSync(stamps, Buffer.from(seen.buffer));
      count = 0;
    }
  };
  const running = new Worker('bench', job, { connection, concurrency });
  process.once('SIGTERM', () => running.close().then(() => process.exit(0)));
}

async function idle(queue, count, gapMs) {
  const started = Buffer.alloc(8);
  for (let i = 0; i < count; i++) {
    const data = record(i);
    const began = now();
    await queue.add('job', data);
    fs.readSync(stamps, started, 0, 8, null);
    console.log(Number(started.readBigInt64LE() - began) / 1e6);
    await pause(gapMs);
  }
}

async function enqueue(queue, mode, count) {
  const records = Array.from({ length: count }, (_, i) => record(i));
  const began = now();
  if (mode === 'bulk') {
    for (let at = 0; at < count; at += CHUNK) {
      await queue.addBulk(records.slice(at, at + CHUNK).map((data) => ({ name: 'job', data })));
    }
  } else {
    for (const data of records) await queue.add('job', data);
  }
  console.log(Number(now() - began) / 1e9);
}

async function main([command, ...words]) {
  if (command === 'worker') {
    worker(Number(words[0]));
    return;
  }
  const queue = new Queue('bench', { connection });
  await queue.waitUntilReady();
  if (command === 'idle') await idle(queue, Number(words[0]), Number(words[1]));
  else await enqueue(queue, words[0], Number(words[1]));
  await queue.close();
}

main(process.argv.slice(2));
