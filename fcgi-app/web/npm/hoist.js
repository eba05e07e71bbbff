/*
 * hoist.js: uploads from a web page to hoist, until they are where they belong.  No dependencies.
 *
 *     const job = await hoist.upload(file, {to: 'photos', meta: {album: '7'}, onProgress: p => bar.value = p.fraction});
 *
 *     sending (XMLHttpRequest) --202--> following: GET v1/jobs/{id}/events, else ?wait= --done--> the job
 *           |  again after a failure, with the same Idempotency-Key: one job, however often it was sent
 *
 * Options of upload(file, options); file is a File, Blob, text or bytes:
 *   queue to key name priority delay at group after unique convert batch …
 *                   all that hoist's README says of an upload's options; meta: {NAME: value}
 *   onProgress(p)   p.phase: sending, then those of the job (queued, reading, converting, uploading, finishing), done at last;
 *                   p.loaded of p.total bytes have been received, p.sent of them delivered; p.fraction, 0 to 1, is of both
 *                   ways, half each; p.attempt counts what was sent again, p.job is the job as far as it is known
 *   signal          an AbortSignal: sending stops, a job that is there already is cancelled (unless cancel: false)
 *   token, policy   a text, or a function that returns one or a promise of one, asked before each request
 *   retries         how often a request is sent again (8); pauses double from 0.5 to 30 s, or are as Retry-After says
 *   idempotencyKey  a random one; what is sent with the same one, in another page too, is the same job
 *   wait            false: the promise is kept with the 202, the job has not ended then
 *   stallSeconds    a connection on which nothing happens for so long (60) is given up
 *   url             where hoist is; without it where this script came from, or "/"
 *
 * follow(id, options) is the second half, for a job that is there: after a page was loaded anew, say.
 * What is refused, and a job that ends dead or cancelled, is a HoistError: status (HTTP, 0: the connection failed), type ("too-large",
 * "job-dead" …), detail, job.  An aborted one is signal.reason, an AbortError.
 */
