"""Who uploads: each takes a directory of files, and is measured from its start until the last object is stored.

CPU is that of all processes of the client, ended ones included, without the store and Redis; what hoist does after the last
object (its spool files go) is counted, too.  Memory is the highest sum of resident memory, looked at five times a second.
"""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import socket
import time

import processes
from stores import BUCKET, KEY

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"
SPARE_BYTES = 64 << 20  # what a client and the store need besides the objects
TICKS = os.sysconf("SC_CLK_TCK")
POLL_S = 0.004
LIMIT_S = 600.0


@dataclasses.dataclass
class Work:
    files: pathlib.Path
    count: int
    bytes: int  # of each
    at_once: int
    store: object
    dir: pathlib.Path  # for the client's own files
    build: pathlib.Path


@dataclasses.dataclass
class Figures:
    seconds: float
    cpu_s: float
    mib: float


def cpu_of(pids):
    """Seconds of CPU of these processes and their ended children."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
            fields = stat[stat.rindex(")") + 2 :].split()
            total += sum(int(f) for f in fields[11:15])
    return total / TICKS


def environment(**more):
    env = {k: v for k, v in os.environ.items() if k not in ("AWS_CA_BUNDLE",)}
    env.update(AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=KEY, AWS_DEFAULT_REGION="us-east-1", **more)
    return env


def tool(words, work, **more):
    """A command that ends by itself when all is there."""
    log = work.dir / "client.log"
    processes.warm_memory(work.count * work.bytes + SPARE_BYTES)
    began = time.monotonic()
    before = os.times()
    with processes.child(words, log, env=environment(**more)) as process:
        with processes.PeakMemory(process.pid) as peak:
            process.wait(LIMIT_S)
            seconds = time.monotonic() - began
    after = os.times()
    if process.returncode != 0:
        raise processes.Failure(f"status {process.returncode}: {processes.shown(words)[:200]}\n{processes.tail(log)}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Figures(seconds, cpu, peak.kib / 1024)


def until(words, work, is_over, is_settled=None, **more):
    """A worker that runs until it is stopped."""
    log = work.dir / "client.log"
    processes.warm_memory(work.count * work.bytes + SPARE_BYTES)
    began = time.monotonic()
    with processes.child(words, log, env=environment(**more)) as process:
        with processes.PeakMemory(process.pid) as peak:
            while not is_over():
                if process.poll() is not None or time.monotonic() - began > LIMIT_S:
                    raise processes.Failure(f"not done: {processes.shown(words)[:200]}\n{processes.tail(log)}")
                time.sleep(POLL_S)
            seconds = time.monotonic() - began
            while is_settled and not is_settled() and time.monotonic() - began < LIMIT_S:
                time.sleep(POLL_S)
            cpu = cpu_of(processes.family_of(process.pid))
    return Figures(seconds, cpu, peak.kib / 1024)


# --- command-line clients ---


def curl(work):
    config = work.dir / "curl.conf"
    with open(config, "w", encoding="ascii") as f:
        for entry in sorted(os.listdir(work.files)):
            f.write(f'next\nurl = "{work.store.url}/{BUCKET}/{entry}"\nupload-file = "{work.files}/{entry}"\n'
                    'header = "Expect:"\noutput = "/dev/null"\nsilent\nfail\n')
    text = config.read_text().removeprefix("next\n")
    config.write_text(text)
    return tool(["curl", "--parallel", "--parallel-immediate", "--parallel-max", work.at_once, "-K", config], work)


def rclone(work):
    words = ["rclone", "copy", "--transfers", work.at_once, "--checkers", work.at_once, "--no-check-dest", "--retries", 1,
             "--s3-no-check-bucket", "--config", "/dev/null", "--log-level", "ERROR"]
    if not work.store.has_parts:
        words += ["--s3-upload-cutoff", "5G", "--s3-no-head", "--ignore-checksum"]
    here = f":s3,provider=Other,env_auth=true,endpoint='{work.store.url}',force_path_style=true:{BUCKET}"
    return tool([*words, work.files, here], work)


def s3cmd(work):
    config = work.dir / "s3cfg"
    host = work.store.url.removeprefix("http://")
    config.write_text(f"[default]\naccess_key = {KEY}\nsecret_key = {KEY}\nhost_base = {host}\nhost_bucket = {host}\n"
                      "use_https = False\nbucket_location = us-east-1\n")
    return tool(["s3cmd", "-c", config, "-q", "put", "--recursive", f"{work.files}/", f"s3://{BUCKET}/"], work)


# --- workers behind a queue ---


class Asks:
    """One connection for one question: a redis-cli each time would take half a core from who is measured."""

    def __init__(self, path, *words):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.line = (" ".join(words) + "\r\n").encode()

    def __call__(self):
        """The reply of a bulk string; "" for none."""
        self.socket.sendall(self.line)
        said = self.socket.recv(256).decode()
        return "" if said.startswith("$-1") else said.split("\r\n")[1]


def equals(ask, count):
    return lambda: ask() == str(count)


def peer(name, words, work):
    with processes.Redis(work.dir).running() as redis:
        more = {"BENCH_REDIS": redis.socket, "BENCH_URL": work.store.url, "BENCH_BUCKET": BUCKET,
                "BENCH_PARTS": "yes" if work.store.has_parts else "no", "PYTHONPATH": str(HERE / "peers")}
        program = [PYTHON, "-B", HERE / "peers" / f"{name}_peer.py"]
        processes.output_of([*program, "enqueue", work.files], work.dir / "enqueue.log", LIMIT_S, env=environment(**more))
        return until([*program, "worker", *words], work,
                     equals(Asks(redis.socket, "GET", "bench:done"), work.count), **more)


def celery(work):
    return peer("celery", ["--concurrency", work.at_once], work)


def rq(work):
    """RQ has one job at a time in a process; as many simple workers as there are to be uploads at once."""
    return peer("rq", [work.at_once], work)


CONFIG = """[redis]
url = unix://{redis}
[spool]
dir = {dir}/spool
durability = memory
[worker]
concurrency = {at_once}
log_level = warn
[destination default]
url = s3://{bucket}/objects
endpoint = {url}
style = path
access_key = {key}
secret_key = {key}
{more}
"""


def hoist(work):
    with processes.Redis(work.dir).running() as redis:
        config = work.dir / "hoist.ini"
        more = "" if work.store.has_parts else "multipart_threshold = 5G\n"
        config.write_text(CONFIG.format(redis=redis.socket, dir=work.dir, at_once=work.at_once, bucket=BUCKET,
                                        url=work.store.url, key=KEY, more=more))
        config.chmod(0o600)
        fill = work.build / "tests/bench/upload/bench_upload_fill"
        processes.output_of([fill, work.dir / "spool", redis.socket, work.files], work.dir / "fill.log", LIMIT_S)
        jobs = work.dir / "spool/jobs"
        try:
            return until([work.build / "worker/hoist-worker", "--config", config], work,
                         equals(Asks(redis.socket, "HGET", "hoist:{default}:stats", "done"), work.count),
                         lambda: not any(os.scandir(jobs)))
        finally:
            shutil.rmtree(work.dir / "spool", ignore_errors=True)


@dataclasses.dataclass
class Client:
    run: object
    needs: str  # a command, or a module of Debian's Python
    package: str
    stores: tuple = ("nginx", "s3rver")


CLIENTS = {
    "curl": Client(curl, "curl", "curl"),
    "rclone": Client(rclone, "rclone", "rclone"),
    "s3cmd": Client(s3cmd, "s3cmd", "s3cmd", ("s3rver",)),
    "celery": Client(celery, "python:celery,boto3,redis", "python3-celery python3-boto3 python3-redis"),
    "rq": Client(rq, "python:rq,boto3,redis", "python3-rq python3-boto3"),
    "hoist": Client(hoist, "", ""),
}
