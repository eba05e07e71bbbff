/*
 * load.mjs URL TOKEN LOADS: opens the page in chromium, so many times, each with nothing kept but the token: a context of its own
 * has its own cache and connections.  A line of JSON for each: {ms, bytes, requests: [{path, asked, first, last, bytes}]}, in ms since navigation
 * start; ms is when the first queue was painted with its numbers; bytes as they came, headers included, until then.
 */
import {launch} from '../../browser/rig.mjs';

const [url, token, loads] = process.argv.slice(2);

/* Runs in the page before anything of it: window.shown is a promise of the moment. */
const watch = (token) => {
  sessionStorage.setItem('hoist-token', token);
  window.shown = new Promise((resolve) => {
    const there = () => {
      const counts = [...document.querySelectorAll('table.queues tbody tr:first-child a.num')];
      return counts.length > 0 && counts.every((one) => /\d/.test(one.textContent));
    };
    const observer = new MutationObserver(() => {
      if (!there()) return;
      observer.disconnect();
      const painted = new MessageChannel();
      painted.port1.onmessage = () => resolve(performance.now());
      requestAnimationFrame(() => painted.port2.postMessage(0));
    });
    observer.observe(document, {subtree: true, childList: true, characterData: true});
  });
};

async function load(browser) {
  const context = await browser.newContext({viewport: {width: 1280, height: 800}});
  try {
    const page = await context.newPage(), session = await context.newCDPSession(page), seen = new Map();
    let began = null;
    const at = (timestamp) => Math.round((timestamp - began) * 1000);
    await session.send('Network.enable');
    session.on('Network.requestWillBeSent', ({requestId, request, timestamp}) => {
      if (request.url.startsWith('data:')) return;
      began ??= timestamp;
      seen.set(requestId, {path: request.url.replace(url, '/'), asked: at(timestamp), first: null, last: null, bytes: 0});
    });
    const on = (name, work) => session.on(`Network.${name}`, (event) => {
      const one = seen.get(event.requestId);
      if (one) work(one, event);
    });
    on('responseReceived', (one, {response, timestamp}) => {
      one.first = at(timestamp);
      one.bytes = response.encodedDataLength;
    });
    on('dataReceived', (one, {encodedDataLength, timestamp}) => {
      one.last = at(timestamp);
      one.bytes += encodedDataLength;
    });
    on('loadingFinished', (one, {encodedDataLength, timestamp}) => {
      one.last = at(timestamp);
      one.bytes = encodedDataLength;
    });
    await page.addInitScript(watch, token);
    page.setDefaultTimeout(60000);
    await page.goto(url, {waitUntil: 'commit', timeout: 60000});
    const ms = await page.evaluate(() => Promise.race([window.shown, new Promise((_, reject) => setTimeout(() => reject(new Error('no queue within a minute')), 60000))]));
    const requests = structuredClone([...seen.values()]).filter((one) => one.asked <= ms);
    return {ms, bytes: requests.reduce((sum, one) => sum + one.bytes, 0), requests};
  } finally {
    await context.close();
  }
}

const browser = await launch();
try {
  for (let i = 0; i < Number(loads); i++) console.log(JSON.stringify(await load(browser)));
} finally {
  await browser.close();
}
