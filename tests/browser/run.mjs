/*
 * run.mjs [NAME...]: all browser tests, or those whose suite or name holds a NAME.  HOIST_BUILD says which programs.
 * The last line is counted as Criterion's is (tests/count.awk).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as rig from './rig.mjs';
import * as dashboard from './dashboard.mjs';
import * as hoistJs from './hoist_js.mjs';

const suites = [hoistJs, dashboard];
const wanted = process.argv.length > 2 ? process.argv.slice(2) : [''];
const TEST_MS = 240000, ALL_MS = 900000; /* for what hangs, not for a busy machine */

const conf = (sink) => `
[http]
cors_origins = ${sink.url}
[worker]
queues = *
lease_ms = 3000
[queue default]
to = default
[queue slow]
to = slow
max_attempts = 1
[destination slow]
url = ${sink.url}
conditional = no
`;

async function one(name, test, shared) {
  const context = await shared.browser.newContext({viewport: {width: 1280, height: 800}, reducedMotion: 'reduce'});
  const page = await context.newPage();
  const expected = [], said = [];
  page.on('console', (message) => message.type() === 'error' && said.push(`${message.text()} ${message.location().url}`));
  page.on('pageerror', (error) => said.push(error.message));
  page.setDefaultTimeout(60000);
  const picture = (word) => page.screenshot({path: path.join(rig.artefacts, `${word}.png`)});
  let timer;
  try {
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('out of time')), TEST_MS); });
    await Promise.race([late, test({page, context, expected, shot: picture, ...shared})]);
    const unexpected = said.filter((text) => !expected.some((pattern) => pattern.test(text)));
    if (unexpected.length > 0) throw new Error(`the page said: ${unexpected.join('\n')}`);
  } catch (error) {
    await picture(`FAILED ${name}`.replace(/\W+/g, '_')).catch(() => {});
    throw error;
  } finally {
    clearTimeout(timer);
    shared.sink.open();
    await context.close();
  }
}

async function main() {
  const sink = new rig.Sink(), system = new rig.System();
  let passing = 0, failing = 0, browser;
  fs.rmSync(rig.artefacts, {recursive: true, force: true});
  await sink.listen();
  try {
    [browser] = await Promise.all([rig.launch(), system.up(conf(sink))]);
    for (const suite of suites) {
      for (const [name, test] of Object.entries(suite.tests)) {
        if (!wanted.some((one) => `${suite.suite}::${name}`.includes(one))) continue;
        const began = Date.now();
        try {
          await one(name, test, {browser, sink, system});
          passing++;
          console.log(`[PASS] ${suite.suite}::${name} (${(Date.now() - began) / 1000} s)`);
        } catch (error) {
          failing++;
          await system.again().catch(() => {}); /* what it has killed is not missing for the next one */
          console.log(`[FAIL] ${suite.suite}::${name} (${(Date.now() - began) / 1000} s)\n${error.stack}`);
        }
      }
    }
    if (failing > 0) console.log(system.logs());
  } finally {
    await browser?.close();
    await system.down();
    sink.close();
  }
  console.log(`[====] Synthesis: Tested: ${passing + failing} | Passing: ${passing} | Failing: ${failing} | Crashing: 0`);
  return failing > 0 || passing === 0 ? 1 : 0;
}

/* Whatever hangs: the guard takes the system down. */
setTimeout(() => { console.log('out of time'); process.exit(1); }, ALL_MS).unref();
main().then((status) => process.exit(status), (error) => { console.log(error); process.exit(1); });
