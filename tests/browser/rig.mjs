/*
 * rig: a whole hoist of its own behind nginx, and chromium in front of it.
 *
 *     import * as rig from './rig.mjs';
 *     export const suite = 'dashboard';
 *     export const tests = {
 *       async 'a paused queue says so'({page, system, shot}) {
 *         await page.goto(system.url);
 *         await page.click('text=Pause');
 *         await rig.until('the queue is paused', async () => (await system.get('v1/queues/default')).paused);
 *         await rig.accessible(page);
 *         await shot('paused');
 *       },
 *     };
 *
 * run.mjs starts one system and one browser for all suites; each test has a page of its own in a context of its own (nothing kept,
 * wide, light; page.setViewportSize, page.emulateMedia for others), and fails when its page logs an error that nobody expected:
 * expected.push(/pattern/) before.  Screenshots (shot) and what went wrong are in BUILD/browser/.
 *
 * The system has two workers that beat several times a second, and these queues:
 *     default    into a directory: done at once
 *     slow       (to: slow) a PUT to `sink`, which takes what it is sent, or waits, or refuses, as the test says
 * A test leaves no queue paused, and the sink open: run.mjs opens it again.
 *
 * Waiting is always until(): never a time alone.
 */
import {execFile, spawn} from 'node:child_process';
import {once} from 'node:events';
import * as fs from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import * as path from 'node:path';
import {promisify} from 'node:util';
import {chromium} from 'playwright-core';

const source = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../..');
const build = path.resolve(process.env.HOIST_BUILD || path.join(source, 'build/dev'));
export const artefacts = path.join(build, 'browser');
const DEADLINE_MS = 60000;

