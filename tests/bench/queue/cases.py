"""What is measured, and how each system is asked to do it.

A family is one library with its producer; a case is one way to run its worker.  Families
other than hoist are programs in peers/ with the commands that common.py describes; hoist
is `bench_queue`, which measures itself and prints a JSON object.
"""

import contextlib
import dataclasses
import json
import math
import os
import pathlib
import statistics
import subprocess
import time

import processes
from processes import Failure

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CACHE = ROOT / "build/cache/queue-bench"
PYTHON = "/usr/bin/python3"  # the one that Debian's packages are for
STEP_S = 900.0  # the longest that any one step may take
READY_S = 60.0
SLOWEST_START_MS = 500.0  # of the idle ones, on average
WARM = 10  # first samples that do not count
SETTLE_S = 2.0


@dataclasses.dataclass(frozen=True)
class Family:
    program: tuple  # the producer
    packages: tuple  # Debian's
    version: tuple  # a command that prints it, and fails when something is missing


@dataclasses.dataclass(frozen=True)
class Case:
    title: str
    family: str
    worker: tuple = ()
    burst: tuple = ()  # more words for the worker of a drain
    share: float = 1.0  # of --jobs: slow ones drain fewer
    gap_ms: float = 25.0  # between idle samples: enough to be idle again


def python(module, *more):
    code = f"import {module}, redis; print({module}.__version__)"
    return Family(
        (PYTHON, f"{module}_peer.py"), more + ("python3-redis",), (PYTHON, "-c", code)
    )


FAMILIES = {
    "celery": python("celery", "python3-celery"),
    "rq": python("rq", "python3-rq"),
    "sidekiq": Family(
        ("ruby", "sidekiq_peer.rb"),
        ("ruby-sidekiq",),
        ("ruby", "-e", "require 'sidekiq'; puts Sidekiq::VERSION"),
    ),
    "bullmq": Family(
        ("node", "bullmq_peer.js"),
        ("nodejs", "npm"),
        ("node", "-p", "require('ioredis'); require('bullmq/package.json').version"),
    ),
    "hoist": Family((), (), ("git", "-C", str(ROOT), "describe", "--always", "--dirty")),
}