(function (root) {
  'use strict';

  const OWN = ['meta', 'onProgress', 'signal', 'cancel', 'token', 'policy', 'retries', 'idempotencyKey', 'wait', 'stallSeconds', 'url'];
  const AGAIN = [0, 408, 425, 429, 502, 503, 504, 507]; /* and a 409 key-in-flight: the first one is still under way */
  const STREAMS = 3; /* at once, of the six connections that a browser has for a host; other jobs are asked for every second */
  let streams = 0;

  class HoistError extends Error {
    constructor(type, status, detail, job) {
      super(detail || type);
      this.name = 'HoistError';
      Object.assign(this, {type, status, detail: detail || '', job: job || null, retryAfter: 0});
    }
  }

  /* --- What both halves need --- */

  function base(options) {
    const url = new URL(options.url || api.url || '/', root.document ? document.baseURI : root.location.href).href;
    return url.endsWith('/') ? url : url + '/';
  }

  async function credentials(options) {
    const headers = {};
    const get = async (one) => (typeof one === 'function' ? one() : one);
    const token = await get(options.token), policy = await get(options.policy);
    if (token) headers.Authorization = 'Bearer ' + token;
    if (policy) headers['X-Hoist-Policy'] = policy;
    return headers;
  }

  function check(signal) {
    if (signal && signal.aborted) throw signal.reason || new DOMException('aborted', 'AbortError');
  }

  /* The problem (RFC 9457) that an answer is. */
  function problem(status, text, retryAfter) {
    let said = {};
    try { said = JSON.parse(text); } catch (e) { /* of something in between */ }
    const type = String(said.type || '').replace('urn:hoist:problem:', '');
    const error = new HoistError(type || 'http-' + status, status, said.detail || said.title);
    error.retryAfter = Number(retryAfter) || 0;
    return error;
  }

  function pause(ms, signal) {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        root.removeEventListener('online', end);
        if (signal) signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      root.addEventListener('online', end);
      if (signal) signal.addEventListener('abort', end);
    });
  }

  /* Call work(attempt) until it succeeds; once more after what may pass, so often in a row. */
  async function persist(options, failures, work) {
    const retries = options.retries === undefined ? 8 : options.retries;
    for (;;) {
      check(options.signal);
      try {
        return await work(failures.count);
      } catch (error) {
        check(options.signal);
        const may = error instanceof HoistError && (AGAIN.includes(error.status) || error.type === 'key-in-flight');
        if (!may || failures.count >= retries) throw error;
        const longest = Math.min(30000, 500 * 2 ** failures.count++);
        await pause(Math.max(error.retryAfter * 1000, longest * (0.5 + Math.random() / 2)), options.signal);
      }
    }
  }

  /* --- Sending --- */

  function target(options, name) {
    const query = new URLSearchParams();
    for (const [option, value] of Object.entries(Object.assign({name}, options)))
      if (!OWN.includes(option) && value !== undefined && value !== null) query.set(option, value);
    for (const [key, value] of Object.entries(options.meta || {})) query.set('meta.' + key, value);
    return base(options) + 'v1/uploads' + (query.toString() && '?' + query);
  }

  function send(body, headers, options, onSent) {
    return new Promise((resolve, reject) => {
      const xhr = new XMLHttpRequest(), signal = options.signal;
      let timer;
      const fail = (detail) => finish(reject, new HoistError('connection', 0, detail));
      const abort = () => xhr.abort();
      const finish = (settle, what) => {
        clearTimeout(timer);
        if (signal) signal.removeEventListener('abort', abort);
        settle(what);
      };
      const alive = () => {
        clearTimeout(timer);
        timer = setTimeout(abort, 1000 * (options.stallSeconds || 60));
      };
      xhr.open('POST', target(options, body.name));
      for (const name of Object.keys(headers)) xhr.setRequestHeader(name, headers[name]);
      xhr.upload.onprogress = (event) => { alive(); onSent(event.loaded); };
      xhr.onerror = () => fail('the connection failed');
      xhr.onabort = () => fail('nothing moved any more');
      xhr.onload = () => {
        if (xhr.status !== 202)
          return finish(reject, problem(xhr.status, xhr.responseText, xhr.getResponseHeader('Retry-After')));
        try {
          finish(resolve, JSON.parse(xhr.responseText).jobs[0]);
        } catch (e) {
          fail('the answer was cut short');
        }
      };
      if (signal) signal.addEventListener('abort', abort);
      alive();
      xhr.send(body);
    });
  }

  async function upload(file, options = {}) {
    const body = file instanceof Blob ? file : new Blob([file]);
    const key = options.idempotencyKey || random();
    const form = /^\s*multipart\/form-data/i.test(body.type); /* a file, whatever it says: not to be taken apart */
    const type = (!form && body.type) || 'application/octet-stream';
    const progress = tell(options, body.size);
    const job = await persist(options, {count: 0}, async (attempt) => {
      const headers = await credentials(options);
      check(options.signal);
      const sent = (loaded) => progress({phase: 'sending', loaded: Math.min(loaded, body.size), attempt});
      sent(0);
      return send(body, Object.assign(headers, {'Content-Type': type, 'Idempotency-Key': key}), options, sent);
    });
    progress({phase: 'queued', loaded: body.size, job});
    return options.wait === false ? job : follow(job.id, options, progress);
  }

  function random() {
    const bytes = root.crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  /* One object for all that is known, completed by each call. */
  function tell(options, total) {
    const now = {phase: 'sending', loaded: 0, sent: 0, total, fraction: 0, attempt: 0, job: null};
    return (change) => {
      Object.assign(now, change);
      const part = (n) => (now.total > 0 ? Math.min(1, n / now.total) / 2 : 0);
      now.fraction = now.phase === 'done' ? 1 : part(now.loaded) + part(now.sent);
      if (options.onProgress) options.onProgress(Object.assign({}, now));
    };
  }

  /* --- Following --- */

  /* GET something of a job.  A connection that is silent for long, and one whose time is up, fails as a lost one does. */
  async function get(path, options, use) {
    const control = new AbortController(), signal = options.signal, abort = () => control.abort();
    let timer;
    const alive = (more = 0) => {
      clearTimeout(timer);
      timer = setTimeout(abort, 1000 * ((options.stallSeconds || 60) + more));
    };
    if (signal) signal.addEventListener('abort', abort);
    try {
      const headers = await credentials(options);
      check(signal);
      alive(30);
      const answer = await fetch(base(options) + 'v1/jobs/' + encodeURIComponent(path.id) + path.rest,
        {headers, signal: control.signal, credentials: 'omit'});
      return await use(answer, alive);
    } catch (error) {
      check(signal);
      if (error instanceof HoistError) throw error;
      throw new HoistError('connection', 0, 'the connection failed');
    } finally {
      clearTimeout(timer);
      if (signal) signal.removeEventListener('abort', abort);
      control.abort();
    }
  }

  /* The job, now or when it has ended or so many seconds have passed. */
  function ask(id, seconds, options) {
    return get({id, rest: seconds > 0 ? '?wait=' + seconds : ''}, options, async (answer) => {
      const text = await answer.text();
      if (!answer.ok) throw problem(answer.status, text, answer.headers.get('Retry-After'));
      return JSON.parse(text);
    });
  }

  /* The job's events, as long as they come; false: there are none here. */
  function listen(id, options, seen) {
    return get({id, rest: '/events'}, options, async (answer, alive) => {
      if (!answer.ok || !answer.body || !/^text\/event-stream/.test(answer.headers.get('Content-Type'))) return false;
      const reader = answer.body.getReader(), decoder = new TextDecoder();
      let text = '';
      for (;;) {
        alive();
        const {done, value} = await reader.read();
        if (done) return true;
        text = (text + decoder.decode(value, {stream: true})).replace(/\r\n?/g, '\n');
        const events = text.split('\n\n');
        text = events.pop();
        for (const event of events) {
          const data = event.split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5));
          if (data.length > 0) seen(JSON.parse(data.join('\n')));
        }
      }
    });
  }

  const ended = (job) => job && ['done', 'dead', 'cancelled'].includes(job.state);

  async function follow(id, options = {}, progress = tell(options, 0)) {
    const failures = {count: 0};
    let job = null, live = true;
    const seen = (now) => {
      if (!now || !now.state) return;
      job = now;
      failures.count = 0;
      const phase = now.state === 'done' ? 'done' : now.phase || (now.state === 'running' ? 'uploading' : 'queued');
      const total = now.size ? {total: now.size, loaded: now.size} : {};
      progress(Object.assign({phase, sent: now.state === 'done' ? now.size || 0 : now.sent || 0, job: now}, total));
    };
    const step = async () => {
      const began = Date.now(), mine = streams < STREAMS;
      streams += mine;
      try {
        if (mine && live && options.onProgress) live = await listen(id, options, seen);
        if (!ended(job)) seen(await ask(id, !mine ? 0 : options.onProgress ? 1 : 30, options));
      } finally {
        streams -= mine;
      }
      /* Whoever may not wait there, does it here. */
      if (!ended(job)) await pause(began + 1000 - Date.now(), options.signal);
    };
    try {
      while (!ended(job)) await persist(options, failures, step);
    } catch (error) {
      if (options.signal && options.signal.aborted && options.cancel !== false) await cancel(id, options);
      throw error;
    }
    if (job.state === 'done') return job;
    throw new HoistError('job-' + job.state, 200, (job.error && job.error.text) || 'the job is ' + job.state, job);
  }

  /* As well as it can: a policy does not allow it, and what has ended stays. */
  async function cancel(id, options) {
    try {
      await fetch(base(options) + 'v1/jobs/' + encodeURIComponent(id),
        {method: 'DELETE', headers: await credentials(options), credentials: 'omit', keepalive: true});
    } catch (e) { /* nobody waits for it any more */ }
  }

  const script = typeof document === 'object' && document.currentScript && document.currentScript.src;
  const api = {upload, follow, HoistError, url: /\/hoist\.js$/.test(script) ? new URL('.', script).href : ''};
  root.hoist = api;
  if (typeof module === 'object' && module.exports) module.exports = api;
})(typeof globalThis === 'object' ? globalThis : self);
