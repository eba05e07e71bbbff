/*
 * job: the whole story of one job: what it is, how far, each attempt, where it went, what can be done about it.
 */
import { get, jobPath, may } from "./api.js";
import { can, cancelJobs, moveJobs, presign, prioritizeJobs, promoteJobs, retryJobs } from "./actions.js";
import { attempt, copy, question } from "./dialogs.js";
import { state } from "./feed.js";
import { badge, bar, button, empty, facts, h, mark, say, when } from "./parts.js";
import { addressWrite, bytes, clock, number, since, span } from "./tools.js";

const SOON_MS = 300, RUNS_MS = 5000, FINAL = ["done", "dead", "cancelled"];

const mono = (text) => text && h("code", { text });
const jobLink = (id) => id && h("a", { href: addressWrite("job", id) }, h("code", { text: id }));
const exact = (text) => text && h("span", {}, clock(text), " ", h("span", { class: "dim" }, "(", when(text).el, ")"));
/* Only what a browser may open by itself; the service's own s3:// addresses are text. */
const target = (text) => text && (/^https?:\/\//.test(text) ? h("a", { href: text, rel: "noreferrer noopener", target: "_blank" }, mono(text)) : mono(text));

/* --- Its way: what happened, in order --- */

function steps(job) {
  const list = [{ at: job.created, title: "Accepted", text: job.owner && `from ${job.owner}`, tone: "in" }];
  if (job.due) list.push({ at: job.due, title: job.state === "scheduled" ? "Due" : "Was due", tone: "later", text: job.attempts > 0 ? "to be tried again" : "not before" });
  for (const a of job.tries || []) {
    const long = a.ended && a.started ? `took ${span((new Date(a.ended) - new Date(a.started)) / 1000)}` : "";
    const word = { failed: "failed", running: "runs", done: "arrived", cancelled: "was stopped" }[a.state] || a.state;
    list.push({ at: a.started || a.ended, title: `Attempt ${a.attempt} ${word}`, text: [a.worker && `on ${a.worker}`, long].filter(Boolean).join(", "), error: a.error, tone: { failed: "bad", done: "done", running: "run" }[a.state] });
  }
  if (!job.tries?.length && job.started) list.push({ at: job.started, title: job.attempts > 0 ? `Attempt ${job.attempts} began` : "Began", tone: "run", text: "" });
  if (job.ended) list.push({ at: job.ended, title: { done: "Done", dead: "Dead", cancelled: "Cancelled" }[job.state] || "Ended", tone: { done: "done", dead: "bad" }[job.state] || "off", text: job.created && `${span((new Date(job.ended) - new Date(job.created)) / 1000)} after it was accepted` });
  return list.filter((one) => one.at).sort((a, b) => new Date(a.at) - new Date(b.at));
}

const step = (one) => h("li", { "data-tone": one.tone }, h("i", { "aria-hidden": "true" }), h("div", {}, h("p", {}, h("b", { text: one.title }), " ", h("time", { datetime: one.at, text: clock(one.at) })), one.text && h("p", { class: "dim", text: one.text }), one.error && h("p", { class: "error" }, one.error.class && h("span", { class: "class", text: one.error.class }), " ", one.error.text)));

/* --- Parts of a large one --- */

function partsOf(job) {
  if (!job.parts) return null;
  const done = job.state === "done" ? job.parts : job.parts_done || 0;
  const cells = Math.min(job.parts, 200);
  return h("div", { class: "parts", role: "img", "aria-label": `${number(done)} of ${number(job.parts)} parts uploaded` }, Array.from({ length: cells }, (_, i) => h("i", { "data-done": (i + 1) / cells <= done / job.parts })));
}

/* What a store has of an upload in parts: "3 of 5 (24 MiB): 1 to 3 done, 4 to 5 missing". */
function heldText(m) {
  const runs = [];
  for (const { number: n, state: word } of m.parts) {
    const last = runs.at(-1);
    if (last && last.word === word && last.to + 1 === n) last.to = n;
    else runs.push({ word, from: n, to: n });
  }
  const listed = runs.map((r) => `${number(r.from)}${r.to > r.from ? ` to ${number(r.to)}` : ""} ${r.word}`).join(", ");
  return `${m.to}: ${number(m.done)}${m.total ? ` of ${number(m.total)}` : ""}${m.done_bytes ? ` (${bytes(m.done_bytes)})` : ""}${listed && `: ${listed}`}`;
}

export function view({ id }) {
  const title = h("h1"), word = badge(), crumbs = h("p", { class: "crumbs" }), acts = h("div", { class: "acts" });
  const progress = bar("Uploaded"), far = h("p", { class: "num" }), parts = h("div"), running = h("section", { class: "card pad running", "aria-label": "How far it is" }, progress.el, far, parts);
  const trouble = h("section", { class: "card pad trouble", "aria-label": "Why it failed" }), way = h("ol", { class: "way" }), what = h("div"), where = h("div"), raw = h("pre", { tabindex: 0, "aria-label": "The job as JSON" });
  const copyRaw = button("Copy", "copy", () => copy(raw.textContent, "JSON"), { class: "b small" });
  const details = h("details", { class: "card pad" }, h("summary", { text: "As JSON" }), copyRaw, raw);
  const page = h("div", {}, running, trouble, h("div", { class: "pair story" }, h("section", { class: "card pad" }, h("h2", { text: "Its way" }), way), h("div", {}, h("section", { class: "card pad" }, h("h2", { text: "What it is" }), what), h("section", { class: "card pad" }, h("h2", { text: "Where it goes" }), where))), details);
  const missing = h("div"), el = h("div", {}, crumbs, h("div", { class: "head" }, title, word.el, h("span", { class: "grow" }), acts), page, missing);
  const held = h("span");
  let job = null, timer = 0, over = false, under = false, batch = null, link = null;

  async function done(result) {
    if (!result) return;
    const moved = result.done.find((one) => one && one.id && one.id !== id);
    if (moved) location.hash = addressWrite("job", moved.id);
    else void load();
  }

  async function share() {
    const got = await question({ title: "A link to the object", text: "Whoever has it can read the object for so long, without a token.", action: "Make a link", fields: [{ name: "minutes", label: "Minutes", type: "number", value: 60, min: 1, max: 10080, required: true }] });
    if (!got) return;
    const answer = await attempt(() => presign(job, Math.round(Number(got.minutes) * 60)));
    if (!answer?.result?.presigned_url) return;
    link = answer.result;
    show();
    await copy(link.presigned_url, "Link");
  }

  async function askBatch() {
    batch = (await attempt(() => get(`v1/batches/${encodeURIComponent(job.batch)}`))) || batch;
    show();
  }

  function buttons() {
    const act = (text, name, test, fn, scope = "upload", danger = false) => test && button(text, name, fn, { disabled: !may(scope), class: danger ? "b danger" : "b", title: may(scope) ? null : "This token may not steer jobs" });
    const focused = document.activeElement?.closest(".acts button")?.textContent;
    acts.replaceChildren(...[
      act("Retry", "retry", can.retry(job), async () => done(await retryJobs([job]))),
      act("Run now", "play", can.promote(job), async () => done(await promoteJobs([job]))),
      act("Move", "move", can.move(job), async () => done(await moveJobs([job]))),
      act("Priority", "order", can.prioritize(job), async () => done(await prioritizeJobs([job]))),
      act("Link", "link", job.state === "done", share, "read"),
      act(job.state === "dead" ? "Discard" : "Cancel", "cross", can.cancel(job), async () => done(await cancelJobs([job])), "upload", true),
      button("Copy id", "copy", () => copy(id, "Id")),
    ].filter(Boolean));
    if (focused) [...acts.children].find((b) => b.textContent === focused)?.focus();
  }

  function showFar() {
    running.hidden = job.state !== "running";
    if (running.hidden) return;
    progress.update(job.size > 0 ? (job.sent || 0) / job.size : null, "run");
    const left = job.rate > 0 && job.size > job.sent ? `${span(Math.round((job.size - job.sent) / job.rate))} left` : "";
    say(far, [job.cancelling ? "stopping" : job.phase || "running", job.size > 0 ? `${bytes(job.sent)} of ${bytes(job.size)}` : bytes(job.sent), job.rate > 0 && `${bytes(job.rate)}/s`, left, job.parts && `${number(job.parts_done || 0)} of ${number(job.parts)} parts`].filter(Boolean).join(" · "));
    parts.replaceChildren(partsOf(job) || "");
  }

  const batchText = () => batch && `${number(batch.total)} jobs, ${number(batch.done)} done, ${number(batch.dead)} dead, ${number(batch.waiting_or_running)} to come: ${batch.state}`;

  let shown = "";
  function show() {
    say(title, job.name || job.id);
    word.update(job.cancelling ? "cancelling" : job.state === "scheduled" && job.attempts > 0 ? "retrying" : job.state);
    crumbs.replaceChildren(h("a", { href: addressWrite("jobs", "", { queue: job.queue }), text: "Jobs" }), " / ", h("a", { href: addressWrite("queue", job.queue), text: job.queue }), " / ", h("code", { text: job.id.slice(job.queue.length + 1) }));
    showFar();
    /* What does not change is left alone: it may be selected, or being read. */
    const { sent, rate, phase, parts_done, multipart, ...rest } = job;
    const text = JSON.stringify([rest, Boolean(multipart), batch, link, may("upload")]);
    say(held, (multipart || []).map(heldText).join("; "));
    say(raw, JSON.stringify(job, null, 2));
    if (text === shown) return;
    shown = text;
    buttons();
    trouble.hidden = !job.error || job.state === "done";
    if (!trouble.hidden) trouble.replaceChildren(h("h2", { text: job.state === "dead" ? "Why it is dead" : "What went wrong last" }), h("p", { class: "error" }, job.error.class && h("span", { class: "class", text: job.error.class }), " ", job.error.text), h("p", { class: "dim", text: `After ${number(job.attempts)} of ${number(job.max_attempts)} attempts.${job.state === "dead" ? " Its bytes are kept in the spool until it is run again or discarded." : ""}` }));
    way.replaceChildren(...steps(job).map(step));
    const meta = Object.entries(job.meta || {});
    what.replaceChildren(facts([
      ["Size", job.size !== undefined && `${bytes(job.size)}${job.size >= 1024 ? ` (${number(job.size)} bytes)` : ""}`], ["Type", job.type], ["SHA-256", mono(job.sha256)], ["CRC-32C", mono(job.crc32c)],
      ["From", target(job.source_url)], ["Schedule", job.schedule], ["Owner", job.owner], ["Policy", job.policy],
      ["Priority", String(job.priority ?? 0)], ["Attempts", `${number(job.attempts)} of ${number(job.max_attempts)}`], ["Group", job.group], ["After", jobLink(job.after)], ["If that fails", job.after_failure],
      ["Unique key", mono(job.unique)], ["until", job.unique_until], ["Batch", job.batch && h("span", {}, mono(job.batch), " ", batch ? h("span", { class: "dim", text: batchText() }) : button("How is it?", null, askBatch, { class: "b small" }))],
      ["Not in the batch", job.batch_refused && h("span", {}, mono(job.batch_refused), " ", h("span", { class: "dim", text: "of another" }))], ["Request", mono(job.request_id)], ["Trace", mono(job.traceparent)], ["Lost with a worker", job.crashes > 0 && `${number(job.crashes)} times`], ["Source", job.source], ["Meta", meta.length > 0 && h("ul", { class: "meta" }, meta.map(([name, value]) => h("li", {}, h("b", { text: name }), " ", value)))],
    ]));
    where.replaceChildren(facts([
      ["Destination", job.to], ["Key", mono(job.key)], ["Converters", job.convert], ["Kept in", job.sandbox],
      ["Arrived at", target(job.result?.url)], ["ETag", mono(job.result?.etag)], ["Size there", job.result?.size && bytes(job.result.size)], ["SHA-256 there", mono(job.result?.sha256)],
      ["Of several", job.results?.length > 0 && h("ul", { class: "meta" }, job.results.map((r) => h("li", {}, h("b", { text: r.to }), " ", mono(r.url) || "")))],
      ["Parts there", multipart && held],
      ["Link", link && h("span", {}, target(link.presigned_url), " ", h("span", { class: "dim" }, "until ", clock(link.expires)))],
      ["Accepted", exact(job.created)], ["Due", job.state === "scheduled" && exact(job.due)], ["Began", exact(job.started)], ["Ended", exact(job.ended)],
      ["Waited", job.started && job.created && span(Math.max(0, (new Date(job.started) - new Date(job.created)) / 1000))], ["Ran", job.started && span(Math.max(0, (job.ended ? new Date(job.ended) - new Date(job.started) : since(job.started) * 1000) / 1000))],
    ]));
  }

  async function load() {
    if (under || over) return;
    under = true;
    try {
      job = await get(jobPath(id));
      if (over) return;
      page.hidden = false;
      missing.replaceChildren();
      show();
      document.title = `${job.name || id} – hoist`;
    } catch (e) {
      if (over) return;
      if (!job || e.status === 404) {
        say(title, "Job");
        page.hidden = true;
        word.el.hidden = true;
        acts.replaceChildren();
        missing.replaceChildren(e.status === 404 ? empty("There is no such job", "It may have ended long ago and been forgotten, or it is not this token's.") : empty("The job cannot be shown", e.message));
      }
    } finally {
      under = false;
    }
  }

  const soon = () => { timer ||= setTimeout(() => { timer = 0; void load(); }, SOON_MS); };
  const slow = setInterval(() => { if (!document.hidden && job && !FINAL.includes(job.state)) void load(); }, RUNS_MS);

  function on(kind, data) {
    if (kind === "job" && data.id === id) soon();
    if (kind === "rights" && job) show();
    if (kind !== "workers" || job?.state !== "running") return;
    const now = (state.workers || []).flatMap((w) => w.jobs || []).find((one) => one.id === id);
    if (now) {
      Object.assign(job, { sent: now.sent, rate: now.rate, phase: now.phase, parts: now.parts, parts_done: now.parts_done });
      showFar();
    } else soon();
  }

  page.hidden = true;
  say(title, "…");
  word.el.hidden = false;
  void load();
  return { el, title: "Job", on, close: () => { over = true; clearTimeout(timer); clearInterval(slow); } };
}
