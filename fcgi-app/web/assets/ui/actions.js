/*
 * actions: what can be done, each with its question first.  Each is a promise of what came of it; null: nothing was done.
 */
import { ask, jobPath, queuePath, steerJob, steerQueue } from "./api.js";
import { attempt, question, toast } from "./dialogs.js";
import { state, takeQueue, takeWorker } from "./feed.js";
import { h, say } from "./parts.js";
import { number } from "./tools.js";

const many = (n, what) => `${number(n)} ${what}${n === 1 ? "" : "s"}`;

/* --- Queues --- */

async function switchQueue(queue, verb, done) {
  const now = await attempt(() => steerQueue("POST", queue.name, `/${verb}`), done);
  if (now) takeQueue(now);
  return now;
}

export async function pauseQueue(queue) {
  const text = "No job of it is begun until it is resumed. Those that run go on, and uploads are accepted as before.";
  if (!(await question({ title: `Pause ${queue.name}?`, text, action: "Pause" }))) return null;
  return switchQueue(queue, "pause", `${queue.name} is paused`);
}

export async function resumeQueue(queue) {
  if (!(await question({ title: `Resume ${queue.name}?`, text: `Workers begin its ${many(queue.ready, "ready job")} again.`, action: "Resume", keep: "Leave it paused" }))) return null;
  return switchQueue(queue, "resume", `${queue.name} runs again`);
}

/* The service does 100 a call: call after call, with a message that counts and can stop it. */
async function allOf(queue, verb, body, count) {
  const text = h("span"), place = document.getElementById("toasts");
  let stopped = false, total = 0, cursor = null;
  const el = h("div", { class: "toast" }, text, h("button", { type: "button", class: "b small", text: "Stop", onclick: () => { stopped = true; } }));
  place.append(el);
  try {
    do {
      say(text, `${queue.name}: ${number(total)} so far`);
      const query = cursor ? `?after=${encodeURIComponent(cursor)}` : "";
      const answer = await ask("POST", queuePath(queue.name, `/${verb}${query}`), { scope: "admin", body });
      total += count(answer);
      cursor = answer.cursor;
    } while (cursor && !stopped);
  } finally {
    el.remove();
  }
  return total;
}

export async function retryDead(queue) {
  const text = `${many(queue.dead, "job")} of this queue ${queue.dead === 1 ? "is" : "are"} tried again from the first attempt on, in the order in which they died.`;
  if (!(await question({ title: `Run all dead jobs of ${queue.name} again?`, text, action: "Run them again" }))) return null;
  return attempt(() => allOf(queue, "retry", undefined, (a) => a.retried), (n) => `${many(n, "job")} of ${queue.name} wait again`);
}

export async function promoteQueue(queue) {
  const text = `${many(queue.scheduled, "job")} of this queue ${queue.scheduled === 1 ? "waits" : "wait"} no longer for ${queue.scheduled === 1 ? "its" : "their"} time, nor for the next attempt.`;
  if (!(await question({ title: `Run all scheduled jobs of ${queue.name} now?`, text, action: "Run them now" }))) return null;
  return attempt(() => allOf(queue, "promote", undefined, (a) => a.promoted), (n) => `${many(n, "scheduled job")} of ${queue.name} run now`);
}

export async function purgeQueue(queue) {
  const got = await question({
    title: `Purge ${queue.name}`, danger: true, action: "Cancel the jobs",
    text: "All jobs of that state are cancelled and their bytes removed from the spool. This cannot be undone.",
    fields: [
      { name: "state", label: "Jobs that are", options: ["dead", "waiting", "scheduled"], value: "dead" },
      { name: "confirm", label: `To go on, type ${queue.name}`, must: queue.name },
    ],
  });
  if (!got) return null;
  return attempt(() => allOf(queue, "purge", got, (a) => a.cancelled + (a.stopping || 0)), (n) => `${many(n, "job")} of ${queue.name} cancelled`);
}

export const saveLimits = (queue, changes) => attempt(async () => {
  const now = await steerQueue("PATCH", queue.name, "", changes);
  takeQueue(now);
  return now;
}, `Limits of ${queue.name} saved; the next job obeys them`);

/* --- Workers --- */

async function switchWorker(worker, verb, done) {
  const now = await attempt(() => ask("POST", `v1/workers/${encodeURIComponent(worker.id)}/${verb}`, { scope: "admin" }), done);
  if (now) takeWorker(now);
  return now;
}

export async function quietWorker(worker) {
  const text = "It ends what it runs, gives back what it has claimed ahead and begins no more, until it is resumed or started anew. It hears of it within a quarter of a minute.";
  if (!(await question({ title: `Quiet ${worker.id}?`, text, action: "Quiet" }))) return null;
  return switchWorker(worker, "quiet", `${worker.id} begins no more`);
}

