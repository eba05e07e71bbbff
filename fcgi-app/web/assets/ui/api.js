/*
 * api: every request to the service.
 *
 * Addresses are relative to the page, so that it works below any prefix.  The token is in sessionStorage: it ends with the tab,
 * is no cookie, and so goes nowhere by itself.  What changes something carries a header that no page of another origin can
 * send unasked, beside the service's own rule about origins.
 *
 *     ask("GET", "v1/queues")  -->  the JSON; or throws Refused {status, type, message}
 *
 * A 401 opens one dialog for all that wait; whoever asked goes on with the token that was given.
 */
const KEY = "hoist-token";
const PREFIX = "urn:hoist:problem:";

export class Refused extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail || problem.title || (status ? `the service answered ${status}` : "the service cannot be reached"));
    this.status = status;
    this.type = (problem.type || "").replace(PREFIX, "");
    this.retryAfter = retryAfter;
  }
}

export const url = (path) => new URL(path, document.baseURI).href;

let token = "";
try {
  token = sessionStorage.getItem(KEY) || "";
} catch {
  /* No storage: it is kept by the page alone. */
}

export const tokenIsSet = () => token !== "";
export const tokenValue = () => token;

export function setToken(text) {
  token = text;
  rights = { admin: undefined, upload: undefined, read: undefined };
  try {
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  } catch {
    /* As above. */
  }
  changed();
}

/* What the client may: true, false, or undefined while nobody has tried. */
let rights = { admin: undefined, upload: undefined, read: undefined };
const watchers = new Set();
const changed = () => watchers.forEach((fn) => fn());

export const may = (scope) => rights[scope] !== false;
export function onRights(fn) {
  watchers.add(fn);
  return () => watchers.delete(fn);
}
export function setRight(scope, yes) {
  if (rights[scope] === yes) return;
  rights[scope] = yes;
  changed();
}

/* Set by the page: opens the dialog; a promise of a token, or "" when it was closed. */
let prompt = async () => "";
let prompted = null;
export const onUnauthorized = (fn) => { prompt = fn; };

export function headers(more = {}) {
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

/* After a 401: whether there is another token now.  Whoever closed the dialog is not asked again by what goes on by itself. */
let declined = false;
export async function signIn({ quiet = false } = {}) {
  if (quiet && declined && !prompted) return false;
  const used = token;
  prompted ||= prompt(used !== "").finally(() => { prompted = null; });
  const given = await prompted;
  declined = !given;
  if (given && given !== token) setToken(given);
  return token !== "" && token !== used;
}

/* Why it was refused, of an answer that is not ok. */
export async function refusal(answer) {
  let problem = {};
  try {
    problem = JSON.parse(await answer.text());
  } catch {
    /* The web server's own page. */
  }
  return new Refused(answer.status, problem || {}, Number(answer.headers.get("Retry-After")) || 0);
}

async function send(method, path, { body, signal, scope } = {}) {
  const options = { method, signal, cache: "no-store", redirect: "error", headers: headers({ Accept: "application/json" }) };
  if (method !== "GET") options.headers["X-Requested-With"] = "hoist";
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(url(path), options);
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new Refused(0, {});
  }
  if (!answer.ok) {
    const why = await refusal(answer);
    if (scope && why.status === 403 && why.type === "forbidden") setRight(scope, false);
    throw why;
  }
  if (scope) setRight(scope, true);
  const text = await answer.text();
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    throw new Refused(answer.status, { detail: "the answer is not JSON: is this the service's address?" });
  }
}

/* scope: what the route wants, to learn whether the client has it. */
export async function ask(method, path, options = {}) {
  for (;;) {
    try {
      return await send(method, path, options);
    } catch (e) {
      if (!(e instanceof Refused) || e.status !== 401 || !(await signIn(options))) throw e;
    }
  }
}

export const jobPath = (id, tail = "") => `v1/jobs/${encodeURIComponent(id)}${tail}`;
export const queuePath = (name, tail = "") => `v1/queues/${encodeURIComponent(name)}${tail}`;
export const get = (path, options) => ask("GET", path, { scope: "read", ...options });
export const steerJob = (method, id, tail, body) => ask(method, jobPath(id, tail), { scope: "upload", body });
export const steerQueue = (method, name, tail, body) => ask(method, queuePath(name, tail), { scope: "admin", body });
