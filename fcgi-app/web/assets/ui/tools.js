/*
 * tools: what needs no page: numbers, times and addresses as people read them, and the lines of a stream of events.  Pure.
 */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export const number = (n) => Math.round(n || 0).toString().replace(/\B(?=(\d{3})+$)/g, ",");

/* 12,345 as 12.3k: for places that are narrow. */
export function short(n) {
  n = n || 0;
  for (const [size, letter] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]])
    if (n >= size) {
      const scaled = n / (letter === "k" ? 1e3 : size);
      return (scaled < 100 ? scaled.toFixed(1).replace(/\.0$/, "") : Math.round(scaled)) + letter;
    }
  return number(n);
}

export function bytes(n) {
  n = n || 0;
  let unit = 0;
  while (n >= 1024 && unit < UNITS.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${UNITS[unit]}`;
}

export function rate(n, of = "") {
  n = n || 0;
  const text = n === 0 ? "0" : n < 0.1 ? n.toFixed(2) : n < 10 ? n.toFixed(1) : number(n);
  return `${text}${of}/s`;
}

/* Seconds as "3.2 s", "4 min 10 s", "2 h 5 min", "3 d 4 h". */
export function span(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  if (seconds < 1) return seconds === 0 ? "0 s" : `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  const pair = (big, one, small, other) => (small ? `${big} ${one} ${small} ${other}` : `${big} ${one}`);
  if (s < 3600) return pair(Math.floor(s / 60), "min", s % 60, "s");
  if (s < 86400) return pair(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
  return pair(Math.floor(s / 86400), "d", Math.floor((s % 86400) / 3600), "h");
}

/* Seconds in one unit, for what counts up while one looks at it. */
export function about(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

const two = (n) => String(n).padStart(2, "0");

/* RFC 3339 in the reader's own time: "14:03:12", or with the day where that is not today. */
export function clock(text, now = new Date()) {
  const t = new Date(text);
  if (Number.isNaN(t.getTime())) return "–";
  const time = `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
  const day = `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
  const today = t.getFullYear() === now.getFullYear() && t.getMonth() === now.getMonth() && t.getDate() === now.getDate();
  return today ? time : `${day} ${time}`;
}

export const since = (text, now = Date.now()) => (now - new Date(text).getTime()) / 1000;

/* How long ago, or until, it is. */
export function ago(text, now = Date.now()) {
  const s = since(text, now);
  if (!Number.isFinite(s)) return "–";
  return s < -0.5 ? `in ${about(-s)}` : s < 1 ? "now" : `${about(s)} ago`;
}

export const sum = (list) => (list || []).reduce((a, b) => a + b, 0);

/* An id is QUEUE.UUID; people know a job by the end of it. */
export const idIs = (text) => /^[a-z0-9][a-z0-9_-]{0,31}\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
export const idTail = (id) => `…${id.slice(-8)}`;
export const idQueue = (id) => id.slice(0, id.indexOf("."));

/* --- Addresses: #/jobs?queue=docs&state=dead --- */

export function addressRead(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?", 2);
  const [view, ...rest] = path.split("/");
  let id = rest.join("/");
  try {
    id = decodeURIComponent(id);
  } catch {
    /* As it is. */
  }
  return { view: view || "overview", id, query: Object.fromEntries(new URLSearchParams(query || "")) };
}

export function addressWrite(view, id, query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const tail = new URLSearchParams(kept).toString();
  return `#/${view === "overview" ? "" : view}${id ? `/${encodeURIComponent(id)}` : ""}${tail ? `?${tail}` : ""}`;
}

/* --- Server-sent events (WHATWG HTML, section 9.2.6), as far as they are used here --- */

/* Returns a function that takes pieces of text as they come and calls on(event, data) for each whole event; comments count
 * as a sign of life, which is the caller's matter. */
export function eventReader(on, longest = 4 << 20) {
  let rest = "", event = "", data = [], held = 0;
  const line = (text) => {
    if (text === "") {
      if (data.length) on(event || "message", data.join("\n"));
      event = "";
      data = [];
      held = 0;
      return;
    }
    const at = text.indexOf(":");
    const name = at < 0 ? text : text.slice(0, at);
    const value = at < 0 ? "" : text.slice(at + 1).replace(/^ /, "");
    if (name === "event") event = value;
    if (name === "data") {
      data.push(value);
      held += value.length;
    }
  };
  return (piece) => {
    if (rest.length + held + piece.length > longest) throw new Error("an event is too long");
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    lines.forEach(line);
  };
}

/* --- Charts: a column for each minute --- */

/* The outline of columns, one unit wide each, standing on `base` columns; heights in units of `most` over `height`. */
export function columnsPath(values, base, most, height) {
  const gap = 0.28, scale = most > 0 ? height / most : 0;
  let d = "";
  values.forEach((value, i) => {
    if (!(value > 0)) return;
    const from = height - (base ? base[i] : 0) * scale;
    const tall = Math.max(value * scale, 0.04 * height);
    d += `M${+(i + gap / 2).toFixed(2)} ${+from.toFixed(2)}v${+(-tall).toFixed(2)}h${1 - gap}v${+tall.toFixed(2)}z`;
  });
  return d;
}

/* A round number at or above it, for the top of a scale. */
export function roundUp(n) {
  if (n <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(n));
  for (const step of [1, 2, 3, 4, 5, 6, 8]) if (n <= step * power) return step * power;
  return 10 * power;
}

/* Several queues' hours added up, by the minute; nothing where none has one. */
export function addHours(queues, name) {
  const out = new Array(60).fill(0);
  for (const q of queues) (q.history?.[name] || []).forEach((n, i) => { if (i < 60) out[i] += n; });
  return out;
}
