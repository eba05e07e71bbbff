/*
 * overview: is it well?  Totals, the last hour, queues and workers on one page.
 */
import { may } from "./api.js";
import { state } from "./feed.js";
import { badge, button, empty, h, hourChart, mark, rows, say, when } from "./parts.js";
import { addHours, addressWrite, bytes, number, rate, short, sum } from "./tools.js";
import { workerList } from "./workers.js";

const actions = () => import("./actions.js"); /* nobody needs them before something is pressed */

export const waiting = (q) => q.ready + (q.grouped || 0) + (q.behind || 0);
const COUNTS = [
  ["waiting", "Waiting", waiting],
  ["scheduled", "Scheduled", (q) => q.scheduled],
  ["running", "Running", (q) => q.running],
  ["dead", "Dead", (q) => q.dead],
];

function tile(label) {
  const value = h("span", { class: "value" }), note = h("span", { class: "note dim" });
  const el = h("a", { class: "tile" }, h("span", { class: "label", text: label }), value, note);
  const update = (text, more, href, tone) => {
    say(value, text);
    say(note, more);
    mark(el, "href", href);
    mark(el, "data-tone", tone);
  };
  return { el, update };
}

function queueRow(queue) {
  const name = h("a", { class: "name" }), paused = badge("paused"), speed = h("span", { class: "num" }), chart = hourChart({ label: queue.name }), oldest = when();
  const counts = COUNTS.map(([state]) => h("a", { class: "num", "data-count": state }));
  const toggle = button("", null, async () => ((await actions())[now.paused ? "resumeQueue" : "pauseQueue"])(now), { class: "b small" });
  const again = button("Retry dead", null, async () => (await actions()).retryDead(now), { class: "b small" });
  let now = queue;
  const cell = (label, ...kids) => h("td", { "data-label": label }, kids);
  const el = h("tr", {}, h("th", { scope: "row" }, name, paused.el), counts.map((c, i) => cell(COUNTS[i][1], c)), cell("Oldest", oldest.el), cell("Last hour", chart.el), cell("Rate", speed), h("td", { class: "do" }, again, toggle));
  const update = (q) => {
    now = q;
    say(name, q.name);
    mark(name, "href", addressWrite("queue", q.name));
    paused.el.hidden = !q.paused;
    COUNTS.forEach(([word, label, of], i) => {
      say(counts[i], short(of(q)));
      mark(counts[i], "data-zero", of(q) === 0);
      mark(counts[i], "href", addressWrite("jobs", "", { queue: q.name, state: word }));
      mark(counts[i], "title", `${number(of(q))} ${label.toLowerCase()}`);
    });
    oldest.update(q.oldest);
    say(speed, rate(q.rates?.done));
    mark(speed, "title", `${rate(q.rates?.enqueued)} in, ${rate(q.rates?.done)} done, ${bytes(q.rates?.bytes)}/s`);
    chart.update(q.history);
    say(toggle.lastChild, q.paused ? "Resume" : "Pause");
    mark(toggle, "aria-label", `${q.paused ? "Resume" : "Pause"} ${q.name}`);
    mark(again, "aria-label", `Retry dead of ${q.name}`);
    again.hidden = q.dead === 0;
    for (const b of [again, toggle]) {
      b.disabled = !may("admin");
      mark(b, "title", may("admin") ? null : "This token may not steer queues");
    }
  };
  return { el, update };
}

export function view() {
  const tiles = { waiting: tile("Waiting"), running: tile("Running"), scheduled: tile("Scheduled"), dead: tile("Dead"), done: tile("Done in 1 h"), failed: tile("Failed in 1 h"), bytes: tile("Uploaded in 1 h") };
  const chart = hourChart({ label: "Jobs a minute", large: true });
  const body = h("tbody"), none = empty("No queue to see", "This token may use none of the queues.");
  const set = rows(body, (q) => q.name, queueRow);
  const table = h("table", { class: "queues" }, h("caption", { class: "sr", text: "Queues" }), h("thead", {}, h("tr", {}, ["Queue", "Waiting", "Scheduled", "Running", "Dead", "Oldest", "Last hour", "Rate now"].map((text, i) => h("th", { scope: "col", class: i > 0 && i < 5 ? "r" : null, text })), h("th", { scope: "col" }, h("span", { class: "sr", text: "Actions" })))), body);
  const workers = workerList();
  const el = h("div", { class: "overview" }, h("h1", { class: "sr", text: "Overview" }),
    h("section", { class: "tiles", "aria-label": "Totals" }, Object.values(tiles).map((t) => t.el)),
    h("section", { class: "card pad" }, chart.el),
    h("section", {}, h("h2", { text: "Queues" }), h("div", { class: "card scroll" }, table, none)),
    h("section", {}, h("h2", { text: "Workers" }), workers.el));
  none.hidden = true;

  const update = () => {
    workers.update();
    const queues = state.queues;
    if (!queues) return;
    /* A total leads to the queue that has most of it. */
    const lead = (word, of) => {
      const most = queues.reduce((a, q) => (!a || of(q) > of(a) ? q : a), null);
      return most && addressWrite("jobs", "", { queue: most.name, state: word });
    };
    const slots = sum((state.workers || []).map((w) => w.slots || 0));
    for (const [word, , of] of COUNTS) {
      const total = sum(queues.map(of)), paused = queues.filter((q) => q.paused).length;
      const note = word === "waiting" && paused ? `${number(paused)} paused` : word === "running" && slots ? `of ${number(slots)} slots` : word === "dead" && total ? "want a look" : "";
      tiles[word].update(short(total), note, lead(word, of), word === "dead" && total ? "dead" : null);
    }
    const oldest = queues.map((q) => q.oldest).filter(Boolean).sort()[0];
    if (oldest && !tiles.waiting.el.lastChild.textContent) tiles.waiting.el.lastChild.replaceChildren("oldest ", when(oldest).el);
    const hour = Object.fromEntries(["enqueued", "done", "failed", "bytes"].map((name) => [name, addHours(queues, name)]));
    const add = (name) => sum(queues.map((q) => q.rates?.[name] || 0));
    tiles.done.update(short(sum(hour.done)), `${rate(add("done"))} now`, lead("done", (q) => q.done));
    tiles.failed.update(short(sum(hour.failed)), sum(hour.failed) ? "attempts" : "", null);
    tiles.bytes.update(bytes(sum(hour.bytes)), `${bytes(add("bytes"))}/s now`, null);
    chart.update({ ...hour, last_minute: queues.find((q) => q.history)?.history.last_minute });
    set(queues);
    none.hidden = queues.length > 0;
    table.hidden = queues.length === 0;
  };
  update();
  return { el, title: "Overview", on: update };
}
