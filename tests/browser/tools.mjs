/*
 * tools.mjs: the pure functions of the dashboard (fcgi-app/web/assets/ui/tools.js), without a browser.
 * The last line is counted as Criterion's is (tests/count.awk).
 */
import {deepStrictEqual as same, strictEqual as is, throws} from 'node:assert';
import * as fs from 'node:fs';

process.env.TZ = 'Europe/Berlin'; /* clock() tells the reader's own time */
const source = fs.readFileSync(new URL('../../fcgi-app/web/assets/ui/tools.js', import.meta.url));
/* As a module, although no package.json says that it is one. */
const tools = await import(`data:text/javascript;base64,${source.toString('base64')}`);

/* Each row: what it is called with, and what it gives. */
const table = (work, rows) => rows.forEach(([given, want]) => is(work(...[].concat(given)), want, `of ${JSON.stringify(given)}`));

/* The events that a reader makes of these pieces. */
function read(pieces, longest) {
  const events = [], take = tools.eventReader((event, data) => events.push([event, data]), longest);
  pieces.forEach(take);
  return events;
}

const tests = {
  'numbers have commas between thousands'() {
    table(tools.number, [[undefined, '0'], [0, '0'], [7, '7'], [999, '999'], [1000, '1,000'], [999999.4, '999,999'], [1234567, '1,234,567'], [-1234, '-1,234']]);
  },

  'large numbers are short where there is little room'() {
    table(tools.short, [[undefined, '0'], [9999, '9,999'], [10000, '10k'], [12345, '12.3k'], [99950, '100k'], [123456, '123k'], [1000000, '1M'], [1550000, '1.6M'], [2e9, '2G'], [345e9, '345G']]);
  },

  'bytes are in units of 1024'() {
    table(tools.bytes, [[undefined, '0 B'], [1, '1 B'], [1023, '1023 B'], [1024, '1.0 KiB'], [1536, '1.5 KiB'], [102400, '100 KiB'], [1 << 20, '1.0 MiB'], [5 * 2 ** 40, '5.0 TiB'], [2 ** 60, '1024 PiB']]);
  },

  'rates are as exact as they are small'() {
    table(tools.rate, [[undefined, '0/s'], [0, '0/s'], [0.05, '0.05/s'], [0.25, '0.3/s'], [9.94, '9.9/s'], [12.4, '12/s'], [[3, ' jobs'], '3.0 jobs/s']]);
  },

  'spans of time are told in two units at most'() {
    table(tools.span, [[-1, '–'], [NaN, '–'], [Infinity, '–'], [0, '0 s'], [0.0001, '1 ms'], [0.25, '250 ms'], [1, '1.0 s'], [9.94, '9.9 s'], [10.4, '10 s'], [59.4, '59 s'], [59.6, '1 min'], [61, '1 min 1 s'],
      [3600, '1 h'], [7500, '2 h 5 min'], [86400, '1 d'], [273600, '3 d 4 h']]);
  },

  'what counts up is told in one unit'() {
    table(tools.about, [[-3, '0 s'], [59.4, '59 s'], [60, '1 min'], [3599, '59 min'], [3600, '1 h'], [86399, '23 h'], [172800, '2 d']]);
  },

  'a time of day has its day where that is not today'() {
    const now = new Date('2024-06-02T12:00:00Z');
    table((text) => tools.clock(text, now), [['2024-06-02T03:04:05.678Z', '05:04:05'], ['2024-06-01T22:30:00Z', '00:30:00'], ['2024-06-01T21:59:59Z', '2024-06-01 23:59:59'], ['2023-06-02T12:00:00Z', '2023-06-02 14:00:00'],
      ['soon', '–'], [undefined, '–']]);
  },

  'how long ago it was, or how long it is still'() {
    const now = Date.parse('2024-06-02T12:00:00Z');
    table((text) => tools.ago(text, now), [['2024-06-02T12:00:00Z', 'now'], ['2024-06-02T12:00:00.4Z', 'now'], ['2024-06-02T11:59:58Z', '2 s ago'], ['2024-06-02T10:00:00Z', '2 h ago'], ['2024-06-02T12:01:30Z', 'in 1 min'], ['', '–']]);
    is(tools.since('2024-06-02T11:59:00Z', now), 60);
  },

  'a sum of nothing is 0'() {
    table(tools.sum, [[[[1, 2, 3.5]], 6.5], [[[]], 0], [[undefined], 0], [[null], 0]]);
  },

  'an id is known from a name that somebody looks for'() {
    const id = 'docs.01890a5d-ac96-774b-bcce-b302099a8057';
    table(tools.idIs, [[id, true], ['a_b-9.01890a5d-ac96-774b-bcce-b302099a8057', true], [`${id}0`, false], [`${id} `, false], [id.toUpperCase(), false], [id.replace('docs', ''), false], [id.replace('docs', 'd'.repeat(33)), false], ['report.pdf', false], ['', false]]);
    is(tools.idTail(id), '…099a8057');
    is(tools.idQueue(id), 'docs');
  },

  'an address that was written is read as it was'() {
    for (const [view, id, query] of [['overview', '', {}], ['jobs', '', {queue: 'docs', state: 'dead'}], ['jobs', '', {search: 'a&b=c #?/%ü'}], ['job', 'docs.x/y?z#%', {}], ['queue', 'media', {hour: '1'}]])
      same(tools.addressRead(tools.addressWrite(view, id, query)), {view, id, query});
  },

  'what is empty is not in an address'() {
    is(tools.addressWrite('overview'), '#/');
    is(tools.addressWrite('jobs', '', {queue: '', state: null, search: undefined}), '#/jobs');
    is(tools.addressWrite('jobs', '', {queue: 'docs', page: 0}), '#/jobs?queue=docs&page=0');
  },

  'an address of nobody leads somewhere'() {
    same(tools.addressRead(''), {view: 'overview', id: '', query: {}});
    same(tools.addressRead('#'), {view: 'overview', id: '', query: {}});
    same(tools.addressRead('#/job/100%'), {view: 'job', id: '100%', query: {}});
    same(tools.addressRead('#/job/a/b?c=d'), {view: 'job', id: 'a/b', query: {c: 'd'}});
  },

  'events are read, however they are cut'() {
    const text = 'retry: 2000\nevent: queues\nid: 7\ndata: {"a":1}\n\n: alive\n\ndata:one\ndata:  two\n\nevent: none\n\n', want = [['queues', '{"a":1}'], ['message', 'one\n two']];
    for (const end of ['\n', '\r', '\r\n']) {
      const sent = `${text.replaceAll('\n', end)}:`; /* a line after it: a CR may be half of an end */
      same(read([sent]), want);
      same(read([...sent]), want);
      for (let at = 1; at < sent.length; at++) same(read([sent.slice(0, at), sent.slice(at)]), want, `cut at ${at}`);
    }
    same(read(['event: queues\ndata: half']), []);
  },

  'an event without end is not kept for ever'() {
    same(read(['data: 12345\n\n', 'data: 67890\n\n'], 20).length, 2);
    throws(() => read(['data: 1234567', '890', '1234567890'], 20), /too long/);
    throws(() => read(['data: 12345678\n', 'data: 12345678\n', 'data: 1'], 20), /too long/);
  },

  'columns stand on what is below them, and the smallest is to be seen'() {
    is(tools.columnsPath([], null, 10, 40), '');
    is(tools.columnsPath([0, -1, NaN], null, 10, 40), '');
    is(tools.columnsPath([5], null, 0, 40), 'M0.14 40v-1.6h0.72v1.6z');
    is(tools.columnsPath([0, 5], null, 10, 40), 'M1.14 40v-20h0.72v20z');
    is(tools.columnsPath([5], [5], 10, 40), 'M0.14 20v-20h0.72v20z');
    is(tools.columnsPath([0.01], null, 10, 40), 'M0.14 40v-1.6h0.72v1.6z');
  },

  'the top of a scale is round, and not below what is shown'() {
    table(tools.roundUp, [[-1, 1], [0, 1], [1, 1], [1.1, 2], [7, 8], [9, 10], [10, 10], [11, 20], [61, 80], [801, 1000], [123456, 200000]]);
    for (let n = 1; n < 5000; n += 7) is(tools.roundUp(n) >= n && tools.roundUp(n) <= 2 * n, true, `${n}`);
  },

  'hours of several queues are added by the minute'() {
    const hour = (n) => ({history: {done: new Array(60).fill(n)}});
    same(tools.addHours([], 'done'), new Array(60).fill(0));
    same(tools.addHours([hour(1), {}, hour(2)], 'done'), new Array(60).fill(3));
    same(tools.addHours([hour(1)], 'failed'), new Array(60).fill(0));
    same(tools.addHours([{history: {done: new Array(61).fill(1)}}], 'done'), new Array(60).fill(1));
  },
};

let passing = 0, failing = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    test();
    passing++;
    console.log(`[PASS] tools::${name}`);
  } catch (error) {
    failing++;
    console.log(`[FAIL] tools::${name}\n${error.stack}`);
  }
}
console.log(`[====] Synthesis: Tested: ${passing + failing} | Passing: ${passing} | Failing: ${failing} | Crashing: 0`);
process.exitCode = failing > 0 ? 1 : 0;
