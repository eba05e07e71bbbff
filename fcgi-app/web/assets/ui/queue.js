/*
 * queue: one queue: its hour, its counters, its limits, its switches.
 */
import { get, may, queuePath } from "./api.js";
import { pauseQueue, promoteQueue, purgeQueue, resumeQueue, retryDead, saveLimits } from "./actions.js";
import { queueNamed, state, takeQueue } from "./feed.js";
import { badge, button, empty, facts, h, hourChart, mark, say, transferSeries, when } from "./parts.js";
import { waiting } from "./overview.js";
import { addressWrite, bytes, number, rate, short } from "./tools.js";

const LIMITS = [
  ["rate", "Begun a second", "at most so many jobs; 0.5 is one in two seconds"],
  ["burst", "At once after a pause", "how many of those may come together"],
  ["max_inflight", "Running at once", "over all workers"],
  ["max_length", "Jobs in the queue", "beyond it uploads are refused with 503"],
  ["max_bytes", "Bytes in the queue", "of jobs that have not ended: 500M, 2G"],
  ["group_max_inflight", "Running at once of a group", "1 unless set"],
  ["group_rate", "Begun a second of a group", ""],
  ["group_burst", "At once of a group", ""],
];

/* "2G" as bytes; other text as it is, for the service to refuse. */
export function readLimit(name, text) {
  const t = text.trim();
  if (t === "") return null;
  if (name === "retry_place") return t;
  const size = name === "max_bytes" && /^(\d+(?:\.\d+)?)\s*([KMGT])i?B?$/i.exec(t);
  if (size) return Math.round(Number(size[1]) * 1024 ** ("KMGT".indexOf(size[2].toUpperCase()) + 1));
  return /^\d+(\.\d+)?$/.test(t) ? Number(t) : t;
}

function limitsForm(name) {
  let now = null, touched = false;
  const inputs = LIMITS.map(([key, label, hint]) => ({ key, input: h("input", { name: key, id: `limit-${key}`, inputmode: key === "max_bytes" ? "text" : "decimal", placeholder: "no limit", autocomplete: "off", "aria-describedby": hint ? `hint-${key}` : null }), label, hint }));
  const place = h("select", { name: "retry_place", id: "limit-retry_place" }, [["", "keeps its place"], ["tail", "goes to the end"]].map(([value, text]) => h("option", { value, text })));
  inputs.push({ key: "retry_place", input: place, label: "A retry", hint: "" });
  const group = h("input", { name: "group", placeholder: "group", "aria-label": "Group", autocomplete: "off", maxlength: 64 });
  const what = h("select", { "aria-label": "Limit of the group" }, ["max_inflight", "rate", "burst"].map((text) => h("option", { value: `group_${text}`, text: { max_inflight: "running at once", rate: "begun a second", burst: "at once" }[text] })));
  const much = h("input", { name: "much", placeholder: "unset", "aria-label": "Value", inputmode: "decimal", autocomplete: "off" });
  const save = h("button", { type: "submit", class: "b primary", text: "Save limits" }), undo = button("Undo", null, () => { touched = false; show(); });
  const form = h("form", { class: "limits", onsubmit: submit, oninput: () => { touched = true; buttons(); } },
    inputs.map(({ key, input, label, hint }) => h("label", { class: "field", for: `limit-${key}` }, h("span", { text: label }), input, hint && h("small", { id: `hint-${key}`, text: hint }))),
    h("fieldset", { class: "field one-group" }, h("legend", { text: "For one group alone" }), h("div", {}, group, what, much)),
    h("div", { class: "actions" }, undo, save));
  const written = (key) => (key === "max_bytes" && now.limits[key] ? bytes(now.limits[key]).replace(/\.0 /, " ").replace(/ (.)iB$/, "$1").replace(/ B$/, "") : String(now.limits[key] ?? ""));
  const exact = (key) => (readLimit(key, written(key)) === now.limits[key] ? written(key) : String(now.limits[key] ?? ""));
  const shown = (key) => (now.limits[key] === undefined || now.limits[key] === 0 ? "" : key === "retry_place" ? (now.limits[key] === "tail" ? "tail" : "") : exact(key));
  function buttons() {
    const allowed = may("admin");
    for (const field of form.querySelectorAll("input, select")) field.disabled = !allowed;
    save.disabled = undo.disabled = !allowed || !touched;
    mark(save, "title", allowed ? null : "This token may not change limits");
  }
  function show() {
    if (!now) return;
    if (!touched) {
      for (const { key, input } of inputs) input.value = shown(key);
      group.value = much.value = "";
    }
    buttons();
  }
  async function submit(e) {
    e.preventDefault();
    const changes = {};
    for (const { key, input } of inputs) if (input.value !== shown(key)) changes[key] = readLimit(key, input.value);
    if (group.value.trim()) changes[`${what.value}:${group.value.trim()}`] = readLimit("", much.value);
    if (!Object.keys(changes).length) {
      touched = false;
      return show();
    }
    touched = false; /* what is written while it is being saved is not taken back */
    if (await saveLimits(now, changes)) now = queueNamed(name) || now;
    else touched = true;
    show();
  }
  return { el: form, update: (q) => { now = q; show(); } };
}

