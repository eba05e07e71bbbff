/*
 * workers_page: all workers, and the responder itself.
 */
import { ask, may } from "./api.js";
import { state } from "./feed.js";
import { facts, h, say } from "./parts.js";
import { about, bytes, number } from "./tools.js";
import { workerList } from "./workers.js";

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
