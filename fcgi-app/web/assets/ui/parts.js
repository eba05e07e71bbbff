/*
 * parts: what every view is put together from.  Whatever comes from outside becomes text, never markup.
 */
import { ago, bytes, clock, columnsPath, number, roundUp, sum } from "./tools.js";

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, kids) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "text") node.textContent = value;
    else if (name === "value" || name === "checked" || name === "disabled" || name === "hidden" || name === "indeterminate") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...kids.flat(9).filter((kid) => kid !== null && kid !== undefined && kid !== false));
  return node;
}

/* h("a", {href, text, onclick}, ...children): text children are text. */
export const h = (name, props, ...kids) => fill(document.createElement(name), props, kids);
export const s = (name, props, ...kids) => fill(document.createElementNS(SVG, name), props, kids);

/* Only what is different is written, so that what is selected or read aloud stays. */
export function say(node, text) {
  text = String(text);
  if (node.textContent !== text) node.textContent = text;
}
export function mark(node, name, value) {
  if (value === undefined || value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value === true ? "" : value);
}

/* Rows by key: make(item) gives {el, update(item)}; kept rows keep their place in the page, their focus and selection. */
export function rows(parent, key, make) {
  const known = new Map();
  return (items) => {
    const wanted = new Map();
    for (const item of items) if (!wanted.has(key(item))) wanted.set(key(item), item);
    for (const [k, row] of known)
      if (!wanted.has(k)) {
        row.close?.();
        row.el.remove();
        known.delete(k);
      }
    let at = parent.firstElementChild;
    for (const [k, item] of wanted) {
      let row = known.get(k);
      if (!row) known.set(k, (row = make(item)));
      row.update(item);
      if (row.el === at) at = at.nextElementSibling;
      else parent.insertBefore(row.el, at);
    }
  };
}

/* --- Icons: strokes on 16 by 16 --- */

const STROKES = {
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.2v9.6L12.5 8z",
  retry: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3",
  cross: "M4 4l8 8M12 4l-8 8",
  move: "M2.5 8h10M9 4.5 12.5 8 9 11.5",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9",
  moon: "M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6z",
  half: "M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11",
  key: "M10 3.5a2.7 2.7 0 1 1-1.3 5L4 13.2H2.6v-1.9l4.8-4.7A2.7 2.7 0 0 1 10 3.5z",
  up: "M8 12.5v-9M4.2 7.2 8 3.4l3.8 3.8",
  copy: "M6 6h7v7H6zM3.5 10V3.5H10",
  link: "M6.6 9.4l2.8-2.8M7.2 4.9l1.2-1.2a2.5 2.5 0 0 1 3.6 3.6l-1.2 1.2M8.8 11.1l-1.2 1.2A2.5 2.5 0 0 1 4 8.7l1.2-1.2",
  order: "M5 13V3.5M2.5 6 5 3.5 7.5 6M11 3v9.5M8.5 10l2.5 2.5 2.5-2.5",
};
export const icon = (name) => s("svg", { viewBox: "0 0 16 16", class: "i", "aria-hidden": "true" }, s("path", { d: STROKES[name] }));
export const button = (text, name, onclick, more = {}) => h("button", { type: "button", class: "b", onclick, ...more }, name && icon(name), h("span", { text }));

/* --- Words --- */

const STATES = { waiting: 1, scheduled: 1, running: 1, done: 1, dead: 1, cancelled: 1, accepted: 1, paused: 1, retrying: 1, idle: 1 };
export function badge(state = "") {
  const word = h("span"), el = h("span", { class: "badge" }, h("i", { "aria-hidden": "true" }), word);
  const update = (to) => {
    mark(el, "data-state", STATES[to] ? to : "other");
    say(word, to);
  };
  update(state);
  return { el, update };
}

/* A time that goes on by itself: how long ago, with the exact one to read on hovering. */
export function when(text) {
  const el = h("time", { "data-ago": true });
  const update = (to) => {
    if (!to) return void (say(el, "–"), mark(el, "datetime", null));
    mark(el, "datetime", to);
    mark(el, "title", clock(to));
    say(el, ago(to));
  };
  update(text);
  return { el, update };
}
setInterval(() => {
  if (!document.hidden) for (const el of document.querySelectorAll("time[data-ago][datetime]")) say(el, ago(el.dateTime));
}, 1000);

/* --- How far something is --- */

export function bar(label) {
  const inner = h("i"), el = h("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": label }, inner);
  const update = (part, tone = "") => {
    const known = part !== null && part !== undefined && Number.isFinite(part);
    const percent = known ? Math.round(Math.min(1, Math.max(0, part)) * 1000) / 10 : 0;
    mark(el, "aria-valuenow", known ? Math.round(percent) : null);
    mark(el, "data-tone", tone || null);
    mark(el, "data-unknown", !known);
    inner.style.transform = `scaleX(${percent / 100})`;
  };
  update(0);
  return { el, update };
}

