/* The dashboard: what it shows is what is, what it does is done, and nothing of it is more than text. */
import * as rig from './rig.mjs';

export const suite = 'dashboard';

const hostile = '</script><img src=x onerror="window.hacked=1">';
const link = (page) => page.locator('#link-text').textContent();
const press = (where, name) => where.getByRole('button', {name}).click();
/* The question that an action asks, answered. */
const agree = async (page, name) => press(page.getByRole('dialog'), name);

async function look(page, system, address) {
  await page.goto(`${system.url}#/${address}`);
  await rig.until('it is told', async () => /live|every/.test(await link(page)));
}

/* A job's page, when the page knows the queues, too. */
async function look_at_job(page, system, id) {
  await look(page, system, '');
  for (const queue of ['default', 'slow']) await page.locator('table.queues').getByRole('link', {name: queue, exact: true}).waitFor();
  await page.goto(`${system.url}#/job/${id}`);
}

/* What is picked, done to it after a question that is answered with this choice. */
async function do_picked(page, what, label, choice, action) {
  await press(page.getByRole('region', {name: 'What is picked'}), what);
  await page.getByRole('combobox', {name: label}).selectOption(choice);
  await agree(page, action);
}

/* A job that has died of what the store said. */
async function dead(system, sink, name) {
  sink.refuse(403);
  const {id} = await system.upload(name, 'bytes of it', 'queue=slow');
  const job = await system.job(id, 'dead');
  sink.open();
  return job;
}

async function every(page, system, id, work) {
  await look(page, system, '');
  for (const view of ['', 'jobs?queue=slow&state=dead', `job/${id}`, 'queue/slow', 'workers', 'upload']) {
    await page.goto(`${system.url}#/${view}`);
    await page.locator('main h1').waitFor({state: 'attached'});
    await rig.until('it is there', async () => (await page.locator('main').textContent()).length > 60);
    await work(view);
  }
}

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