export function view({ id: name }) {
  const title = h("h1", { text: name }), paused = badge("paused"), oldest = when(), oldestLine = h("p", { class: "dim oldest" }, "The oldest ready job was made ", oldest.el, ".");
  const toggle = button("", "pause", () => act(now?.paused ? resumeQueue : pauseQueue)), again = button("Retry all dead", "retry", () => act(retryDead)), now_all = button("Run all scheduled now", "play", () => act(promoteQueue)), purge = button("Purge…", "cross", () => act(purgeQueue), { class: "b danger" });
  const tiles = h("section", { class: "tiles", "aria-label": "Jobs now" });
  const jobs = hourChart({ label: "Jobs a minute", large: true }), came = hourChart({ label: "Accepted a minute", large: true, series: [{ name: "enqueued", title: "accepted", tone: "in" }] }), sent = hourChart({ label: "Uploaded a minute", large: true, ...transferSeries });
  const totals = h("div"), limits = limitsForm(name), missing = empty("No such queue", `“${name}” is not configured, or not for this token.`);
  const page = h("div", {}, tiles, oldestLine,
    h("div", { class: "pair" }, h("section", { class: "card pad" }, jobs.el), h("section", { class: "card pad" }, sent.el)),
    h("section", { class: "card pad" }, came.el),
    h("div", { class: "pair" }, h("section", { class: "card pad" }, h("h2", { text: "Limits" }), h("p", { class: "dim", text: "Obeyed by the next job of every worker; nothing is restarted." }), limits.el), h("section", { class: "card pad" }, h("h2", { text: "Since the queue began" }), totals)));
  const el = h("div", {}, h("div", { class: "head" }, title, paused.el, h("span", { class: "grow" }), again, now_all, toggle, purge), page, missing);
  let now = null, fetched = 0;
  const act = (what) => (now ? what(now) : null);
  const tile = ([word, label, n, note]) => h("a", { class: "tile", href: addressWrite("jobs", "", { queue: name, state: word }), "data-tone": word === "dead" && n ? "dead" : null }, h("span", { class: "label", text: label }), h("span", { class: "value", text: short(n) }), h("span", { class: "note dim", text: note || "" }));

  function update() {
    now = queueNamed(name) || null;
    missing.hidden = Boolean(now) || !state.queues;
    page.hidden = !now;
    for (const b of [again, now_all, toggle, purge]) {
      b.hidden = !now;
      b.disabled = !may("admin");
      mark(b, "title", may("admin") ? null : "This token may not steer queues");
    }
    paused.el.hidden = !now?.paused;
    if (!now) return;
    again.hidden = now.dead === 0;
    now_all.hidden = now.scheduled === 0;
    say(toggle.lastChild, now.paused ? "Resume" : "Pause");
    const behind = [now.grouped && `${number(now.grouped)} behind their group`, now.behind && `${number(now.behind)} behind another job`].filter(Boolean).join(", ");
    const list = [["waiting", "Waiting", waiting(now), behind], ["scheduled", "Scheduled", now.scheduled, "and to be retried"], ["running", "Running", now.running, rate(now.rates?.done) + " done"], ["dead", "Dead", now.dead, now.dead ? "bytes are kept" : ""], ["done", "Done", now.done, "still remembered"]];
    const text = JSON.stringify(list);
    if (tiles.dataset.text !== text) {
      const at = [...tiles.children].indexOf(document.activeElement);
      tiles.replaceChildren(...list.map(tile));
      tiles.children[at]?.focus();
      tiles.dataset.text = text;
    }
    oldestLine.hidden = !now.oldest;
    oldest.update(now.oldest);
    jobs.update(now.history);
    came.update(now.history);
    sent.update(now.history);
    limits.update(now);
    totals.replaceChildren(facts([["Accepted", number(now.enqueued_total)], ["Done", number(now.done_total)], ["Failed attempts", number(now.failed_total)], ["Retried", number(now.retried_total)], ["Dead", number(now.dead_total)], ["Cancelled", number(now.cancelled_total)], ["Lost with a worker, and run again", number(now.crashed_total)], ["In the spool now", bytes(now.bytes)]]));
    if (!now.history && Date.now() - fetched > 60000) {
      fetched = Date.now();
      get(queuePath(name)).then(takeQueue).catch(() => {});
    }
  }
  update();
  return { el, title: name, on: (kind) => { if (kind !== "job") update(); }, close: () => {} };
}