CELERY = FAMILIES["celery"].program + ("worker", "--concurrency")
RQ = FAMILIES["rq"].program + ("worker",)
SIDEKIQ = ("sidekiq", "-r", "./sidekiq_peer.rb", "-q", "default")
CASES = {
    "celery-1": Case("Celery, prefork 1", "celery", (*CELERY, "1"), share=0.1),
    "celery-2": Case("Celery, prefork 2", "celery", (*CELERY, "2"), share=0.1),
    "rq-fork": Case(
        "RQ, forking", "rq", (*RQ, "fork"), ("burst",), share=0.003, gap_ms=100
    ),
    "rq-simple": Case("RQ, SimpleWorker", "rq", (*RQ, "simple"), ("burst",), share=0.05),
    "sidekiq": Case(
        "Sidekiq, 10 threads", "sidekiq", (*SIDEKIQ, "-c", "10"), share=0.25
    ),
    "bullmq": Case(
        "BullMQ, 100 at once",
        "bullmq",
        FAMILIES["bullmq"].program + ("worker", "100"),
    ),
    "hoist": Case("hoist", "hoist"),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    jobs: int
    samples: int
    quiet_s: float
    build: pathlib.Path
    concurrency: int  # of hoist; 0 is its own default

    def jobs_of(self, case):
        return max(20, round(self.jobs * case.share))

    @property
    def few(self):
        """Jobs enqueued one by one, and those whose memory is measured."""
        return self.jobs // 10


def percentiles(samples):
    ordered = sorted(samples)
    p99 = ordered[math.ceil(0.99 * len(ordered)) - 1]
    return {"idle_p50_ms": statistics.median(ordered), "idle_p99_ms": p99}


def rate(jobs, seconds):
    if seconds <= 0:
        raise Failure(f"{jobs} jobs in {seconds} s is no measurement")
    return jobs / seconds


class Peer:
    """One family that is not hoist, on a Redis, for one round."""

    def __init__(self, name, redis, directory, settings):
        self.family, self.redis, self.settings = FAMILIES[name], redis, settings
        self.log, self.stamps = directory / f"{name}.log", directory / "stamps"
        self.pipe = directory / "pipe"

    def options(self, stamps, batch=1):
        own = {
            "BENCH_REDIS": self.redis.socket,
            "BENCH_STAMPS": str(stamps),
            "BENCH_BATCH": str(batch),
            "NODE_PATH": str(CACHE / "node_modules"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return {"cwd": HERE / "peers", "env": {**os.environ, **own}}

    def enqueue(self, mode, jobs):
        self.stamps.write_bytes(b"")
        words = [*self.family.program, "enqueue", mode, jobs]
        options = self.options(self.stamps)
        return float(processes.output_of(words, self.log, STEP_S, **options))

    def producer(self, bulk_jobs):
        """Speed of the producer; Redis memory of a waiting job."""
        few = self.settings.few
        self.redis.empty()
        self.enqueue("one", 1)  # the first one brings scripts and the queue itself
        before = self.redis.memory()
        one = rate(few, self.enqueue("one", few))
        after = self.redis.memory()
        self.redis.empty()
        bulk = rate(bulk_jobs, self.enqueue("bulk", bulk_jobs))
        bytes_ = (after - before) / few
        return {"enqueue_one": one, "enqueue_bulk": bulk, "bytes_per_job": bytes_}

    def steps(self):
        return self.drain, self.idle

    def drain(self, case):
        jobs = self.settings.jobs_of(case)
        self.redis.empty()
        self.enqueue("bulk", jobs)
        self.stamps.write_bytes(b"")
        words, options = [*case.worker, *case.burst], self.options(self.stamps, jobs)
        with processes.child(words, self.log, **options) as process:
            with processes.PeakMemory(process.pid) as peak:
                self._wait(process, jobs)
        moments = processes.stamps(self.stamps)
        if len(moments) != jobs:
            raise Failure(f"{len(moments)} of {jobs} jobs ran")
        seconds = (max(moments) - min(moments)) / 1e9
        return {"drain": rate(jobs - 1, seconds), "worker_mib": peak.kib / 1024}

    def _wait(self, process, jobs):
        deadline = time.monotonic() + STEP_S
        ended = False  # looked at before the stamps: its last ones count
        while self.stamps.stat().st_size < jobs * 8:
            if ended or time.monotonic() > deadline:
                words = "the worker ended" if ended else f"not done in {STEP_S:.0f} s"
                raise Failure(f"{words}\n{processes.tail(self.log)}")
            ended = process.poll() is not None
            time.sleep(0.05)

    def idle(self, case):
        """One worker with nothing to do: how soon it starts a job, what it asks Redis."""
        self.redis.empty()
        settings = self.settings
        samples = settings.samples + WARM
        words = [*self.family.program, "idle", samples, case.gap_ms]
        most_s = READY_S + samples * (case.gap_ms + SLOWEST_START_MS) / 1000
        with contextlib.ExitStack() as stack:
            os.mkfifo(self.pipe)
            stack.callback(self.pipe.unlink)
            # Held open, so that nobody who opens it waits for another.
            held = os.open(self.pipe, os.O_RDWR)
            stack.callback(os.close, held)
            options = self.options(self.pipe)
            worker = processes.child(case.worker, self.log, **options)
            process = stack.enter_context(worker)
            out = processes.output_of(words, self.log, most_s, **options)
            time.sleep(SETTLE_S)  # it is idleness that is measured
            commands, names = self.redis.commands(settings.quiet_s)
            if process.poll() is not None:
                raise Failure(f"the worker ended\n{processes.tail(self.log)}")
        return {
            **percentiles([float(ms) for ms in out.split()][WARM:]),
            "idle_commands": commands,
            "idle_commands_by_name": names,
        }


# What each command of bench_queue must say.
SAYS = {
    "enqueue": ("jobs", "seconds"),
    "drain": ("jobs", "seconds", "rss_kib"),
    "idle": ("p50_ms", "p99_ms"),
    "memory": ("bytes_per_job",),
    "quiet": (),
    "depth": ("rate_at_1000", "rate_at_n", "slowlog_over_5ms"),
}


class Hoist:
    """bench_queue, which measures itself.  Drain finds its jobs waiting; the other commands
    enqueue what they need."""

    def __init__(self, redis, directory, settings):
        self.redis, self.settings = redis, settings
        self.log, self.kib = directory / "hoist.log", 0

    def words(self, command, *more):
        program = bench_queue(self.settings.build)
        return [program, "--redis", self.redis.socket, command, *more]

    def ask(self, command, *more):
        """What the command says; it must have done all that it was asked."""
        words = self.words(command, *more)
        out = processes.output_of(words, self.log, STEP_S)
        said = self.parse(command, out)
        jobs = more[1] if more[0] == "--jobs" else None
        if said.get("jobs", jobs) != jobs:
            raise Failure(f"{said['jobs']} jobs: {processes.shown(words)}")
        return said

    @staticmethod
    def parse(command, out):
        try:
            said = json.loads(out)
        except ValueError:
            said = {}
        absent = [key for key in SAYS[command] if key not in said]
        if absent:
            raise Failure(f"bench_queue {command}: no {', '.join(absent)} in {out!r}")
        return said

    def ask_anew(self, command, *more):
        """From an empty Redis."""
        self.redis.empty()
        return self.ask(command, *more)

    def producer(self, bulk_jobs):
        few = self.settings.few
        speed = {}
        for mode, jobs in (("one", few), ("bulk", bulk_jobs), ("pipeline", bulk_jobs)):
            said = self.ask_anew("enqueue", "--jobs", jobs, "--mode", mode)
            speed[f"enqueue_{mode}"] = rate(said["jobs"], said["seconds"])
        return {**speed, **self.ask_anew("memory", "--jobs", few)}

    def steps(self):
        return self.drain, self.idle, self.quiet

    def peak_mib(self, kib):
        self.kib = max(self.kib, kib)
        return {"worker_mib": self.kib / 1024}

    def drain(self, case):
        jobs = self.settings.jobs_of(case)
        self.redis.empty()
        before = self.redis.memory()
        self.ask("enqueue", "--jobs", jobs, "--mode", "bulk")
        after = self.redis.memory()
        more = ["--concurrency", self.settings.concurrency]
        said = self.ask("drain", "--jobs", jobs, *(more if more[1] else ()))
        return {
            "drain": rate(said["jobs"] - 1, said["seconds"]),
            "bytes_per_job_seen": (after - before) / jobs,  # a check on `memory`
            **self.peak_mib(said["rss_kib"]),
        }

    def idle(self, _case):
        said = self.ask_anew("idle", "--samples", self.settings.samples)
        return {"idle_p50_ms": said["p50_ms"], "idle_p99_ms": said["p99_ms"]}

    def quiet(self, _case):
        """A worker with nothing to do; what it is resident in, if the program says."""
        self.redis.empty()
        seconds = math.ceil(self.settings.quiet_s + 2 * SETTLE_S)
        words = self.words("quiet", "--seconds", seconds)
        with processes.child(words, self.log, stdout=subprocess.PIPE) as process:
            time.sleep(SETTLE_S)
            commands, names = self.redis.commands(self.settings.quiet_s)
            if process.poll() is not None:
                raise Failure(f"quiet ended too soon\n{processes.tail(self.log)}")
            try:
                out, _ = process.communicate(timeout=seconds + READY_S)
            except subprocess.TimeoutExpired:
                raise Failure("quiet does not end") from None
        said = self.parse("quiet", out)
        if said.get("rss_kib") == 0:
            raise Failure("quiet ran no worker: ninja hoist-worker")
        return {
            "idle_commands": commands,
            "idle_commands_by_name": names,
            **self.peak_mib(said.get("rss_kib", 0)),
        }

    def depth(self, jobs):
        return self.ask_anew("depth", "--jobs", jobs)


def bench_queue(build):
    return build / "tests/bench/queue/bench_queue"


def system(family, redis, directory, settings):
    if family == "hoist":
        return Hoist(redis, directory, settings)
    return Peer(family, redis, directory, settings)
