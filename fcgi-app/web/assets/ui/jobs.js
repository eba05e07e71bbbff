/*
 * jobs: the jobs of a queue by state, a page at a time, searched by id and name, picked and steered.
 */
import { get, may, onRights } from "./api.js";
import { can, cancelJobs, moveJobs, prioritizeJobs, promoteJobs, promoteQueue, retryJobs, retryDead } from "./actions.js";
import { queueNamed, state } from "./feed.js";
import { badge, bar, button, empty, h, mark, rows, say, when } from "./parts.js";
import { waiting } from "./overview.js";
import { addressWrite, bytes, idTail, number, short } from "./tools.js";

const PAGE = 50, ENOUGH = 20, CALLS = 8, QUIET_MS = 1200;
const TABS = [
  ["", "All", null], ["waiting", "Waiting", waiting], ["scheduled", "Scheduled", (q) => q.scheduled], ["running", "Running", (q) => q.running],
  ["dead", "Dead", (q) => q.dead], ["done", "Done", (q) => q.done], ["cancelled", "Cancelled", null],
];

const ENDED = ["dead", "done", "cancelled"]; /* of these the latest is first, unless the address says otherwise */

/* Which time says most about it. */
function timeOf(job) {
  if (job.state === "scheduled") return ["due ", job.due];
  if (job.ended) return ["", job.ended];
  if (job.state === "running") return ["began ", job.started];
  return ["", job.created];
}

function jobRow(onPick) {
  return (first) => {
    let job = first;
    const pick = h("input", { type: "checkbox", onchange: () => onPick(job.id, pick.checked), onclick: (e) => e.stopPropagation() });
    const name = h("a", { class: "name" }), tail = h("span", { class: "id dim" }), state = badge(), tries = h("span", { class: "num dim" }), size = h("span", { class: "num" });
    const word = h("span"), time = when(), where = h("span", { class: "where" }), progress = bar("Uploaded"), far = h("span", { class: "num dim" });
    const cell = (label, ...kids) => h("td", { "data-label": label }, kids);
    const el = h("tr", { tabindex: -1 }, h("td", { class: "pick" }, pick), h("th", { scope: "row" }, name, tail), cell("State", state.el, tries), cell("Size", size), cell("When", h("span", {}, word, time.el)), h("td", { class: "what", "data-label": "" }, where, h("span", { class: "far", hidden: true }, progress.el, far)));
    const update = (to) => {
      job = to;
      say(name, job.name || job.id);
      mark(name, "href", addressWrite("job", job.id));
      say(tail, idTail(job.id));
      mark(tail, "title", job.id);
      mark(pick, "aria-label", `Pick ${job.name || job.id}`);
      state.update(job.cancelling ? "cancelling" : job.state === "scheduled" && job.attempts > 0 ? "retrying" : job.state);
      say(tries, job.attempts > 0 && job.state !== "done" ? `try ${job.attempts} of ${job.max_attempts}` : "");
      say(size, job.size === undefined ? "–" : bytes(job.size));
      const [before, text] = timeOf(job);
      say(word, before);
      time.update(text);
      const runs = job.state === "running";
      say(where, job.error && job.state !== "done" ? job.error.text || job.error.class : job.result?.url || `to ${job.to || "–"}${job.group ? ` · group ${job.group}` : ""}`);
      mark(where, "data-tone", job.error && job.state !== "done" ? "bad" : null);
      where.hidden = runs && !job.error;
      where.title = where.textContent;
      far.parentNode.hidden = !runs;
      if (runs) {
        progress.update(job.size > 0 ? job.sent / job.size : null, "run");
        mark(progress.el, "aria-label", `${job.name} uploaded`);
        say(far, [job.phase, job.rate > 0 ? `${bytes(job.rate)}/s` : ""].filter(Boolean).join(", "));
      }
    };
    return { el, update, set: (yes) => { pick.checked = yes; mark(el, "data-picked", yes); } };
  };
}

