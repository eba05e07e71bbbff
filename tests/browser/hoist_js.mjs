/* hoist.js, in the example page and alone. */
import * as fs from 'node:fs';
import * as rig from './rig.mjs';

export const suite = 'hoist_js';

const hostile = '"><img src=x onerror="window.hacked=1">';

/* A page that has hoist.js; `window.begin(name, size, options)` uploads in the background, `window.now` is how far it is. */
async function open({page, system}) {
  await page.goto(`${system.url}example/`);
  await page.evaluate(() => {
    window.begin = (name, size, options = {}) => {
      const seen = [], stop = new AbortController();
      window.now = {seen, stop, job: null, error: null};
      const onProgress = (p) => seen.push(p);
      const file = new File([new Uint8Array(size)], name, {type: 'text/plain'});
      hoist.upload(file, {onProgress, signal: stop.signal, ...options}).then(
        (job) => { window.now.job = job; },
        (e) => { window.now.error = {name: e.name, type: e.type, status: e.status, message: e.message, state: e.job && e.job.state}; });
    };
  });
}

const last = (page) => page.evaluate(() => now.seen.at(-1));
const outcome = (page) => rig.until('it has ended', () => page.evaluate(() => (now.job || now.error) && {job: now.job, error: now.error}));
const jobs_named = async (system, name, queue = 'default') =>
  (await system.get(`v1/jobs?queue=${queue}`)).jobs.filter((job) => job.name === name);

