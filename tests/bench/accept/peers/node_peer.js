'use strict';
// Node: `endpoint SOCKET` stores the file of a form under a fresh name and adds a job to BullMQ, in two processes on one
// socket; `worker` uploads, a hundred jobs at once.

const busboy = require('busboy');
const cluster = require('cluster');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');
const { pipeline } = require('stream/promises');
const { Queue, Worker } = require('bullmq');

const PROCESSES = 2;
const folder = process.env.ACCEPT_DIR;
const connection = { path: process.env.ACCEPT_REDIS, maxRetriesPerRequest: null };

function receive(request) {
  return new Promise((resolve, reject) => {
    const name = crypto.randomUUID();
    let stored = null;
    const form = busboy({ headers: request.headers });
    form.on('file', (_field, file) => {
      stored = pipeline(file, fs.createWriteStream(path.join(folder, name)));
      stored.catch(reject);
    });
    form.on('close', () => (stored ? stored.then(() => resolve(name), reject) : reject(new Error('no file'))));
    form.on('error', reject);
    request.pipe(form);
  });
}

function endpoint(socket) {
  if (cluster.isPrimary) {
    for (let i = 0; i < PROCESSES; i++) cluster.fork();
    return;
  }
  const queue = new Queue('bench', { connection });
  const server = http.createServer(async (request, response) => {
    try {
      const name = await receive(request);
      await queue.add('deliver', { name });
      response.writeHead(202, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ id: name, state: 'accepted' }));
    } catch (error) {
      response.writeHead(500);
      response.end(String(error));
    }
  });
  server.keepAliveTimeout = 0;
  server.listen(socket);
}

function deliver(name) {
  return new Promise((resolve, reject) => {
    const [host, port] = process.env.ACCEPT_STORE.split(':');
    const put = http.request({ host, port, method: 'PUT', path: '/bench/' + name }, (answer) => {
      answer.resume();
      if (answer.statusCode === 200) resolve();
      else reject(new Error(`status ${answer.statusCode}`));
    });
    put.on('error', reject);
    fs.createReadStream(path.join(folder, name)).pipe(put);
  });
}

if (process.argv[2] === 'endpoint') endpoint(process.argv[3]);
else new Worker('bench', (job) => deliver(job.data.name), { connection, concurrency: 100 });
