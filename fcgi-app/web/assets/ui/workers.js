/*
 * workers: each with what it is uploading and how far that is.
 */
import { may } from "./api.js";
import { state } from "./feed.js";
import { badge, bar, button, empty, h, mark, rows, say, when } from "./parts.js";
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

const workerCard = (level) => (first) => {
  let now = first;
  const toggle = button("", null, async () => ((await import("./actions.js"))[now.quiet ? "resumeWorker" : "quietWorker"])(now), { class: "b small" });
  const name = h(level), health = badge(), host = h("span", { class: "dim" }), slots = h("span", { class: "num" }), fillBar = bar("Slots in use"), speed = h("span"), seen = when(), heard = h("span", {}, "heard of ", seen.el), queues = h("span", { class: "dim" });
  const list = h("ul", { class: "runs" }), none = h("p", { class: "dim quiet" }), halted = h("p", { class: "warn" });
  const set = rows(list, (job) => job.id, jobRow);
  const el = h("article", { class: "card worker" }, h("header", {}, h("div", {}, name, host), health.el, h("div", { class: "slots" }, fillBar.el, slots), h("div", { class: "dim seen num" }, speed, heard), toggle), halted, list, none);
  host.after(queues);
  const update = (w) => {
    now = w;
    say(toggle.lastChild, w.quiet ? "Resume" : "Quiet");
    mark(toggle, "aria-label", `${w.quiet ? "Resume" : "Quiet"} ${w.id}`);
    toggle.disabled = !may("admin");
    mark(toggle, "title", may("admin") ? null : "This token may not steer workers");
    const last = Math.max(...state.workers.map((one) => Date.parse(one.seen) || 0));
    const late = Math.max(last - Date.parse(w.seen), state.workersAt - Date.parse(w.seen) - 2000 * LATE_S) > 1000 * LATE_S;
    const rate = (w.jobs || []).reduce((a, job) => a + (job.rate || 0), 0);
    say(name, w.id);
    say(host, [w.host, w.pid && `pid ${w.pid}`, w.version && `version ${w.version}`, w.started && `up ${about(since(w.started))}`].filter(Boolean).join(" · "));
    say(queues, w.queues?.length ? `works on ${w.queues.join(", ")}` : "");
    health.update(late ? "late" : w.alive === false ? "stuck" : w.quiet ? "quiet" : w.busy > 0 ? "running" : "idle");
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
    const rest = !w.busy ? (w.quiet ? "" : "Nothing to do") : hidden > 0 ? (w.jobs?.length ? `and ${number(hidden)} more` : `${number(hidden)} under way`) : "";
    const hush = !w.quiet ? "" : !w.quiet_since ? "Told to begin no more" : w.busy ? "Begins no more; what it runs goes on" : "Begins no more, and runs nothing: it can be stopped";
    say(none, [hush, rest].filter(Boolean).join(" · "));
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