export const tests = {
  async 'dropped files are uploaded, each with its bar, and a hostile name is text'({page, system, shot}) {
    const before = system.objects().length;
    await page.goto(`${system.url}example/`);
    await rig.drop(page, 'input', [rig.file(system, 'photo.jpg', 300000), rig.file(system, hostile, 'markup')]);
    const items = page.locator('li');
    await rig.until('both are done', async () => (await items.allTextContents()).filter((text) => /done$/.test(text)).length === 2);
    const texts = await items.allTextContents();
    rig.truly(texts.some((text) => text.startsWith(hostile)), `the name is not shown as it is: ${texts}`);
    rig.equal(await page.locator('img').count(), 0, 'images');
    rig.equal(await page.evaluate(() => window.hacked), undefined, 'hacked');
    rig.equal(await page.locator('progress').evaluateAll((bars) => bars.map((bar) => bar.value)), [1, 1]);
    const made = system.objects();
    rig.equal(made.length, before + 2, 'objects');
    rig.truly(made.some((one) => fs.statSync(one).size === 300000), 'the photo is not there');
    await rig.accessible(page);
    await shot('example');
  },

  async 'progress goes over both ways and never back'({page, system, sink}) {
    const asked = [];
    page.on('request', (request) => /\/v1\/jobs\//.test(request.url()) && asked.push(new URL(request.url()).pathname));
    await open({page, system});
    sink.hold();
    await rig.slow(page, 8e6);
    await page.evaluate(() => begin('both', 8e6, {queue: 'slow', meta: {album: 7}}));
    await rig.until('it is sent in part', async () => ((p) => p.phase === 'sending' && p.loaded > 0 && p.loaded < p.total)(await last(page)));
    await rig.until('it is delivered in part', async () => ((p) => p.sent > 0 && p.sent < p.total)(await last(page)));
    sink.open();
    const {job, error} = await outcome(page);
    rig.equal(error, null);
    rig.equal([job.state, job.size], ['done', 8e6]);
    rig.equal([...sink.objects.values()].at(-1), {size: 8e6, album: '7'});
    const seen = await page.evaluate(() => now.seen);
    for (const p of seen)
      if (p.phase !== 'done') rig.truly(Math.abs(p.fraction - (p.loaded + p.sent) / p.total / 2) < 1e-9, JSON.stringify(p));
    seen.forEach((p, i) => rig.truly(i === 0 || p.fraction >= seen[i - 1].fraction, `back: ${JSON.stringify(seen.slice(i - 1, i + 1))}`));
    rig.equal([...new Set(seen.map((p) => p.phase))].filter((one) => ['sending', 'uploading', 'done'].includes(one)),
      ['sending', 'uploading', 'done']);
    rig.equal(asked, [`/v1/jobs/${job.id}/events`], 'one stream, no question');
    rig.equal([seen.at(-1).fraction, seen.at(-1).sent, seen.at(-1).job.id], [1, 8e6, job.id]);
  },

  async 'where there are no events it asks, and sees the same'({page, system, sink}) {
    let asked = 0;
    await page.addInitScript(() => {
      const real = window.fetch;
      window.fetch = async (url, options) => (/\/events$/.test(url) ? new Response('', {status: 404}) : real(url, options));
    });
    page.on('request', (request) => { asked += /\?wait=/.test(request.url()); });
    await open({page, system});
    sink.hold();
    await page.evaluate(() => begin('asked', 8e6, {queue: 'slow'}));
    await rig.until('it is delivered in part', async () => ((p) => p.sent > 0 && p.sent < p.total)(await last(page)));
    sink.open();
    const {job} = await outcome(page);
    rig.equal(job && job.state, 'done');
    rig.truly(asked > 0, 'nothing was asked with ?wait=');
  },

  async 'stopped while it is sent it leaves nothing'({page, system}) {
    await open({page, system});
    await rig.slow(page, 1e6);
    await page.evaluate(() => begin('stopped', 4e6));
    await rig.until('some of it is sent', async () => (await last(page)).loaded > 500000);
    await page.evaluate(() => now.stop.abort());
    const {error} = await outcome(page);
    rig.equal(error.name, 'AbortError');
    await rig.until('the spool is empty', () => fs.readdirSync(`${system.state}/spool/tmp`).length === 0);
    rig.equal((await jobs_named(system, 'stopped')).length, 0, 'jobs');
  },

  async 'stopped while the worker has it, the job is cancelled'({page, system, sink}) {
    await open({page, system});
    sink.hold();
    await page.evaluate(() => begin('cancelled', 8e6, {queue: 'slow'}));
    const {job} = await rig.until('it runs', async () => ((p) => p.job && p.job.state === 'running' && p)(await last(page)));
    await page.evaluate(() => now.stop.abort());
    const {error} = await outcome(page);
    rig.equal(error.name, 'AbortError');
    await system.job(job.id, 'cancelled');
  },

  async 'a responder that is killed in the middle is tried again, and there is one job'({page, system, sink, expected}) {
    expected.push(/50\d/, /ERR_/, /409/);
    const online = () => page.evaluate(() => dispatchEvent(new Event('online'))); /* ends the pause between two attempts */
    await open({page, system});
    sink.hold();
    await rig.slow(page, 2e6);
    await page.evaluate(() => begin('once', 4e6, {queue: 'slow'}));
    await rig.until('a part is sent', async () => (await last(page)).loaded > 1e6);
    system.kill('fcgi');
    await system.again();
    await rig.slow(page, 0);
    await rig.until('it runs', async () => { await online(); return (await page.evaluate(() => now.error)) || ((p) => p.job && p.job.state === 'running')(await last(page)); });
    system.kill('fcgi');
    await system.again();
    sink.open();
    await rig.until('it has ended', async () => { await online(); return page.evaluate(() => now.job || now.error); });
    const {job, error} = await outcome(page);
    rig.equal(error, null);
    rig.equal([job.state, job.size], ['done', 4e6]);
    rig.truly(await page.evaluate(() => now.seen.some((p) => p.attempt > 0)), 'there was no second attempt');
    rig.equal((await jobs_named(system, 'once', 'slow')).map((one) => one.id), [job.id]);
  },

  async 'an answer that is lost is sent again under the same key, after Retry-After too'({page, system, expected}) {
    expected.push(/503/, /ERR_/);
    const keys = [], times = [];
    await page.route('**/v1/uploads?*', async (route) => {
      times.push(Date.now());
      keys.push(await route.request().headerValue('Idempotency-Key'));
      if (keys.length === 1) return route.fulfill({status: 503, headers: {'Retry-After': '2'}, body: ''});
      if (keys.length > 2) return route.continue();
      await route.fetch(); /* hoist has it, the page does not know */
      return route.abort();
    });
    await open({page, system});
    await page.evaluate(() => begin('lost', 1000));
    const {job} = await outcome(page);
    rig.equal(job && job.state, 'done');
    rig.truly(times[1] - times[0] >= 1900, 'Retry-After was not waited for');
    rig.equal([keys.length, new Set(keys).size], [3, 1], 'requests, keys');
    rig.equal((await jobs_named(system, 'lost')).map((one) => one.id), [job.id]);
  },

  async 'what is refused and what is dead are errors that say why'({page, system, sink, expected}) {
    expected.push(/4(00|22)/);
    await open({page, system});
    await page.evaluate(() => begin('nowhere', 10, {to: 'nowhere'}));
    rig.equal(((e) => [e.name, e.status, e.type])((await outcome(page)).error), ['HoistError', 422, 'unknown-destination']);
    await page.evaluate(() => begin('unknown', 10, {colour: 'red'}));
    rig.equal(((e) => [e.status, e.type])((await outcome(page)).error), [400, 'bad-option']);
    sink.refuse(400);
    await page.evaluate(() => begin('dead', 10, {queue: 'slow'}));
    const {error} = await outcome(page);
    rig.equal([error.type, error.state], ['job-dead', 'dead']);
    rig.truly(/400/.test(error.message), error.message);
  },

  async 'as a module it knows where it is from, shows its token and follows a job'({page, system}) {
    const shown = [];
    page.on('request', async (request) => {
      if (/\/v1\//.test(request.url())) shown.push([request.method(), (await request.allHeaders()).authorization]);
    });
    await page.route('**/empty', (route) => route.fulfill({contentType: 'text/html', body: '<title>empty</title>'}));
    await page.goto(`${system.url}empty`);
    const got = await page.evaluate(async () => {
      const {default: hoist, upload, follow} = await import('/hoist.mjs');
      let asked = 0;
      const token = async () => `token-${++asked}`;
      const first = await upload('some text', {name: 'module.txt', wait: false, token});
      const job = await follow(first.id, {token});
      return {url: hoist.url, first: first.id, id: job.id, state: job.state, name: job.name, size: job.size};
    });
    rig.equal([got.url, got.state, got.name, got.size], [system.url, 'done', 'module.txt', 9]);
    rig.equal(got.id, got.first);
    await rig.until('both requests have shown it', () => shown.length >= 2);
    rig.equal(shown[0], ['POST', 'Bearer token-1']);
    rig.equal(shown[1], ['GET', 'Bearer token-2']);
  },

  async 'the package is of this version and what is served'({system}) {
    const folder = new URL('../../fcgi-app/web/npm/', import.meta.url), read = (name) => fs.readFileSync(new URL(name, folder), 'utf8');
    const described = JSON.parse(read('package.json'));
    const cmake = fs.readFileSync(new URL('../../CMakeLists.txt', import.meta.url), 'utf8');
    rig.equal(described.version, /project\(hoist VERSION ([0-9.]+)/.exec(cmake)[1], 'version');
    rig.equal([...described.files].sort(), fs.readdirSync(folder).filter((name) => /^hoist\./.test(name)).sort(), 'files');
    for (const name of ['hoist.js', 'hoist.mjs']) rig.truly(await (await fetch(system.url + name)).text() === read(name), name);
  },

  async 'a page of another origin that is listed may use it'({page, system, sink, expected}) {
    expected.push(/422/);
    sink.page = `<!DOCTYPE html><title>elsewhere</title><script src="${system.url}hoist.js"></script>`;
    await page.goto(sink.url);
    const got = await page.evaluate(async () => {
      const job = await hoist.upload('some text', {name: 'elsewhere.txt', onProgress: () => {}});
      const error = await hoist.upload('some text', {to: 'nowhere'}).catch((e) => e);
      return [hoist.url, job.state, job.name, error.type];
    });
    rig.equal(got, [system.url, 'done', 'elsewhere.txt', 'unknown-destination']);
  },

  async 'many that run do not keep another one from being followed'({page, system, sink}) {
    await open({page, system});
    sink.hold();
    await page.evaluate(() => {
      window.all = Array.from({length: 8}, () => hoist.upload('x'.repeat(1000), {name: 'many', queue: 'slow', onProgress: () => {}}));
    });
    await rig.until('all of them run', async () =>
      (await system.get('v1/jobs?queue=slow&state=running')).jobs.filter((job) => job.name === 'many').length === 8);
    await page.evaluate(() => begin('other', 1000));
    rig.equal((await outcome(page)).job.state, 'done');
    sink.open();
    const states = await page.evaluate(async () => (await Promise.all(all)).map((job) => job.state));
    rig.equal(states, Array(8).fill('done'));
  },
};
