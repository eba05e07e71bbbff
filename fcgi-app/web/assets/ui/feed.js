/*
 * feed: what is known of queues and workers now, and how it is known.
 *
 *     GET v1/events  --event by event-->  state  --on(kind, data)-->  the view that is open
 *          |   ends, or is silent for too long
 *          '-->  "polling": GET v1/queues and v1/workers every few seconds, and the stream is tried again from time to time
 *
 * EventSource cannot send a token, hence fetch; the first is under way before this runs (early.js).  A tab that nobody looks at
 * hangs up after a minute, and comes back at once.
 */
import { get, headers, onRights, refusal, Refused, signIn, url } from "./api.js";
import { eventReader } from "./tools.js";

const SILENT_MS = 45000, POLL_MS = 5000, HIDDEN_MS = 60000, FIRST_MS = 600, AGAIN_MAX_MS = 60000;
const COUNTED = ["enqueued", "done", "failed", "dead"];

export const state = {
  queues: null, /* as GET v1/queues?history=1 has them */
  workers: null,
  workersAt: 0,
  more: false,
  at: 0, /* ms, when the queues were told */
  link: "connecting", /* live, polling, offline, paused, refused */
  why: null,
};

const listeners = new Set();
export function on(fn) {
  listeners.add(fn);
  return () => listeners.delete(fn);
}
const tell = (kind, data) => listeners.forEach((fn) => fn(kind, data));

export const queueNamed = (name) => state.queues?.find((q) => q.name === name);

function setLink(link, why = null) {
  if (state.link === link && state.why?.message === why?.message) return;
  state.link = link;
  state.why = why;
  tell("link");
}

/* --- What comes --- */

/* The stream brings the last hour twice a minute; what the counters say meanwhile belongs to its last column. */
function carryOn(queue, old) {
  if (queue.history || !old?.history) return queue;
  const history = { ...old.history };
  for (const name of COUNTED) {
    const more = queue[`${name}_total`] - old[`${name}_total`];
    if (more > 0 && history[name]) history[name] = [...history[name].slice(0, -1), history[name].at(-1) + more];
  }
  return { ...queue, history };
}

function takeQueues(queues) {
  const old = new Map((state.queues || []).map((q) => [q.name, q]));
  state.queues = queues.map((q) => carryOn(q, old.get(q.name)));
  state.at = Date.now();
  tell("queues");
}

function takeWorkers(data) {
  state.workers = data.workers;
  state.workersAt = Date.now();
  state.more = Boolean(data.more);
  tell("workers");
}

/* An answer to something that was done: one queue as it is now. */
export function takeQueue(queue) {
  if (state.queues) takeQueues(state.queues.map((q) => (q.name === queue.name ? queue : q)));
}

export function takeWorker(worker) {
  if (state.workers) takeWorkers({ workers: state.workers.map((w) => (w.id === worker.id ? worker : w)), more: state.more });
}

function takeEvent(name, text) {
  const data = JSON.parse(text);
  if (name === "queues") takeQueues(data.queues);
  else if (name === "workers") takeWorkers(data);
  else if (name === "job") tell("job", data);
  else if (name === "skipped") tell("job", {});
  else if (name === "redis") setLink(data.away ? "offline" : "live", data.away ? new Refused(503, { detail: "Redis is away" }) : null);
}

async function poll(signal) {
  const [queues, workers] = await Promise.all([get("v1/queues?history=1", { signal, quiet: true }), get("v1/workers", { signal, quiet: true })]);
  takeQueues(queues.queues);
  takeWorkers(workers);
}

/* --- The stream --- */

const askStream = (control) => fetch(url("v1/events"), {
  headers: headers({ Accept: "text/event-stream" }),
  cache: "no-store", redirect: "error", signal: control.signal,
});

/* What early.js has asked for, the first time. */
function begin() {
  const early = window.hoistEarly;
  window.hoistEarly = null;
  if (early) return early;
  const control = new AbortController();
  return { control, answer: askStream(control) };
}

async function listen({ control, answer: coming }, onLive) {
  const answer = await coming;
  if (!answer.ok) throw await refusal(answer);
  if (!(answer.headers.get("Content-Type") || "").startsWith("text/event-stream")) throw new Error("no stream");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const take = eventReader(takeEvent);
  let timer = 0;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => control.abort(), SILENT_MS);
  };
  try {
    alive();
    onLive();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      alive();
      take(value);
    }
  } finally {
    clearTimeout(timer);
    control.abort();
  }
}

/* --- Who decides which --- */

let wake = () => {};
const pause = (ms) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  wake = () => {
    clearTimeout(timer);
    resolve();
  };
});

let current = null; /* the control of what is under way */

async function pollUntil(time) {
  do {
    current = new AbortController();
    try {
      await poll(current.signal);
      setLink("polling");
    } catch (e) {
      if (e.name === "AbortError") return;
      if (e instanceof Refused && (e.status === 401 || e.status === 403)) return void setLink("refused", e);
      setLink("offline", e);
    }
    await pause(POLL_MS);
  } while (Date.now() < time && !document.hidden);
}

async function run() {
  let failures = 0;
  for (;;) {
    if (document.hidden && state.queues) {
      setLink("paused");
      await pause(HIDDEN_MS * 60);
      continue;
    }
    const began = Date.now(), stream = begin();
    current = stream.control;
    try {
      await listen(stream, () => setLink("live"));
    } catch (e) {
      if (e instanceof Refused && e.status === 401) {
        setLink("refused", e);
        if (await signIn({ quiet: true })) continue;
      }
      if (e instanceof Refused && e.status === 403) {
        setLink("refused", e);
        await pause(AGAIN_MAX_MS);
        continue;
      }
    }
    failures = Date.now() - began > AGAIN_MAX_MS / 2 ? 0 : failures + 1;
    if (document.hidden) continue;
    const again = Math.min(AGAIN_MAX_MS, 1000 * 2 ** failures) * (0.7 + 0.6 * Math.random());
    await pollUntil(Date.now() + again);
    if (state.link === "refused") await pause(AGAIN_MAX_MS);
  }
}

/* Begin anew: with another token, or because somebody looks again. */
export function restart() {
  current?.abort();
  wake();
}

export function start() {
  let hidden = 0;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.hidden) hidden = setTimeout(restart, HIDDEN_MS);
    else if (state.link === "paused") restart();
  });
  window.addEventListener("online", restart);
  let asked = headers().Authorization;
  onRights(() => {
    if (asked === headers().Authorization) return;
    asked = headers().Authorization;
    restart();
  });
  setTimeout(() => { if (!state.queues && state.link !== "refused") poll().catch(() => {}); }, FIRST_MS); /* a proxy may hold the stream back */
  void run();
}