/* Until work() returns something that is true, which is returned; what it throws is told only at the deadline. */
export async function until(what, work, deadline_ms = DEADLINE_MS) {
  const end = Date.now() + deadline_ms;
  for (let said = ''; ;) {
    try {
      const value = await work();
      if (value) return value;
    } catch (error) {
      said = `: ${error.message}`;
    }
    if (Date.now() > end) throw new Error(`it does not come to be that ${what}${said}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

export function equal(got, want, what = '') {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  if (a !== b) throw new Error(`${what && `${what}: `}${a} is not ${b}`);
}

export function truly(value, what) {
  if (!value) throw new Error(what);
}

/* --- The store --- */

/*
 * A server for PUT.  `hold()`: bodies are left unread after their first 256 KiB, and nothing is answered, so that the uploads
 * run and run; `open()` lets them end; `refuse(status)` answers so.
 */
export class Sink {
  #held = new Set(); /* what to call to let them go on */
  #holds = false;
  #status = 0;
  objects = new Map(); /* path -> {size, album}: of X-Hoist-Meta-Album */
  page = '<!DOCTYPE html><title>elsewhere</title>'; /* of every GET: a page of another origin, which hoist is told to trust */

  async listen() {
    this.server = http.createServer((request, response) => this.#take(request, response));
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `http://127.0.0.1:${this.server.address().port}`;
  }

  #take(request, response) {
    let size = 0;
    if (request.method === 'GET') return void response.writeHead(200, {'Content-Type': 'text/html'}).end(this.page);
    request.on('error', () => {});
    request.on('data', (bytes) => {
      size += bytes.length;
      if (!this.#holds || size < 256 * 1024) return;
      request.pause();
      this.#held.add(() => request.resume());
    });
    request.on('end', () => {
      const answer = () => this.#answer(request, response, size);
      if (this.#holds) this.#held.add(answer);
      else answer();
    });
  }

  #answer(request, response, size) {
    const known = this.objects.get(request.url);
    if (request.method === 'HEAD') {
      response.writeHead(known ? 200 : 404, known ? {'Content-Length': known.size} : {});
    } else {
      if (!this.#status) this.objects.set(request.url, {size, album: request.headers['x-hoist-meta-album']});
      response.writeHead(this.#status || 201);
    }
    response.end();
  }

  hold() {
    this.#holds = true;
  }

  refuse(status) {
    this.#status = status;
  }

  open() {
    this.#holds = false;
    this.#status = 0;
    const held = [...this.#held];
    this.#held.clear();
    held.forEach((go) => go());
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/* --- The system --- */

const run = promisify(execFile);

/* deploy/up in a directory of its own.  If this process dies the guard takes everything down. */
export class System {
  /* conf: text of an INI file laid over. */
  async up(conf) {
    fs.mkdirSync(artefacts, {recursive: true});
    this.state = fs.mkdtempSync(path.join(artefacts, 'state.'));
    const file = path.join(this.state, 'overlay.ini');
    fs.writeFileSync(file, conf);
    this.env = {...process.env, HOIST_STATE: this.state, HOIST_LISTEN: '127.0.0.1:0', HOIST_WEB: 'nginx', HOIST_WORKERS: '2',
      HOIST_CONF: file, HOIST_BUILD: build};
    this.guard = spawn('/bin/sh', ['-c', 'read line; exec "$0" --purge', `${source}/deploy/down`],
      {env: this.env, stdio: ['pipe', 'ignore', 'ignore'], detached: true});
    await this.again();
    this.url = /HOIST_URL='(.*)'/.exec(fs.readFileSync(path.join(this.state, 'run/env'), 'utf8'))[1] + '/';
  }

  /* What has died is started again. */
  async again() {
    await run(`${source}/deploy/up`, ['--no-sample'], {env: this.env, timeout: 60000});
  }

  /* kill -9 of fcgi, worker-1, worker-2, web or redis. */
  kill(name) {
    process.kill(Number(fs.readFileSync(path.join(this.state, `run/${name}.pid`), 'utf8').split(/\s/)[0]), 'SIGKILL');
  }

  /* JSON of GET below the url. */
  async get(what) {
    const answer = await fetch(this.url + what);
    if (!answer.ok) throw new Error(`${what}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async send(method, what, body, headers = {}) {
    const answer = await fetch(this.url + what, {method, body, headers});
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${what}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  /* PUT some bytes; the job of the 202. */
  async upload(name, bytes = 'hello', query = '') {
    return (await this.send('POST', `v1/uploads?name=${encodeURIComponent(name)}${query && `&${query}`}`, bytes,
      {'Content-Type': 'application/octet-stream'})).jobs[0];
  }

  /* The job, once it is in this state. */
  async job(id, state) {
    return until(`${id} is ${state}`, async () => {
      const job = await this.get(`v1/jobs/${id}`);
      return job.state === state && job;
    });
  }

  /* Paths of all objects of the `file:` destination, and what is in them. */
  objects() {
    const below = path.join(this.state, 'objects');
    return fs.readdirSync(below, {recursive: true, withFileTypes: true}).filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
  }

  logs() {
    return ['fcgi', 'worker-1', 'worker-2', 'web'].map((name) => {
      try {
        return `--- ${name}\n${fs.readFileSync(path.join(this.state, `log/${name}.log`), 'utf8').slice(-4000)}`;
      } catch {
        return '';
      }
    }).join('\n');
  }

  async down() {
    if (!this.guard) return;
    this.guard.stdin.end();
    await once(this.guard, 'exit');
    fs.rmSync(this.state, {recursive: true, force: true});
  }
}

/*
 * Another nginx before the same system, which has it below /hoist/: by what deploy/nginx/hoist.conf says of a prefix, put into the
 * configuration that the system's own has.  {url, close()}.
 */
export async function below_prefix(system) {
  const dir = fs.mkdtempSync(path.join(system.state, 'prefix.')), listens = path.join(dir, 'sock'), file = path.join(dir, 'nginx.conf');
  const change = (text, from, to) => {
    const changed = text.replace(from, () => to);
    if (changed === text) throw new Error(`nginx.conf has no ${from}`);
    return changed;
  };
  let conf = fs.readFileSync(path.join(system.state, 'run/web/nginx.conf'), 'utf8');
  conf = change(conf, /\bpid [^;]*;/, `pid ${dir}/pid;`);
  conf = change(conf, /\blisten 127[^;]*;/, `listen unix:${listens};\nset $hoist_uri $request_uri;\nif ($request_uri ~ "^/hoist(/.*)$") { set $hoist_uri $1; }`);
  conf = change(conf, 'location / {', 'location /hoist/ {');
  conf = change(conf, 'location /v1/uploads {', 'location /hoist/v1/uploads {');
  conf = change(conf, /REQUEST_URI +\$request_uri;/g, 'REQUEST_URI $hoist_uri;');
  fs.writeFileSync(file, conf);
  /* It ends with us, whatever happens to us. */
  const nginx = spawn('/bin/sh', ['-c', 'nginx -e stderr -p "$0" -c "$1" & read line; kill $!; wait', dir, file],
    {env: {...process.env, PATH: `${process.env.PATH}:/usr/sbin`}, stdio: ['pipe', 'ignore', fs.openSync(path.join(dir, 'log'), 'w')], detached: true});
  /* nginx has no port that the kernel chooses. */
  const server = net.createServer((client) => {
    const web = net.connect(listens);
    for (const [one, other] of [[client, web], [web, client]]) one.on('error', () => other.destroy()).on('close', () => other.destroy()).pipe(other);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}/hoist/`;
  const close = async () => {
    server.close();
    nginx.stdin.end();
    await once(nginx, 'exit');
  };
  try {
    await until(`nginx has it below a prefix`, async () => (await fetch(`${url}healthz`)).ok);
  } catch (error) {
    await close();
    throw new Error(`${error.message}\n${fs.readFileSync(path.join(dir, 'log'), 'utf8')}`);
  }
  return {url, close};
}

/* --- The browser --- */

/* Debian's chromium.  As root it has no sandbox; the pages are ours. */
export function launch() {
  const args = ['--disable-gpu', '--disable-dev-shm-usage', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])];
  /* Without UTF-8 it opens no file whose name is not ASCII. */
  const env = {...process.env, LC_ALL: 'C.UTF-8'};
  return chromium.launch({executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args, env});
}

/* Drop files (paths) onto an element as a person does: the browser's own event, which scripts cannot make. */
export async function drop(page, selector, files) {
  const box = await page.locator(selector).boundingBox();
  const at = {x: box.x + box.width / 2, y: box.y + box.height / 2};
  const session = await page.context().newCDPSession(page);
  for (const type of ['dragEnter', 'dragOver', 'drop'])
    await session.send('Input.dispatchDragEvent', {type, ...at, data: {items: [], files, dragOperationsMask: 1}});
  await session.detach();
}

/* What the page sends goes at so many bytes a second, or, with 0, as fast as it can. */
export async function slow(page, bytes_a_second) {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions',
    {offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytes_a_second || -1});
}

const axe = fs.readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

/* axe-core finds nothing.  Its script is put in by the debugger, which no Content-Security-Policy stops. */
export async function accessible(page) {
  const found = await page.evaluate(`(() => { ${axe}\n; return window.axe; })().run(document, {resultTypes: ['violations']})`);
  const said = found.violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html).join(' ')}`);
  if (said.length > 0) throw new Error(said.join('\n'));
}

/* A file of this name (slashes are not possible) and size, for setInputFiles and drop; gone with the system. */
export function file(system, name, bytes) {
  const where = path.join(system.state, 'files');
  fs.mkdirSync(where, {recursive: true});
  fs.writeFileSync(path.join(where, name), typeof bytes === 'number' ? Buffer.alloc(bytes, 'hoist') : bytes);
  return path.join(where, name);
}