export function view({ query: given }) {
  let query = given, jobs = [], cursor = null, loading = 0, counted = "", timer = 0, over = false, failed = null;
  const picked = new Set();

  /* --- The frame --- */
  const queues = h("select", { "aria-label": "Queue", onchange: () => go({ queue: queues.value }) });
  const tabs = TABS.map(([word, label]) => {
    const count = h("span", { class: "n" });
    return { word, count, el: h("a", {}, h("span", { text: label }), count) };
  });
  const found = h("p", { class: "found" }), head = h("div", { class: "head" }, h("h1", { text: "Jobs" }), queues, found);
  const all = h("input", { type: "checkbox", "aria-label": "Pick all on this page", onchange: () => { jobs.forEach((job) => (all.checked ? picked.add(job.id) : picked.delete(job.id))); showPicked(); } });
  const body = h("tbody");
  const made = new Map();
  const makeRow = jobRow((id, yes) => { if (yes) picked.add(id); else picked.delete(id); showPicked(); });
  const set = rows(body, (job) => job.id, (job) => {
    const row = makeRow(job);
    made.set(job.id, row);
    return { ...row, close: () => made.delete(job.id) };
  });
  const table = h("table", { class: "jobs" }, h("caption", { class: "sr", text: "Jobs" }), h("thead", {}, h("tr", {}, h("th", { class: "pick", scope: "col" }, all), ["Name", "State", "Size", "When", "Where, or why not"].map((text) => h("th", { scope: "col", text })))), body);
  const none = h("div"), first = button("First page", null, () => go({ after: "" }, true)), back = button("Back", null, () => history.back()), next = button("Next page", null, () => go({ after: cursor }, true));
  const pager = h("nav", { class: "pager", "aria-label": "Pages" }, first, back, next);
  const bulk = h("div", { class: "bulk", role: "region", "aria-label": "What is picked", hidden: true });
  const all_dead = button("Retry all dead", "retry", async () => { const q = queueNamed(query.queue); if (q && (await retryDead(q)) !== null) soon(); });
  const all_later = button("Run all now", "play", async () => { const q = queueNamed(query.queue); if (q && (await promoteQueue(q)) !== null) soon(); });
  const el = h("div", {}, head, h("div", { class: "bar-row" }, h("nav", { class: "tabs", "aria-label": "States" }, tabs.map((t) => t.el)), all_dead, all_later), h("div", { class: "card scroll", "aria-busy": "false" }, table, none), pager, bulk);
  const frame = table.parentNode;

  const newest = () => (query.order ? query.order === "newest" : ENDED.includes(query.state));
  const turn = button("Newest first", "order", () => go({ order: newest() ? "oldest" : "newest" }), { class: "b small plain" });
  all_dead.before(turn);
  function go(change, page = false) {
    const to = { ...query, ...change };
    if (!page) delete to.after;
    location.hash = addressWrite("jobs", "", to);
  }

  /* --- What is picked --- */
  const pickedJobs = () => jobs.filter((job) => picked.has(job.id));
  async function steer(what, which) {
    const result = await what(which);
    if (!result) return;
    result.done.forEach((job) => picked.delete(job.id));
    picked.clear();
    load(true);
  }
  function showPicked() {
    for (const [id, row] of made) row.set(picked.has(id));
    const list = pickedJobs();
    all.checked = list.length > 0 && list.length === jobs.length;
    all.indeterminate = list.length > 0 && list.length < jobs.length;
    bulk.hidden = list.length === 0;
    if (bulk.hidden) return void bulk.replaceChildren();
    const act = (text, name, test, what, danger) => {
      const those = list.filter(test);
      return button(those.length === list.length ? text : `${text} ${those.length}`, name, () => steer(what, those), { disabled: those.length === 0 || !may("upload"), class: danger ? "b danger" : "b", title: may("upload") ? null : "This token may not steer jobs" });
    };
    bulk.replaceChildren(h("strong", { text: `${number(list.length)} picked` }),
      act("Retry", "retry", can.retry, retryJobs), act("Run now", "play", can.promote, promoteJobs), act("Move", "move", can.move, moveJobs), act("Priority", "order", can.prioritize, prioritizeJobs), act("Cancel", "cross", can.cancel, cancelJobs, true),
      button("None", null, () => { picked.clear(); showPicked(); }, { class: "b plain" }));
  }

  /* --- What is shown --- */
  function showFrame() {
    const names = (state.queues || []).map((q) => q.name);
    if (query.queue && !names.includes(query.queue)) names.push(query.queue);
    if (names.join() !== [...queues.options].map((o) => o.value).join()) queues.replaceChildren(...names.map((name) => h("option", { value: name, text: name })));
    queues.value = query.queue || "";
    queues.hidden = names.length < 2;
    const q = queueNamed(query.queue);
    tabs.forEach((tab, i) => {
      const of = TABS[i][2];
      mark(tab.el, "href", addressWrite("jobs", "", { ...query, after: "", order: "", state: tab.word }));
      mark(tab.el, "aria-current", (query.state || "") === tab.word ? "true" : null);
      say(tab.count, q && of ? short(of(q)) : "");
    });
    found.replaceChildren();
    turn.hidden = !query.state;
    say(turn.lastChild, newest() ? "Newest first" : "Oldest first");
    if (query.search) found.append("with “", h("b", { text: query.search }), "” in id or name", button("Clear", "cross", () => go({ search: "" }), { class: "b small" }));
    all_dead.hidden = query.state !== "dead" || !q || q.dead === 0;
    all_later.hidden = query.state !== "scheduled" || !q || q.scheduled === 0;
    all_dead.disabled = all_later.disabled = !may("admin");
    first.hidden = back.hidden = !query.after;
    next.hidden = !cursor;
    pager.hidden = first.hidden && next.hidden;
  }

  function showJobs() {
    set(jobs);
    for (const id of picked) if (!made.has(id)) picked.delete(id);
    table.hidden = jobs.length === 0;
    none.hidden = jobs.length > 0;
    if (jobs.length === 0) none.replaceChildren(
      failed ? empty("The jobs cannot be shown", failed.message)
        : loading ? empty("…")
          : cursor ? empty("Nothing on this page", "Go on to the next one: what was looked through held nothing of this kind.")
            : query.search ? empty("Nothing found", "Looked for are the beginning of an id, and any part of a name.")
              : query.state === "dead" ? empty("No dead jobs", "Everything arrived, or is still being tried.") : empty("No jobs here"));
    showPicked();
    showFrame();
  }

  async function load(quiet = false) {
    if (!query.queue) {
      /* The queues are not known yet: the first one, as soon as they are. */
      if (!state.queues) return showJobs();
      query = { ...query, queue: (state.queues.find((q) => q.name === "default") || state.queues[0])?.name || "default" };
    }
    const mine = ++loading;
    if (!quiet) mark(frame, "aria-busy", "true");
    try {
      /* A page of the service may be short, or empty, and not the last: others' jobs, other states, no match. */
      let after = query.after || "", list = [];
      for (let calls = 0; calls < CALLS; calls++) {
        const text = new URLSearchParams(Object.entries({ queue: query.queue, state: query.state || "", search: query.search || "", order: newest() ? "newest" : "", after, limit: PAGE }).filter(([, value]) => value));
        const answer = await get(`v1/jobs?${text}`);
        if (mine !== loading || over) return;
        list = list.concat(answer.jobs);
        after = answer.cursor;
        if (!after || list.length >= ENOUGH) break;
      }
      jobs = list;
      cursor = after;
      failed = null;
    } catch (e) {
      if (mine !== loading || over) return;
      if (!quiet) jobs = [];
      failed = e;
    }
    loading = 0;
    mark(frame, "aria-busy", "false");
    showJobs();
  }

  /* Something happened: look again, but not for each of a thousand. */
  const soon = () => { timer ||= setTimeout(() => { timer = 0; if (!document.hidden) load(true); }, QUIET_MS); };

  function on(kind, data) {
    if (kind === "job" && (!data.queue || data.queue === query.queue)) soon();
    if (kind === "rights") showPicked();
    if (kind === "queues") {
      if (!query.queue) return void load();
      const q = queueNamed(query.queue);
      const now = q && [q.ready, q.grouped, q.behind, q.scheduled, q.running, q.dead, q.done_total, q.cancelled_total, q.failed_total].join();
      if (counted && now !== counted) soon();
      counted = now || "";
      showFrame();
    }
    if (kind === "workers") {
      const known = new Map((state.workers || []).flatMap((w) => w.jobs || []).map((job) => [job.id, job]));
      for (const job of jobs) {
        const far = job.state === "running" && known.get(job.id);
        if (far) made.get(job.id)?.update(Object.assign(job, { sent: far.sent, phase: far.phase, rate: far.rate }));
      }
    }
  }

  function key(e) {
    const list = [...body.children], at = list.indexOf(document.activeElement?.closest("tr"));
    const to = { j: at + 1, k: at < 0 ? 0 : at - 1, ArrowDown: at < 0 ? -1 : at + 1, ArrowUp: at - 1 }[e.key];
    if (to !== undefined && list[to]) return void list[to].focus(), true;
    if (e.key === "x" && at >= 0) return void list[at].querySelector("input").click(), true;
    if (e.key === "Enter" && document.activeElement === list[at]) return void list[at].querySelector("a").click(), true;
    if (e.key === "n" && !next.hidden) return void next.click(), true;
    if (e.key === "p" && !back.hidden) return void back.click(), true;
    return false;
  }

  const forget = onRights(showFrame);
  loading = 1;
  showJobs();
  void load();
  return {
    el, title: "Jobs", on, key,
    query: (to) => {
      query = to;
      picked.clear();
      jobs = [];
      cursor = null;
      loading = 1;
      showJobs();
      void load();
    },
    close: () => { over = true; clearTimeout(timer); forget(); },
  };
}
