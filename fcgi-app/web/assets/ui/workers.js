/*
 * workers: each with what it is uploading and how far that is; and the responder itself.
 */
import { ask, may } from "./api.js";
import { state } from "./feed.js";
import { badge, bar, empty, facts, h, mark, rows, say, when } from "./parts.js";
import { about, addressWrite, bytes, idQueue, number, since } from "./tools.js";

const LATE_S = 15; /* a worker says that it lives every few seconds; it is late beside the others, or when it is told */

function jobRow() {
  const name = h("a", { class: "name" }), phase = h("span", { class: "dim" }), far = h("span", { class: "num" }), left = h("span", { class: "num dim" }), progress = bar("Uploaded");
  const el = h("li", { class: "run" }, h("div", { class: "who" }, name, phase), progress.el, far, left);
  const update = (job) => {
    say(name, job.name || job.id);
    mark(name, "href", addressWrite("job", job.id));
    say(phase, [job.phase || "running", job.parts ? `part ${Math.min(job.parts, (job.parts_done || 0) + 1)} of ${job.parts}` : "", idQueue(job.id)].filter(Boolean).join(" · "));
    const part = job.size > 0 ? job.sent / job.size : null;
    progress.update(part, "run");
    mark(progress.el, "aria-label", `${job.name || job.id} uploaded`);
    say(far, job.size > 0 ? `${bytes(job.sent)} of ${bytes(job.size)}` : bytes(job.sent));
    const rest = job.rate > 0 && job.size > job.sent ? `, ${about((job.size - job.sent) / job.rate)} left` : "";
    say(left, job.rate > 0 ? `${bytes(job.rate)}/s${rest}` : job.started ? `for ${about(since(job.started))}` : "");
  };
  return { el, update };
}

const workerCard = (level) => () => {
  const name = h(level), health = badge(), host = h("span", { class: "dim" }), slots = h("span", { class: "num" }), fillBar = bar("Slots in use"), speed = h("span"), seen = when(), heard = h("span", {}, "heard of ", seen.el), queues = h("span", { class: "dim" });
  const list = h("ul", { class: "runs" }), none = h("p", { class: "dim quiet" }), halted = h("p", { class: "warn" });
  const set = rows(list, (job) => job.id, jobRow);
  const el = h("article", { class: "card worker" }, h("header", {}, h("div", {}, name, host), health.el, h("div", { class: "slots" }, fillBar.el, slots), h("div", { class: "dim seen num" }, speed, heard)), halted, list, none);
  host.after(queues);
  const update = (w) => {
    const last = Math.max(...state.workers.map((one) => Date.parse(one.seen) || 0));
    const late = Math.max(last - Date.parse(w.seen), state.workersAt - Date.parse(w.seen) - 2000 * LATE_S) > 1000 * LATE_S;
    const rate = (w.jobs || []).reduce((a, job) => a + (job.rate || 0), 0);
    say(name, w.id);
    say(host, [w.host, w.pid && `pid ${w.pid}`, w.version && `version ${w.version}`, w.started && `up ${about(since(w.started))}`].filter(Boolean).join(" · "));
    say(queues, w.queues?.length ? `works on ${w.queues.join(", ")}` : "");
    health.update(late ? "late" : w.alive === false ? "stuck" : w.busy > 0 ? "running" : "idle");
    say(slots, w.slots ? `${number(w.busy)} of ${number(w.slots)}` : number(w.busy));
    fillBar.el.hidden = !w.slots;
    fillBar.update(w.slots > 0 ? w.busy / w.slots : 0, "run");
    seen.update(w.seen);
    heard.hidden = !late && w.alive !== false;
    say(speed, heard.hidden && rate > 0 ? `${bytes(rate)}/s` : "");
    say(halted, w.paused_destinations ? `Pauses a destination: ${w.paused_destinations}` : "");
    halted.hidden = !w.paused_destinations;
    set(w.jobs || []);
    const hidden = (w.busy || 0) - (w.jobs?.length || 0);
    say(none, !w.busy ? "Nothing to do" : hidden > 0 ? (w.jobs?.length ? `and ${number(hidden)} more` : `${number(hidden)} under way`) : "");
    none.hidden = !none.textContent;
  };
  return { el, update };
};

/* For any place: the workers as they are now. */
export function workerList(level = "h3") {
  const list = h("div", { class: "cards" }), none = empty("No worker is running", "Uploads are accepted and wait. A worker that is started takes them up at once."), more = h("p", { class: "dim", hidden: true, text: "There are more workers than are listed." });
  const set = rows(list, (w) => w.id, workerCard(level));
  const update = () => {
    if (!state.workers) return;
    set([...state.workers].sort((a, b) => a.id.localeCompare(b.id)));
    none.hidden = state.workers.length > 0;
    more.hidden = !state.more;
  };
  none.hidden = true;
  return { el: h("div", {}, list, none, more), update };
}

/* What the responder says of itself: readiness to everybody, threads to whoever may steer. */
async function responder(place) {
  const [ready, status] = await Promise.all([
    ask("GET", "readyz").catch((e) => ({ failed: e })),
    may("admin") ? ask("GET", "status?json", { scope: "admin" }).catch(() => null) : null,
  ]);
  const said = (word, why) => (why ? `${word}: ${why}` : word);
  place.replaceChildren(facts([
    ["Takes uploads", ready.failed ? `no: ${ready.failed.message}` : "yes"],
    ["Spool", ready.spool && said(ready.spool, ready.spool_error)],
    ["Redis", ready.redis && said(ready.redis, ready.redis_error)],
    ["Threads", status && `${number(status["active processes"])} busy, ${number(status["idle processes"])} idle, at most ${number(status["max active processes"])} at once so far`],
    ["Connections", status && `${number(status["accepted conn"])} accepted, ${number(status["listen queue"] ?? 0)} waiting`],
    ["Slow requests", status && number(status["slow requests"])],
    ["Up for", status && about(status["start since"])],
  ]));
}

export function view() {
  const list = workerList("h2"), totals = h("p", { class: "dim" }), place = h("div");
  const el = h("div", {}, h("div", { class: "head" }, h("h1", { text: "Workers" }), totals), list.el, h("section", { class: "card pad" }, h("h2", { text: "Responder" }), place));
  const update = () => {
    list.update();
    const all = state.workers || [];
    const busy = all.reduce((a, w) => a + (w.busy || 0), 0), slots = all.reduce((a, w) => a + (w.slots || 0), 0);
    const speed = all.flatMap((w) => w.jobs || []).reduce((a, job) => a + (job.rate || 0), 0);
    say(totals, state.workers ? `${number(all.length)} running, ${number(busy)}${slots ? ` of ${number(slots)}` : ""} slots in use${speed ? `, ${bytes(speed)}/s` : ""}` : "");
  };
  const load = () => { if (!document.hidden) void responder(place); };
  const timer = setInterval(load, 60000);
  load();
  update();
  return { el, title: "Workers", on: update, close: () => clearInterval(timer) };
}