export async function resumeWorker(worker) {
  if (!(await question({ title: `Resume ${worker.id}?`, text: "It begins jobs again, within seconds.", action: "Resume", keep: "Leave it quiet" }))) return null;
  return switchWorker(worker, "resume", `${worker.id} begins jobs again`);
}

/* --- Jobs: one, or those that were picked --- */

const named = (jobs) => (jobs.length === 1 ? `“${jobs[0].name || jobs[0].id}”` : many(jobs.length, "job"));

/* A few at a time; a refusal of one does not stop the others.  {done, refused} */
async function each(jobs, work) {
  const left = [...jobs], refused = [], done = [];
  const one = async () => {
    for (let job = left.shift(); job; job = left.shift())
      try {
        done.push((await work(job)) || job);
      } catch (e) {
        refused.push(e);
        if (e.status === 401 || (e.status === 403 && e.type === "forbidden")) left.length = 0;
      }
  };
  await Promise.all([one(), one(), one(), one()]);
  if (refused.length) toast(`${refused.length === jobs.length && jobs.length === 1 ? "That did not work" : `${number(refused.length)} of ${number(jobs.length)} were refused`}: ${refused[0].message}`, "bad");
  return { done, refused };
}

async function eachSaid(jobs, work, said) {
  const result = await each(jobs, work);
  if (result.done.length) toast(said(result.done.length), "good");
  return result;
}

export async function retryJobs(jobs) {
  if (!(await question({ title: `Run ${named(jobs)} again?`, text: "From the first attempt on, with the bytes that were kept.", action: "Run again" }))) return null;
  return eachSaid(jobs, (job) => steerJob("POST", job.id, "/retry"), (n) => `${many(n, "job")} waiting again`);
}

export async function promoteJobs(jobs) {
  if (!(await question({ title: `Run ${named(jobs)} now?`, text: "Before the time that was set, or without waiting for the next attempt. Priority, place and attempts stay as they are.", action: "Run now" }))) return null;
  return eachSaid(jobs, (job) => steerJob("POST", job.id, "/promote"), (n) => `${many(n, "job")} waiting no longer for the time`);
}

export async function cancelJobs(jobs) {
  const runs = jobs.some((job) => job.state === "running");
  const text = ["The bytes are removed from the spool. This cannot be undone."];
  if (runs) text.unshift(`${jobs.length === 1 ? "It is" : "Some are"} running: the worker is told and stops within seconds.`);
  if (!(await question({ title: `Cancel ${named(jobs)}?`, text, action: jobs.length === 1 ? "Cancel the job" : "Cancel the jobs", danger: true }))) return null;
  return eachSaid(jobs, (job) => steerJob("DELETE", job.id, ""), (n) => (runs ? `${many(n, "job")} asked to stop` : `${many(n, "job")} cancelled`));
}

export async function moveJobs(jobs) {
  const others = (state.queues || []).map((q) => q.name).filter((name) => jobs.some((job) => job.queue !== name));
  if (!others.length) return void toast("There is no other queue", "bad");
  const got = await question({
    title: `Move ${named(jobs)}`, text: "To another queue, under a new id; destination, key and group go along.", action: "Move",
    fields: [{ name: "queue", label: "To the queue", options: others }],
  });
  if (!got) return null;
  return eachSaid(jobs, (job) => steerJob("POST", job.id, "/move", got), (n) => `${many(n, "job")} moved to ${got.queue}`);
}

export async function prioritizeJobs(jobs) {
  const got = await question({
    title: `Priority of ${named(jobs)}`, text: "0 runs first, 9 last; it counts from the next place in line on.", action: "Set",
    fields: [{ name: "priority", label: "Priority", options: [..."0123456789"], value: String(jobs[0].priority ?? 0) }],
  });
  if (!got) return null;
  return eachSaid(jobs, (job) => steerJob("POST", job.id, "/priority", { priority: Number(got.priority) }), (n) => `Priority of ${many(n, "job")} is ${got.priority}`);
}

/* What can be done to a job in its state. */
export const can = {
  retry: (job) => job.state === "dead",
  promote: (job) => job.state === "scheduled",
  cancel: (job) => ["accepted", "waiting", "scheduled", "running", "dead"].includes(job.state) && !job.cancelling,
  move: (job) => ["waiting", "scheduled", "dead"].includes(job.state),
  prioritize: (job) => ["waiting", "scheduled", "running"].includes(job.state),
};

export const presign = (job, seconds) => ask("GET", jobPath(job.id, `?presign=${seconds}`), { scope: "read" });