/* --- The last hour --- */

const SERIES = [
  { name: "done", tone: "done" },
  { name: "failed", tone: "failed" },
];

/* A small one is a drawing with a sentence; a large one has a scale, and tells the minute under the pointer or the arrow keys. */
export function hourChart({ label, large = false, series = SERIES, unit = number }) {
  const height = large ? 40 : 16;
  const paths = series.map((one) => s("path", { class: `col ${one.tone}` }));
  const cursor = s("rect", { class: "cursor", y: 0, width: 1, height, visibility: "hidden" });
  const drawing = s("svg", { viewBox: `0 0 60 ${height}`, preserveAspectRatio: "none", class: "cols", "aria-hidden": "true" },
    large && [0.5, 1].map((at) => s("path", { class: "grid", d: `M0 ${height * (1 - at)}h60` })), s("path", { class: "floor", d: `M0 ${height}h60` }), cursor, paths);
  const most = h("span", { class: "most" }), told = h("p", { class: "told" });
  const plot = large ? h("div", { class: "plot", role: "slider", tabindex: 0, "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 59 }, drawing)
    : h("div", { class: "plot", role: "img" }, drawing);
  const el = h("figure", { class: `hour${large ? " large" : ""}` },
    large && h("figcaption", {}, h("span", { text: label }), h("span", { class: "legend" }, series.map((one) => h("span", { class: one.tone }, one.title || one.name)))),
    large && most, plot, large && h("div", { class: "axis", "aria-hidden": "true" }, ["60 min ago", "45", "30", "15", "now"].map((text) => h("span", { text }))), large && told);
  let values = series.map(() => []), last = 0, at = -1;

  const sentence = () => series.map((one, i) => `${unit(sum(values[i]))} ${one.title || one.name}`).join(", ");
  const show = () => {
    if (!large) return;
    mark(cursor, "visibility", at < 0 ? "hidden" : null);
    mark(cursor, "x", Math.max(0, at));
    const minute = new Date(last - (59 - at) * 60000);
    const text = at < 0 ? `In the last hour: ${sentence()}.`
      : `${String(minute.getHours()).padStart(2, "0")}:${String(minute.getMinutes()).padStart(2, "0")}: ${series.map((one, i) => `${unit(values[i][at] || 0)} ${one.title || one.name}`).join(", ")}`;
    say(told, text);
    mark(plot, "aria-valuenow", at < 0 ? 59 : at);
    mark(plot, "aria-valuetext", text);
  };
  if (large) {
    plot.addEventListener("pointermove", (e) => {
      const box = plot.getBoundingClientRect();
      at = Math.min(59, Math.max(0, Math.floor((60 * (e.clientX - box.left)) / box.width)));
      show();
    });
    const leave = () => { at = -1; show(); };
    plot.addEventListener("pointerleave", leave);
    plot.addEventListener("blur", leave);
    plot.addEventListener("keydown", (e) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10, Home: -99, End: 99 }[e.key];
      if (!step) return;
      e.preventDefault();
      at = Math.min(59, Math.max(0, (at < 0 ? 60 : at) + step));
      show();
    });
  }
  const update = (history) => {
    values = series.map((one) => history?.[one.name] || new Array(60).fill(0));
    last = history?.last_minute ? new Date(history.last_minute).getTime() : Date.now();
    const stacked = values[0].map((_, i) => values.reduce((a, list) => a + (list[i] || 0), 0));
    const top = Math.max(0, ...stacked), scale = large ? roundUp(top) : top;
    const base = new Array(60).fill(0);
    paths.forEach((path, i) => {
      mark(path, "d", columnsPath(values[i], base, scale, height));
      values[i].forEach((n, k) => { base[k] += n; });
    });
    if (large) say(most, top > 0 ? unit(scale) : "");
    else mark(plot, "aria-label", `${label}, last hour: ${sentence()}`);
    show();
  };
  update(null);
  return { el, update };
}

export const transferSeries = { series: [{ name: "bytes", title: "uploaded", tone: "done" }], unit: bytes };

/* --- Words about what is there, and what is not --- */

export const empty = (title, text) => h("div", { class: "empty" }, h("p", { class: "lead", text: title }), text && h("p", { text }));

/* Name and value, one below the other: [["Size", "4 KiB"], …]; without a value it is left out. */
export const facts = (pairs) => h("dl", { class: "facts" }, pairs.filter(([, value]) => value || value === 0).map(([name, value]) => h("div", {}, h("dt", { text: name }), h("dd", {}, value))));
