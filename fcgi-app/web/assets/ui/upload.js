/*
 * upload: files that are dropped or chosen, a bar for each from receiving to uploading to done.
 *
 *     queued --> receiving (hoist.js: this browser -> hoist) --> waiting, running (hoist -> its destination) --> done | dead | cancelled
 *
 * What becomes of the jobs is heard from the feed, so that a hundred files need no hundred streams.  They go on while another view is open; only closing the page ends what is still being received, and the browser asks then.
 */
import { upload } from "../hoist.mjs";
import { get, jobPath, may, setRight, signIn, steerJob, tokenValue, url } from "./api.js";
import { on as onFeed, queueNamed, state } from "./feed.js";
import { badge, button, h, mark, rows, say } from "./parts.js";
import { about, addressWrite, bytes, number } from "./tools.js";

const AT_ONCE = 3, FINAL = ["done", "dead", "cancelled", "refused"];
const transfers = [];
const watchers = new Set();
let count = 0;

const changed = (t) => watchers.forEach((fn) => fn(t));
const underWay = () => transfers.filter((t) => !FINAL.includes(t.state));
function tell(t) {
  document.dispatchEvent(new CustomEvent("hoist-sending", { detail: underWay().length }));
  changed(t);
}

addEventListener("beforeunload", (e) => { if (transfers.some((t) => t.state === "queued" || t.state === "receiving")) e.preventDefault(); });

/* --- From here to the service --- */

async function carry(t) {
  const stop = new AbortController();
  Object.assign(t, { state: "receiving", received: 0, error: "", abort: () => stop.abort() });
  let began = 0;
  const onProgress = (p) => {
    if (p.phase !== "sending") return;
    if (p.loaded === 0 || !began) began = Date.now();
    t.received = p.loaded;
    t.speed = (1000 * p.loaded) / Math.max(1, Date.now() - began);
    t.error = p.attempt > 0 && p.loaded === 0 ? "interrupted, sending again" : "";
    changed(t);
  };
  const set = Object.fromEntries(Object.entries(t.options).filter(([, value]) => value !== ""));
  tell(t);
  for (;;) {
    try {
      const job = await upload(t.file, { ...set, name: t.file.name, url: url("."), token: tokenValue, idempotencyKey: t.key, signal: stop.signal, wait: false, onProgress });
      Object.assign(t, { job: job.id, received: t.file.size, state: job.state === "accepted" ? "waiting" : job.state });
      setRight("upload", true);
    } catch (e) {
      if (e.status === 401 && (await signIn())) continue;
      if (e.status === 403 && e.type === "forbidden") setRight("upload", false);
      Object.assign(t, e.name === "AbortError" ? { state: "cancelled" } : { state: "refused", error: e.message });
    }
    break;
  }
  t.abort = null;
  tell(t);
  next();
}

function next() {
  while (transfers.filter((t) => t.state === "receiving").length < AT_ONCE) {
    const t = transfers.find((one) => one.state === "queued");
    if (!t) return;
    void carry(t);
  }
}

/* --- From the service to where it belongs --- */

async function look(t) {
  if (t.looking || !t.job || FINAL.includes(t.state)) return;
  t.looking = true;
  try {
    const job = await get(jobPath(t.job));
    Object.assign(t, { state: job.state === "accepted" ? "waiting" : job.state, sent: job.sent || 0, size: job.size, phase: job.phase, rate: job.rate, error: job.state === "done" ? "" : job.error?.text || "", due: job.due });
  } catch (e) {
    if (e.status === 404) Object.assign(t, { state: "cancelled", error: "nobody knows it any more" });
  }
  t.looking = false;
  t.looked = Date.now();
  tell(t);
}

onFeed((kind, data) => {
  if (kind === "job") {
    const t = transfers.find((one) => one.job === data.id);
    if (t) void look(t);
  }
  if (kind === "workers") {
    const runs = new Map(state.workers.flatMap((w) => w.jobs || []).map((job) => [job.id, job]));
    for (const t of transfers) {
      const now = t.job && !FINAL.includes(t.state) && runs.get(t.job);
      if (!now) continue;
      Object.assign(t, { state: "running", sent: now.sent, phase: now.phase, rate: now.rate });
      changed(t);
    }
  }
});

/* Whatever the feed does not tell. */
setInterval(() => {
  const most = state.link === "live" ? 8000 : 1500;
  transfers.filter((t) => t.job && !FINAL.includes(t.state) && Date.now() - (t.looked || 0) > most).slice(0, 4).forEach(look);
}, 500);

/* --- What may be done --- */

/* randomUUID is for secure pages alone. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(16).padStart(2, "0")).join("");

let options = { queue: "", to: "", priority: "", group: "", convert: "" };

export function take(files) {
  for (const file of files) transfers.unshift({ n: ++count, file, key: newKey(), state: "queued", received: 0, sent: 0, options: { ...options } });
  tell(null);
  next();
}

async function stop(t) {
  const receiving = t.state === "receiving" || t.state === "queued";
  if (receiving) {
    if (t.abort) t.abort();
    t.state = "cancelled";
    return tell(t);
  }
  try {
    await steerJob("DELETE", t.job, "");
  } catch (e) {
    t.error = e.message;
  }
  void look(t);
}

async function again(t) {
  if (t.job) {
    try {
      await steerJob("POST", t.job, "/retry");
      t.state = "waiting";
    } catch (e) {
      t.error = e.message;
    }
    return tell(t);
  }
  Object.assign(t, { state: "queued", received: 0, key: newKey() });
  tell(t);
  next();
}

/* --- How it looks --- */