export const tests = {
  async 'files that are dropped go their two ways to done, and a hostile name is text'({page, system, sink, shot}) {
    await look(page, system, '');
    sink.hold();
    await page.goto(`${system.url}#/upload`);
    await page.getByText('Options of the next files').click();
    await page.getByLabel('Queue').selectOption('slow');
    await rig.drop(page, 'h1', [rig.file(system, 'drop-a.bin', 3000000), rig.file(system, hostile.replaceAll('/', '\u2215'), 3000000)]);
    const rows = page.locator('.transfer');
    await rig.until('both are uploading', async () => (await rows.getByText('running').count()) === 2);
    await rig.until('the second way has begun', async () => (await rows.first().locator('.legs').getAttribute('aria-valuenow')) > 50);
    await shot('dashboard-uploading');
    sink.open();
    await rig.until('both are done', async () => (await page.locator('.legs[data-state=done][aria-valuenow="100"]').count()) === 2);
    rig.truly((await rows.allTextContents()).some((text) => text.includes('<img src=x onerror="window.hacked=1">')), 'the name is not shown as it is');
    rig.equal([await page.locator('img').count(), await page.evaluate(() => window.hacked)], [0, undefined]);
    await page.goto(`${system.url}#/jobs?queue=slow`);
    await page.getByRole('link', {name: '<img src=x'}).click();
    await page.getByRole('heading', {level: 1, name: '<img src=x'}).waitFor();
    rig.equal([await page.locator('img').count(), await page.evaluate(() => window.hacked)], [0, undefined]);
    await shot('dashboard-hostile');
  },

  async 'a dead job tells why, and is run again'({page, system, sink, shot}) {
    const job = await dead(system, sink, 'dead-one.txt');
    await look(page, system, 'jobs?queue=slow&state=dead');
    await page.getByRole('link', {name: 'dead-one.txt'}).click();
    await page.getByRole('heading', {name: 'Why it is dead'}).waitFor();
    rig.truly((await page.locator('.trouble').textContent()).includes('403'), 'the reason is not told');
    await shot('dashboard-dead');
    await press(page, 'Retry');
    rig.equal((await system.get(`v1/jobs/${job.id}`)).state, 'dead', 'before it was confirmed');
    await agree(page, 'Run again');
    await system.job(job.id, 'done');
    await page.locator('.head .badge[data-state=done]').waitFor();
  },

  async 'all dead jobs of a queue are run again'({page, system, sink}) {
    const ids = [];
    for (const name of ['dead-a', 'dead-b', 'dead-c']) ids.push((await dead(system, sink, name)).id);
    const {dead: all} = await system.get('v1/queues/slow'); /* those of other tests, too */
    await look(page, system, 'queue/slow');
    await press(page, 'Retry all dead');
    await agree(page, 'Run them again');
    await page.getByText(`${all} jobs of slow wait again`).waitFor();
    for (const id of ids) await system.job(id, 'done');
  },

  async 'a scheduled job is run now, by keyboard, and so are all of a queue'({page, system}) {
    const later = async (name) => (await system.job((await system.upload(name, 'bytes', 'queue=slow&delay=3600')).id, 'scheduled')).id;
    const id = await later('later-one.txt');
    await look(page, system, `job/${id}`);
    await page.getByRole('button', {name: 'Run now'}).focus();
    await page.keyboard.press('Enter');
    const go = page.getByRole('dialog').getByRole('button', {name: 'Run now'});
    await go.waitFor();
    rig.equal((await system.get(`v1/jobs/${id}`)).state, 'scheduled', 'before it was confirmed');
    await go.focus();
    await page.keyboard.press('Enter');
    await system.job(id, 'done');
    await page.locator('.head .badge[data-state=done]').waitFor();
    const ids = [await later('later-a'), await later('later-b'), await later('later-c')];
    await look(page, system, 'jobs?queue=slow&state=scheduled');
    await page.getByRole('checkbox', {name: 'Pick later-a'}).check();
    await press(page.getByRole('region', {name: 'What is picked'}), 'Run now');
    await agree(page, 'Run now');
    await system.job(ids[0], 'done');
    await look(page, system, 'queue/slow');
    await press(page, 'Run all scheduled now');
    await agree(page, 'Run them now');
    await page.getByText('2 scheduled jobs of slow run now').waitFor();
    await system.job(ids[1], 'done');
    await system.job(ids[2], 'done');
  },

  async 'those that are picked are cancelled together, and no others'({page, system, sink}) {
    const ids = [];
    for (const name of ['pick-a', 'pick-b', 'pick-c']) ids.push((await dead(system, sink, name)).id);
    await look(page, system, 'jobs?queue=slow&state=dead');
    await page.getByRole('checkbox', {name: 'Pick pick-a'}).check();
    await page.getByRole('checkbox', {name: 'Pick pick-c'}).check();
    await press(page.getByRole('region', {name: 'What is picked'}), 'Cancel');
    await agree(page, 'Cancel the jobs');
    await system.job(ids[0], 'cancelled');
    await system.job(ids[2], 'cancelled');
    rig.equal((await system.get(`v1/jobs/${ids[1]}`)).state, 'dead');
    await rig.until('they have left the page', async () => (await page.getByText('pick-a').count()) === 0);
    rig.equal(await page.getByRole('link', {name: 'pick-b'}).count(), 1);
    await system.send('DELETE', `v1/jobs/${ids[1]}`);
  },

  async 'a dead job is moved to another queue, and its page goes along'({page, system, sink}) {
    const {id} = await dead(system, sink, 'moved.txt');
    await look_at_job(page, system, id);
    await press(page, 'Move');
    await page.getByLabel('To the queue').selectOption('default');
    await agree(page, 'Keep as it is');
    rig.equal((await system.get(`v1/jobs/${id}`)).state, 'dead', 'before it was confirmed');
    await press(page, 'Move');
    await page.getByLabel('To the queue').selectOption('default');
    await agree(page, 'Move');
    await rig.until('it is the page of the job that it has become', () => page.url().includes('#/job/default.'));
    const job = await system.job(new URL(page.url()).hash.replace('#/job/', ''), 'done');
    rig.equal([job.name, job.queue], ['moved.txt', 'default']);
    await page.getByRole('heading', {level: 1, name: 'moved.txt'}).waitFor();
    await page.locator('.head .badge[data-state=done]').waitFor();
  },

  async 'a job is given another priority'({page, system}) {
    const {id} = await system.upload('first.txt', 'later', 'queue=slow&delay=86400');
    const {priority: before} = await system.get(`v1/jobs/${id}`);
    rig.truly(before !== 7, 'it would change nothing');
    await look_at_job(page, system, id);
    const priority = page.locator('dl.facts div').filter({has: page.getByText('Priority', {exact: true})}).locator('dd');
    await rig.until('it says the priority', async () => (await priority.textContent()) === String(before));
    await press(page, 'Priority');
    await page.getByRole('combobox', {name: 'Priority'}).selectOption('7');
    await agree(page, 'Set');
    await rig.until('it is there', async () => (await system.get(`v1/jobs/${id}`)).priority === 7);
    await rig.until('it says so', async () => (await priority.textContent()) === '7');
    await system.send('DELETE', `v1/jobs/${id}`);
  },

  async 'those that are picked get another priority, then another queue, together, and no others'({page, system}) {
    const names = ['later-a', 'later-b', 'later-c'];
    const jobs = await Promise.all(names.map((name) => system.upload(name, 'later', 'queue=slow&delay=86400')));
    const pick = async () => {
      for (const name of ['later-a', 'later-c']) await page.getByRole('checkbox', {name: `Pick ${name}`}).check();
    };
    await look_at_job(page, system, jobs[0].id);
    await page.goto(`${system.url}#/jobs?queue=slow&state=scheduled`);
    await pick();
    await do_picked(page, 'Priority', 'Priority', '9', 'Set');
    await rig.until('they have it', async () => (await system.get(`v1/jobs/${jobs[0].id}`)).priority === 9 && (await system.get(`v1/jobs/${jobs[2].id}`)).priority === 9);
    rig.truly((await system.get(`v1/jobs/${jobs[1].id}`)).priority !== 9, 'the one that was not picked has it, too');
    await rig.until('they are not picked any more', () => page.getByRole('region', {name: 'What is picked'}).isHidden());
    await pick();
    await do_picked(page, 'Move', 'To the queue', 'default', 'Move');
    const moved = await rig.until('they are there', async () => {
      const there = (await system.get('v1/jobs?queue=default&state=scheduled')).jobs.filter((job) => names.includes(job.name));
      return there.length === 2 && there;
    });
    rig.equal(moved.map((job) => job.name).sort(), ['later-a', 'later-c']);
    await rig.until('they have left the page', async () => (await page.getByRole('link', {name: 'later-a'}).count()) === 0);
    rig.equal(await page.getByRole('link', {name: 'later-b'}).count(), 1);
    for (const job of [...moved, jobs[1]]) await system.send('DELETE', `v1/jobs/${job.id}`);
  },

  async 'a running job shows how far it is, and is cancelled'({page, system, sink, shot}) {
    sink.hold();
    const {id} = await system.upload('running.bin', Buffer.alloc(8000000), 'queue=slow');
    await look(page, system, `job/${id}`);
    await rig.until('it has come some way', async () => (await page.locator('.running .bar').getAttribute('aria-valuenow')) > 0);
    await shot('dashboard-running');
    await page.goto(`${system.url}#/workers`);
    await page.getByRole('link', {name: 'running.bin'}).waitFor();
    await shot('dashboard-workers');
    await page.getByRole('link', {name: 'running.bin'}).click();
    await press(page, 'Cancel');
    await agree(page, 'Cancel the job');
    await system.job(id, 'cancelled');
    await page.locator('.head .badge[data-state=cancelled]').waitFor();
  },

  async 'a worker is made quiet and resumed, after a question'({page, system, sink, shot}) {
    sink.hold();
    const {id} = await system.upload('kept.bin', Buffer.alloc(2000000), 'queue=slow');
    const find = async (has) => (await system.get('v1/workers')).workers.find(has);
    const {id: name} = await rig.until('a worker has it', () => find((w) => w.jobs.some((job) => job.id === id)));
    const now = () => find((w) => w.id === name);
    await look(page, system, 'workers');
    const card = page.locator('article', {hasText: name});
    await page.getByRole('button', {name: `Quiet ${name}`}).focus();
    await page.keyboard.press('Enter');
    await agree(page, 'Keep as it is');
    rig.truly(!(await now()).quiet, 'although it was not confirmed');
    await press(page, `Quiet ${name}`);
    await agree(page, 'Quiet');
    await card.getByText('Begins no more; what it runs goes on').waitFor();
    rig.truly((await now()).quiet_since, 'it has not heard of it');
    rig.equal(await card.locator('.badge').textContent(), 'quiet');
    await shot('dashboard-quiet');
    sink.open();
    await system.job(id, 'done');
    await card.getByText('it can be stopped').waitFor();
    await press(page, `Resume ${name}`);
    await agree(page, 'Resume');
    await rig.until('it begins jobs again', async () => !(await now()).quiet_since);
  },

  async 'a queue is paused and resumed, after a question'({page, system, shot}) {
    const paused = async () => (await system.get('v1/queues/default')).paused;
    await look(page, system, '');
    await press(page, 'Pause default');
    await agree(page, 'Keep as it is');
    rig.equal(await paused(), false, 'although it was not confirmed');
    await press(page, 'Pause default');
    await agree(page, 'Pause');
    await rig.until('it is paused', paused);
    await page.locator('tr', {hasText: 'default'}).locator('.badge').waitFor();
    await shot('dashboard-paused');
    await press(page, 'Resume default');
    await agree(page, 'Resume');
    await rig.until('it runs', async () => !(await paused()));
  },

  async 'limits are changed in place, and only those that were'({page, system, expected}) {
    expected.push(/422/);
    const limits = async () => (await system.get('v1/queues/slow')).limits;
    await system.send('PATCH', 'v1/queues/slow', '{"rate":0.5,"burst":3}', {'Content-Type': 'application/json'});
    await look(page, system, 'queue/slow');
    const field = (name) => page.locator(`#limit-${name}`);
    await rig.until('it is shown', async () => (await field('rate').inputValue()) === '0.5');
    await field('max_bytes').fill('2G');
    await field('rate').fill('');
    await press(page, 'Save limits');
    await rig.until('they are there', async () => JSON.stringify(await limits()) === '{"burst":3,"max_bytes":2147483648}');
    await field('max_inflight').fill('many');
    await press(page, 'Save limits');
    await page.locator('.toast[data-tone=bad]').waitFor();
    rig.equal(await field('max_inflight').inputValue(), 'many', 'what was refused is still there to be mended');
    await system.send('PATCH', 'v1/queues/slow', '{"burst":null,"max_bytes":null}', {'Content-Type': 'application/json'});
  },

  async 'purging wants the name of the queue'({page, system, sink}) {
    const {id} = await dead(system, sink, 'purged');
    await look(page, system, 'queue/slow');
    await press(page, 'Purge');
    const go = page.getByRole('dialog').getByRole('button', {name: 'Cancel the jobs'});
    rig.truly(await go.isDisabled(), 'before it is typed');
    await page.getByLabel('To go on, type slow').fill('slow');
    await go.click();
    await system.job(id, 'cancelled');
  },

  async 'a job is found by its id, and by a part of its name'({page, system}) {
    const {id} = await system.upload('needle.txt');
    await look(page, system, '');
    await page.keyboard.press('/');
    await page.keyboard.type(id);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', {level: 1, name: 'needle.txt'}).waitFor();
    rig.truly(page.url().endsWith(`#/job/${id}`), page.url());
    await page.keyboard.press('g');
    await page.keyboard.press('o');
    await page.getByRole('region', {name: 'Totals'}).waitFor();
    await page.getByRole('searchbox').fill('NEEDLE');
    await page.keyboard.press('Enter');
    await page.getByRole('link', {name: 'needle.txt'}).waitFor();
    await rig.until('only what has it', async () => (await page.locator('tbody tr').count()) === 1);
  },

  async 'pages are turned by cursor, and back'({page, system}) {
    await Promise.all(Array.from({length: 60}, (_, i) => system.upload(`page-${i}`)));
    await rig.until('they are done', async () => (await system.get('v1/queues/default')).done >= 60);
    await look(page, system, 'jobs?state=done');
    const names = async () => (await page.locator('tbody .name').allTextContents()).join();
    await rig.until('there is a page', async () => (await page.locator('tbody tr').count()) === 50);
    const first = await names();
    await press(page, 'Next page');
    await rig.until('it is another', async () => (await names()) !== first && (await page.locator('tbody tr').count()) > 0);
    await press(page, 'Back');
    await rig.until('it is the first again', async () => (await names()) === first);
  },

  async 'every view is accessible in the light, and no wider than a phone'({page, system, sink, shot}) {
    const job = await dead(system, sink, 'light.txt');
    await every(page, system, job.id, async (view) => {
      await rig.accessible(page);
      await page.setViewportSize({width: 375, height: 800});
      rig.equal(await overflow(page), 0, `${view} is wider`);
      if (view === '') await shot('dashboard-phone');
      await page.setViewportSize({width: 1280, height: 800});
    });
    await system.send('DELETE', `v1/jobs/${job.id}`);
  },

  async 'every view is accessible in the dark'({page, system, sink, shot}) {
    const job = await dead(system, sink, 'dark.txt');
    await page.emulateMedia({colorScheme: 'dark'});
    await every(page, system, job.id, async (view) => {
      await rig.accessible(page);
      if (view === '') await shot('dashboard-dark');
    });
    await system.send('DELETE', `v1/jobs/${job.id}`);
  },

  async 'colours are as the system has them, or as they were chosen, which is kept'({page, system}) {
    const theme = page.locator('#theme');
    const paper = async () => {
      const [red] = (await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).match(/\d+/g);
      return red > 127 ? 'light' : 'dark';
    };
    await look(page, system, '');
    rig.equal([await theme.getAttribute('aria-label'), await paper()], ['Colours: as the system', 'light']);
    await page.emulateMedia({colorScheme: 'dark'});
    await rig.until('it is as the system', async () => (await paper()) === 'dark');
    await theme.click();
    rig.equal([await theme.getAttribute('aria-label'), await paper()], ['Colours: light', 'light']);
    await page.reload();
    rig.equal(await paper(), 'light', 'as it was chosen, after it was loaded anew');
    await rig.until('the button knows', async () => (await theme.getAttribute('aria-label')) === 'Colours: light');
    await page.emulateMedia({colorScheme: 'light'});
    await page.keyboard.press('t');
    rig.equal([await theme.getAttribute('aria-label'), await paper()], ['Colours: dark', 'dark']);
    await page.keyboard.press('t');
    rig.equal([await theme.getAttribute('aria-label'), await paper()], ['Colours: as the system', 'light']);
    rig.equal(await page.evaluate(() => localStorage.length), 0, 'what is not chosen is not kept');
  },

  async 'below a prefix of a web server it is the same'({page, system}) {
    const prefix = await rig.below_prefix(system), seen = [];
    page.on('request', (request) => seen.push(request.url()));
    try {
      await look(page, prefix, 'upload');
      rig.equal(await link(page), 'live');
      await rig.drop(page, 'h1', [rig.file(system, 'below.txt', 1000)]);
      await page.locator('.legs[data-state=done][aria-valuenow="100"]').waitFor();
      const {id} = await system.upload('below.txt');
      await page.goto(`${prefix.url}#/job/${id}`);
      await page.getByRole('heading', {level: 1, name: 'below.txt'}).waitFor();
      await page.goto(`${prefix.url}#/`);
      await press(page, 'Pause slow');
      await agree(page, 'Pause');
      await rig.until('it is paused', async () => (await system.get('v1/queues/slow')).paused);
      await press(page, 'Resume slow');
      await agree(page, 'Resume');
      await rig.until('it runs', async () => !(await system.get('v1/queues/slow')).paused);
      rig.truly(seen.length > 5 && seen.every((url) => url.startsWith(prefix.url) || url.startsWith('data:')), `not below it: ${seen}`);
    } finally {
      await page.goto('about:blank'); /* its stream */
      await prefix.close();
    }
  },

  async 'it wants a token when the service does, and keeps it in the tab'({page, system, expected}) {
    expected.push(/401/, /403/);
    const asked = [];
    const refuse = (route, status, type) => route.fulfill({status, contentType: 'application/problem+json', body: JSON.stringify({type: `urn:hoist:problem:${type}`, title: 'no', detail: `${type} it is`})});
    await page.route(/\/(v1|status)/, async (route) => {
      const {authorization, ...rest} = await route.request().allHeaders();
      asked.push(authorization);
      if (authorization !== 'Bearer the-right-one') return refuse(route, 401, 'unauthorized');
      if (/status|pause/.test(route.request().url())) return refuse(route, 403, 'forbidden');
      return route.continue({headers: rest});
    });
    await page.goto(system.url);
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Bearer token').fill('a-wrong-one');
    await agree(page, 'Sign in');
    await dialog.getByText('does not know this token').waitFor();
    await rig.accessible(page);
    await dialog.getByLabel('Bearer token').fill('the-right-one');
    await agree(page, 'Sign in');
    const pause = page.getByRole('button', {name: 'Pause default'});
    await pause.waitFor();
    await rig.until('what it may not do is not offered', () => pause.isDisabled());
    rig.equal(await page.evaluate(() => [sessionStorage.getItem('hoist-token'), localStorage.length, document.cookie]), ['the-right-one', 0, '']);
    await page.reload();
    await pause.waitFor();
    rig.equal(await dialog.count(), 0, 'it asks again');
    rig.truly(!page.url().includes('right'), 'the token is in the address');
  },

  async 'without events it asks every few seconds, and says so; when nothing answers it says that'({page, system, expected}) {
    expected.push(/events|ERR_|50\d/);
    await page.route('**/v1/events', (route) => route.fulfill({status: 503, body: ''}));
    await page.goto(system.url);
    await rig.until('it asks', async () => (await link(page)) === 'every 5 s');
    await page.route('**/v1/**', (route) => route.abort());
    await page.getByText('The service cannot be reached.').waitFor();
    await page.unroute('**/v1/**');
    await rig.until('it is back', async () => (await link(page)) === 'every 5 s');
    rig.equal(await page.locator('#notice').isHidden(), true);
  },

  async 'the first view is small, and nothing of it is from elsewhere'({page, system}) {
    const session = await page.context().newCDPSession(page), seen = [], streams = [];
    let bytes = 0;
    await session.send('Network.enable');
    session.on('Network.requestWillBeSent', ({request, initiator}) => {
      if (/v1\/events$/.test(request.url)) streams.push(initiator.stack?.callFrames[0]?.url || initiator.type);
    });
    session.on('Network.loadingFinished', (one) => { bytes += one.encodedDataLength; });
    page.on('request', (request) => seen.push(request.url()));
    await look(page, system, '');
    await page.getByRole('region', {name: 'Totals'}).waitFor();
    await page.waitForLoadState('load');
    const files = seen.filter((url) => !/\/(v1|status)/.test(url) && !url.startsWith('data:')).map((url) => url.replace(system.url, ''));
    rig.truly(bytes > 5000 && bytes < 60 * 1024, `${bytes} bytes`);
    rig.equal(files.sort(), ['', 'ui/app.js', 'ui/dashboard.css', 'ui/early.js'], 'the page and what it names itself, nothing that these load');
    rig.equal(streams.map((one) => one.split('/').pop()), ['early.js'], 'the stream is asked for once, by the first script');
    rig.truly(seen.every((url) => url.startsWith(system.url) || url.startsWith('data:')), `from elsewhere: ${seen}`);
  },
};
