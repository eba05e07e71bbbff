"""The private Redis and the processes of the benchmark.

Everything started here ends with the runner: at the end, on Ctrl-C, on a failure, and
when the runner is killed (PR_SET_PDEATHSIG).  A worker leads a session of its own; what it
forks is found there or among its descendants, and comes to the runner as an orphan
when the worker dies before it (PR_SET_CHILD_SUBREAPER).
"""

import contextlib
import ctypes
import mmap
import os
import pathlib
import signal
import struct
import subprocess
import threading
import time

STOP_S = 15.0
SAMPLE_S = 0.2
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LIBC = ctypes.CDLL(None, use_errno=True)
STARTED = set()  # pids of children that child() has not ended yet


class Failure(Exception):
    """Why something could not be measured, for people."""


def die_with_parent(parent):
    """Runs in the child.  The check is for a parent that died before the prctl."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def tail(path, lines=12):
    try:
        text = pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def adopt_orphans():
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def all_running():
    """(pid, parent, session, resident KiB) of all that run, parents mostly first."""
    for pid in sorted(int(e.name) for e in os.scandir("/proc") if e.name.isdigit()):
        with contextlib.suppress(OSError, ValueError, IndexError):
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
            # state ppid pgrp session ...; rss, in pages, is field 24 of the line
            fields = stat[stat.rindex(")") + 2 :].split()
            if fields[0] not in "ZX":
                kib = int(fields[21]) * PAGE_KIB
                yield pid, int(fields[1]), int(fields[3]), kib


def family_of(leader):
    """{pid: resident KiB} of a session and of what descends from it."""
    found = {}
    for pid, parent, session, kib in all_running():
        if leader in (pid, session) or parent in found:
            found[pid] = kib
    return found


def warm_memory(size):
    """So many bytes of the kernel's free memory are backed by the host: a virtual machine that gives free pages back (a
    balloon's free page reporting) gets each again by a fault, some 2 s for a GiB, whoever happens to need it next."""
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE):
        pass


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_orphans():
    """What a worker left behind is ours now, and no child that we started."""
    for pid, parent, _, _ in list(all_running()):
        if parent == os.getpid() and pid not in STARTED:
            kill(pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def stop(process):
    """SIGTERM to the leader, who is to end what it started; then SIGKILL to the rest."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
    for pid in family_of(process.pid):
        kill(pid)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    kill_orphans()
    STARTED.discard(process.pid)


@contextlib.contextmanager
def child(words, log_path, **options):
    """Run a command inside the with block; what it says goes to log_path."""
    parent = os.getpid()
    with open(log_path, "ab") as log:
        process = subprocess.Popen(
            [str(word) for word in words],
            stdin=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(parent),
            **{"stdout": log, **options},
        )
    STARTED.add(process.pid)
    try:
        yield process
    finally:
        stop(process)


def output_of(words, log_path, seconds, **options):
    """Standard output of a command that must end well within `seconds`."""
    with child(words, log_path, stdout=subprocess.PIPE, **options) as process:
        try:
            out, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"not done in {seconds:.0f} s: {shown(words)}") from None
        finally:
            process.stdout.close()
    if process.returncode != 0:
        status = process.returncode
        raise Failure(f"status {status}: {shown(words)}\n{tail(log_path)}")
    return out.decode()


def shown(words):
    return " ".join([os.path.basename(str(words[0])), *map(str, words[1:])])


class PeakMemory(threading.Thread):
    """The highest sum of resident memory of a worker, looked at five times a second."""

    def __init__(self, leader):
        super().__init__(daemon=True)
        self.leader, self.kib, self.ended = leader, 0, threading.Event()

    def run(self):
        while not self.ended.wait(SAMPLE_S):
            self.look()

    def look(self):
        self.kib = max(self.kib, sum(family_of(self.leader).values()))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()
        self.look()


class Redis:
    """One private server, in memory only, on a unix socket."""

    def __init__(self, directory):
        self.socket = str(directory / "redis.sock")
        self.words = f"redis-server --port 0 --unixsocket {self.socket} --save".split()
        self.words += ["", "--appendonly", "no", "--dir", str(directory)]
        self.log = directory / "redis.log"

    @contextlib.contextmanager
    def running(self):
        with child(self.words, self.log) as self.process:
            self._wait("redis-server did not come up", lambda: self.ask("PING") == "PONG")
            yield self

    def _wait(self, what, check):
        deadline = time.monotonic() + 10
        while not check():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"{what}\n{tail(self.log)}")
            time.sleep(0.02)

    def ask(self, *words):
        done = subprocess.run(
            ["redis-cli", "-s", self.socket, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=60,
        )
        return done.stdout.strip()

    def info(self, section):
        lines = (line.partition(":") for line in self.ask("INFO", section).splitlines())
        return {name: value for name, colon, value in lines if colon}

    def empty(self):
        """As it was started: no keys, no scripts, no clients but ours."""
        self.ask("FLUSHALL", "SYNC")
        self.ask("SCRIPT", "FLUSH", "SYNC")
        self.ask("FUNCTION", "FLUSH", "SYNC")

    def memory(self):
        """used_memory once all clients but the one that asks have gone."""
        alone = lambda: self.info("clients")["connected_clients"] == "1"
        self._wait("a client stays connected", alone)
        return int(self.info("memory")["used_memory"])

    def commands(self, seconds):
        """Commands a second that others send, and which ones (scripts' own included)."""
        before, calls_before = self._counts()
        began = time.monotonic()
        time.sleep(seconds)
        after, calls = self._counts()
        elapsed = time.monotonic() - began
        names = {k: (n - calls_before.get(k, 0)) / elapsed for k, n in calls.items()}
        names["info"] = 0  # only ours
        # Each count is two INFO; the first count sees neither of its own, and so on.
        return max(0, after - before - 2) / elapsed, {k: n for k, n in names.items() if n}

    def _counts(self):
        total = int(self.info("stats")["total_commands_processed"])
        stats = self.info("commandstats")
        calls = {k: int(v.split(",")[0].split("=")[1]) for k, v in stats.items()}
        return total, {k.removeprefix("cmdstat_"): n for k, n in calls.items()}


def stamps(path):
    """The moments at which jobs started, ns."""
    data = pathlib.Path(path).read_bytes()
    return [n for (n,) in struct.iter_unpack("q", data[: len(data) // 8 * 8])]