const WORDS = { queued: "waits for its turn", receiving: "receiving", waiting: "received, waits for a worker", scheduled: "received, will be tried again", running: "uploading", done: "done", dead: "dead", cancelled: "cancelled", refused: "refused" };

function row(first) {
  let t = first;
  const name = h("a", { class: "name" }), word = badge(), said = h("span", { class: "dim said" }), size = h("span", { class: "num dim" });
  const one = h("i"), two = h("i"), legs = h("div", { class: "legs", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, h("span", {}, one), h("span", {}, two));
  const act = button("", "cross", () => (t.state === "dead" || t.state === "refused" ? again(t) : stop(t)), { class: "b small" });
  const el = h("li", { class: "transfer" }, h("div", { class: "who" }, name, size, h("span", { class: "grow" }), word.el, act), legs, said);
  const update = (to) => {
    t = to;
    const file = t.file.name || "file";
    say(name, file);
    mark(name, "href", t.job ? addressWrite("job", t.job) : null);
    say(size, bytes(t.file.size));
    const left = FINAL.includes(t.state) || !t.job ? t.received / Math.max(1, t.file.size) : 1;
    const right = t.state === "done" ? 1 : t.size > 0 ? t.sent / t.size : t.job && t.file.size > 0 ? t.sent / t.file.size : 0;
    one.style.transform = `scaleX(${Math.min(1, t.job ? 1 : left)})`;
    two.style.transform = `scaleX(${Math.min(1, right)})`;
    mark(legs, "data-state", t.state);
    mark(legs, "aria-label", `${file}: ${WORDS[t.state]}`);
    mark(legs, "aria-valuenow", Math.round(50 * Math.min(1, t.job ? 1 : left) + 50 * Math.min(1, right)));
    word.update(t.state);
    mark(word.el, "data-state", { queued: "waiting", receiving: "scheduled", refused: "dead" }[t.state] || t.state);
    const rest = t.state === "receiving" && t.speed > 0 ? `, ${bytes(t.speed)}/s, ${about((t.file.size - t.received) / t.speed)} left` : t.state === "running" && t.rate > 0 ? `, ${bytes(t.rate)}/s` : "";
    say(said, t.error ? t.error : `${WORDS[t.state]}${rest}`);
    mark(said, "data-tone", t.error && t.state !== "receiving" ? "bad" : null);
    const retry = t.state === "dead" || t.state === "refused";
    act.hidden = t.state === "done" || t.state === "cancelled";
    say(act.lastChild, retry ? "Again" : "Cancel");
    mark(act, "aria-label", `${retry ? "Send again" : "Cancel"} ${file}`);
  };
  return { el, update };
}

export function view() {
  const input = h("input", { type: "file", multiple: true, class: "sr", id: "files", tabindex: -1, "aria-hidden": "true", onchange: () => { take([...input.files]); input.value = ""; } });
  const pick = button("Choose files", "up", () => input.click(), { class: "b primary" });
  const zone = h("section", { class: "zone", "aria-label": "Where files are dropped" }, h("p", { class: "lead", text: "Drop files here, or anywhere on the page" }), pick, input);
  const summary = h("p", { class: "dim", role: "status" }), list = h("ul", { class: "card transfers" }), set = rows(list, (t) => t.n, row);
  const clear = button("Clear what has ended", null, () => { for (let i = transfers.length; i-- > 0;) if (FINAL.includes(transfers[i].state)) transfers.splice(i, 1); show(); }, { class: "b small" });
  const queue = h("select", { id: "up-queue", onchange: () => { options.queue = queue.value; } });
  const field = (name, label, more) => h("label", { class: "field", for: `up-${name}` }, h("span", { text: label }), h("input", { id: `up-${name}`, autocomplete: "off", value: options[name], oninput: (e) => { options[name] = e.target.value.trim(); }, ...more }));
  const settings = h("details", { class: "card pad" }, h("summary", { text: "Options of the next files" }), h("div", { class: "options" }, h("label", { class: "field", for: "up-queue" }, h("span", { text: "Queue" }), queue), field("to", "Destination", { placeholder: "of the queue" }), field("priority", "Priority", { placeholder: "0 first … 9", inputmode: "numeric" }), field("group", "Group", { placeholder: "none" }), field("convert", "Converters", { placeholder: "of the queue" })));
  const denied = h("p", { class: "warn", text: "This token may not upload." });
  const el = h("div", {}, h("div", { class: "head" }, h("h1", { text: "Upload" }), h("span", { class: "grow" }), summary, clear), denied, zone, settings, list);
  function show() {
    set(transfers);
    list.hidden = transfers.length === 0;
    clear.hidden = !transfers.some((t) => FINAL.includes(t.state));
    const done = transfers.filter((t) => t.state === "done").length;
    say(summary, transfers.length ? `${number(done)} of ${number(transfers.length)} done` : "");
    denied.hidden = may("upload");
    pick.disabled = !may("upload");
    const names = ["", ...(state.queues || []).map((q) => q.name)];
    if (names.join() !== [...queue.options].map((o) => o.value).join()) {
      queue.replaceChildren(...names.map((name) => h("option", { value: name, text: name || "default" })));
      queue.value = queueNamed(options.queue) ? options.queue : "";
    }
  }
  let asked = false;
  const watch = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; show(); });
  };
  watchers.add(watch);
  show();
  return { el, title: "Upload", on: (kind) => { if (kind === "queues" || kind === "rights") show(); }, close: () => watchers.delete(watch) };
}
