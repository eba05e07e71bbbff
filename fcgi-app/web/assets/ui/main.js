/*
 * main: the frame of the page: which view is open (its address stands behind the #), the connection, keys, colours, the token.
 *
 * A view is {el, title, on(kind, data), query(query), close()}: on is called with what the feed tells, query when only the part
 * behind the ? of its address has changed, which a view without it takes as a new address.
 */
import { ask, onRights, onUnauthorized, signIn, tokenIsSet } from "./api.js";
import { on, start, state } from "./feed.js";
import { view as overview } from "./overview.js";
import { button, empty, h, icon, mark, say } from "./parts.js";
import { addressRead, addressWrite, idIs } from "./tools.js";

const $ = (id) => document.getElementById(id);
const VIEWS = {
  overview: async () => overview,
  workers: async () => (await import("./workers_page.js")).view,
  jobs: async () => (await import("./jobs.js")).view,
  job: async () => (await import("./job.js")).view,
  queue: async () => (await import("./queue.js")).view,
  upload: async () => (await import("./upload.js")).view,
};
const NAV = { queue: "overview", job: "jobs" };

/* --- Which view --- */

let open = null, address = null, turn = 0;

async function show() {
  const next = addressRead(location.hash);
  if (open?.query && next.view === address.view && next.id === address.id) {
    address = next;
    return open.query(next.query);
  }
  const mine = ++turn, first = !address;
  address = next;
  for (const link of document.querySelectorAll("#nav a")) mark(link, "aria-current", link.dataset.view === (NAV[next.view] || next.view) ? "page" : null);
  let made;
  try {
    made = VIEWS[next.view] ? (await VIEWS[next.view]())(next) : { el: empty("There is no such page", "The views are in the bar above."), title: "Not found" };
  } catch (e) {
    made = { el: empty("This part of the page could not be loaded", e.message), title: "Not loaded" };
  }
  if (mine !== turn) return void made.close?.();
  open?.close?.();
  open = made;
  $("main").replaceChildren(made.el);
  document.title = made.title === "Overview" ? "hoist" : `${made.title} – hoist`;
  if (!first) {
    window.scrollTo(0, 0);
    $("main").focus({ preventScroll: true });
  }
}

/* --- The connection --- */

const LINKS = {
  connecting: "connecting", live: "live", polling: "every 5 s", offline: "not reached", paused: "paused", refused: "sign in",
};

function showLink() {
  const refused = state.link === "refused";
  mark($("link"), "data-link", state.link);
  say($("link-text"), refused && state.why?.status === 403 ? "refused" : LINKS[state.link]);
  mark($("link"), "title", { polling: "The stream of events cannot be had: asked every five seconds", live: "Everything here is as it is now" }[state.link] || state.why?.message);
  const notice = $("notice"), since = state.at ? " What is shown may be old." : "";
  notice.hidden = !["offline", "refused"].includes(state.link);
  if (notice.hidden) return;
  if (state.link === "offline") notice.replaceChildren(h("span", { text: `${state.why.status ? `The queue cannot be asked: ${state.why.message}.` : "The service cannot be reached."}${since} Trying again.` }));
  else if (state.why?.status === 403) notice.replaceChildren(h("span", { text: `${state.why.message}.` }), button("Use another token", "key", () => signIn()));
  else notice.replaceChildren(h("span", { text: "The service wants a token." }), button("Sign in", "key", () => signIn()));
}

/* --- Who is here --- */

onUnauthorized((wrong) => import("./access.js").then((access) => access.askToken(wrong), () => ""));

/* One harmless question tells whether queues may be steered, so that what may not be pressed is not offered. */
function learnRights() {
  ask("GET", "status?json", { scope: "admin", quiet: true }).catch(() => {});
}

let hadToken = tokenIsSet();
onRights(() => {
  open?.on?.("rights");
  if (tokenIsSet() && !hadToken) learnRights();
  hadToken = tokenIsSet();
});

const about = async () => (await import("./access.js")).about();

/* --- Colours --- */

const THEMES = ["", "light", "dark"];
function showTheme() {
  const theme = document.documentElement.dataset.theme || "";
  $("theme").replaceChildren(icon({ "": "half", light: "sun", dark: "moon" }[theme]));
  mark($("theme"), "aria-label", `Colours: ${theme || "as the system"}`);
  mark($("theme"), "title", `Colours: ${theme || "as the system"}`);
}

function turnTheme() {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme || "") + 1) % THEMES.length];
  if (next) document.documentElement.dataset.theme = next;
  else delete document.documentElement.dataset.theme;
  try {
    if (next) localStorage.setItem("hoist-theme", next);
    else localStorage.removeItem("hoist-theme");
  } catch {
    /* For this page alone, then. */
  }
  showTheme();
}

/* --- Keys --- */

let before = "";
function onKey(e) {
  if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
  if (e.target.matches("input, select, textarea")) {
    if (e.key === "Escape") e.target.blur();
    return;
  }
  const pair = before + e.key;
  before = e.key === "g" ? "g " : "";
  const go = { "g o": "", "g j": "jobs", "g w": "workers", "g u": "upload" }[pair];
  const does = { "/": () => $("find-text").focus(), "?": about, t: turnTheme }[e.key];
  if (go !== undefined) location.hash = `#/${go}`;
  else if (does) does();
  else if (!open?.key?.(e)) return;
  e.preventDefault();
}

/* --- Search --- */

function onFind(e) {
  e.preventDefault();
  const text = $("find-text").value.trim();
  if (!text) return;
  $("find-text").blur();
  location.hash = idIs(text) ? addressWrite("job", text) : addressWrite("jobs", "", { queue: address.query.queue || (address.view === "queue" ? address.id : ""), search: text });
}

/* --- Files that are dropped anywhere --- */

function watchDrops() {
  let depth = 0;
  const has = (e) => e.dataTransfer && [...e.dataTransfer.types].includes("Files");
  const lit = (yes) => mark(document.body, "data-drop", yes);
  addEventListener("dragenter", (e) => { if (has(e)) { depth++; lit(true); } });
  addEventListener("dragleave", (e) => { if (has(e) && --depth <= 0) { depth = 0; lit(false); } });
  addEventListener("dragover", (e) => { if (has(e)) e.preventDefault(); });
  addEventListener("drop", async (e) => {
    if (!has(e)) return;
    e.preventDefault();
    depth = 0;
    lit(false);
    const files = [...e.dataTransfer.files];
    const { take } = await import("./upload.js");
    if (address.view !== "upload") location.hash = "#/upload";
    take(files);
  });
}

/* What is under way is told in the bar, whichever view is open. */
document.addEventListener("hoist-sending", ({ detail: n }) => {
  $("sending").hidden = n === 0;
  say($("sending"), n || "");
  mark($("sending"), "aria-label", n ? `, ${n} under way` : null);
});

$("theme").addEventListener("click", turnTheme);
$("more").append(h("b", { "aria-hidden": "true", text: "?" }));
$("more").addEventListener("click", about);
$("find").addEventListener("submit", onFind);
$("skip").addEventListener("click", (e) => { e.preventDefault(); $("main").focus(); });
addEventListener("hashchange", show);
addEventListener("keydown", onKey);
watchDrops();
showTheme();
on((kind, data) => {
  if (kind === "link") showLink();
  open?.on?.(kind, data);
});
void show();
start();
setTimeout(learnRights, 1);
