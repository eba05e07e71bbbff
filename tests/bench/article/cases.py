"""The four cases and how one is measured.

A case gives the address of a running endpoint; measure() fires the uploads at it, asks
the store what arrived and the prober how the health checks fared.
"""

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import random
import select
import statistics
import subprocess
import time
import uuid

import processes
import wire
from processes import HERE, PYTHON, Failure

START_S = 30.0
REST_S = 1.0
LOG_WAIT_S = 10


@dataclasses.dataclass(frozen=True)
class Case:
    title: str
    target: str
    health: str
    accepted: int  # the status an upload is answered with
    fastapi: bool = True


CASES = {
    "blocking": Case("FastAPI, blocks in the async endpoint", "/blocking", "/health", 200),
    "background": Case(
        "FastAPI, async background task that blocks", "/background", "/health", 202
    ),
    "thread": Case(
        "FastAPI, plain function as background task", "/thread", "/health", 202
    ),
    "hoist": Case("hoist", "/v1/uploads", "/healthz", 202, fastapi=False),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    delay_s: float
    requests: int
    bytes: int
    every_ms: float
    check_s: float

    def deadline_s(self):
        """Even one upload after the other has to end well before this."""
        return 60 + 1.5 * self.delay_s * self.requests


@dataclasses.dataclass
class Upload:
    name: str
    sha256: str
    content_type: str
    body: bytes
    response: wire.Response | None = None
    error: str = ""


def make_uploads(settings):
    """All different, the same in every case and every run."""
    uploads = []
    for i in range(settings.requests):
        start = f"upload {i:08d}\n".encode()
        rest = random.Random(i).randbytes(settings.bytes)[len(start) :]
        data = (start + rest)[: settings.bytes]
        name = f"upload-{i:04d}.bin"
        content_type, body = wire.multipart(name, data, uuid.uuid4().hex)
        uploads.append(Upload(name, hashlib.sha256(data).hexdigest(), content_type, body))
    return uploads


@contextlib.contextmanager
def run_store(directory, settings):
    command = [PYTHON, "-B", "slow_store.py", "--fd", "{fd}"]
    command += ["--delay", str(settings.delay_s)]
    with processes.server(command, directory / "store.log") as (address, _):
        yield address


@contextlib.contextmanager
def run_endpoint(case, directory, store, settings):
    if case.fastapi:
        # One worker process and uvicorn's own defaults.
        command = [PYTHON, "-B", "-m", "uvicorn", "app:app", "--fd", "{fd}"]
        env = {
            "ARTICLE_STORE": f"{store[0]}:{store[1]}",
            "ARTICLE_TIMEOUT": str(settings.delay_s + 60),
        }
        with processes.server(command, directory / "uvicorn.log", env) as (address, _):
            yield address
        return
    conf = directory / "overlay.ini"
    conf.touch(mode=0o600)
    conf.write_text(
        "[destination default]\n"
        "url = s3://article/uploads\n"
        f"endpoint = http://{store[0]}:{store[1]}\n"
        "region = us-east-1\n"
        "style = path\n"
        "access_key = article\n"
        "secret_key = article-secret\n"
    )
    with processes.hoist(directory, conf) as address:
        yield address


@contextlib.contextmanager
def run_prober(case, log_path, address, settings):
    command = [PYTHON, "-B", "probe.py", "--host", address[0], "--port", str(address[1])]
    command += ["--target", case.health, "--every", str(settings.every_ms)]
    command += ["--timeout", str(settings.check_s)]
    pipe = subprocess.PIPE
    with processes.child(command, log_path, cwd=HERE, stdin=pipe, stdout=pipe) as process:
        yield process


def await_ready(prober, log_path):
    """Until the prober has had its first answer."""
    readable, _, _ = select.select([prober.stdout], [], [], START_S)
    if not readable or prober.stdout.readline() != b"ready\n":
        raise Failure(f"the prober does not start: {processes.tail(log_path)}")


def end_prober(prober, deadline_s, log_path):
    """Ends its input, which stops it; its report is all it says from then on."""
    try:
        report, _ = prober.communicate(timeout=deadline_s)
        return json.loads(report)
    except (subprocess.TimeoutExpired, ValueError):
        raise Failure(f"the prober does not report: {processes.tail(log_path)}")


async def await_health(case, address):
    try:
        answer = await wire.request(address, "GET", case.health, START_S)
    except TimeoutError:
        raise Failure(f"the endpoint did not start in {START_S:.0f} s")
    except (OSError, EOFError, ValueError, wire.WireError) as error:
        raise Failure(f"the endpoint did not start: {error!r}")
    if answer.status != 200:
        raise Failure(f"the endpoint did not start: health check {answer.status}")


async def send(case, address, upload, deadline_s):
    headers = {"Content-Type": upload.content_type}
    try:
        upload.response = await wire.request(
            address, "POST", case.target, deadline_s, headers, upload.body
        )
        if upload.response.status != case.accepted:
            upload.error = f"status {upload.response.status}"
    except (OSError, EOFError, ValueError, wire.WireError) as error:
        upload.error = repr(error)


async def await_objects(store, count, until):
    """The store's log once `count` objects are in it, or as it stands at the end."""
    while True:
        wait_s = min(LOG_WAIT_S, max(0.0, until - time.monotonic()))
        target = f"/_log?count={count}&wait={wait_s:.3f}"
        try:
            answer = await wire.request(store, "GET", target, LOG_WAIT_S + START_S)
            log = json.loads(answer.body)
        except (OSError, EOFError, ValueError, wire.WireError) as error:
            raise Failure(f"the store does not show its log: {error!r}")
        if len(log["objects"]) >= count or time.monotonic() >= until:
            return log


async def fire(case, address, store, uploads, settings):
    """Returns the moment of firing, the store's log and the moment all was over."""
    started = time.monotonic()
    deadline_s = settings.deadline_s()
    sends = [send(case, address, upload, deadline_s) for upload in uploads]
    log, *_ = await asyncio.gather(
        await_objects(store, len(uploads), started + deadline_s), *sends
    )
    return started, log, time.monotonic()


def check_uploads(uploads, log):
    """What went wrong, as sentences; nothing when all arrived once and unharmed."""
    problems = [f"{u.name}: {u.error}" for u in uploads if u.error]
    sent = sorted(u.sha256 for u in uploads)
    stored = sorted(o["sha256"] for o in log["objects"])
    if sent != stored:
        missing = len(set(sent) - set(stored))
        foreign = len(stored) - len(set(sent) & set(stored))
        problems.append(
            f"{len(stored)} objects for {len(sent)} uploads: {missing} missing, "
            f"{foreign} doubled or with other bytes"
        )
    if log["refused"]:
        problems.append(f"the store refused {log['refused']} requests")
    return problems


def summarize_checks(report, started, ended):
    during = [c for c in report["checks"] if started <= c["fired"] <= ended]
    before = [c["took"] for c in report["checks"] if c["fired"] < started]
    if not during:
        raise Failure("no health check was fired during the uploads")
    took = [c["took"] for c in during]
    failed = [c["outcome"] for c in during if c["outcome"] not in ("ok", "timeout")]
    return {
        "health_checks": len(during),
        "health_worst_s": max(took),
        "health_median_s": statistics.median(took),
        "health_timeouts": sum(c["outcome"] == "timeout" for c in during),
        "health_failed": len(failed),
        "health_failures": sorted(set(failed)),
        "health_at_rest_worst_s": max(before, default=None),
        "prober_late_worst_s": report["late"],
    }


def summarize(case, uploads, log, started):
    answered = [u.response.at - started for u in uploads if not u.error]
    stored = [o["stored"] - started for o in log["objects"]]
    return {
        "title": case.title,
        "responses": len(answered),
        "response_first_s": min(answered, default=None),
        "response_last_s": max(answered, default=None),
        "stored": len(stored),
        "stored_first_s": min(stored, default=None),
        "stored_last_s": max(stored, default=None),
        "store_running_max": log["running_max"],
        "problems": check_uploads(uploads, log),
    }


def measure(case, settings, directory):
    """One case from start to end.  Raises Failure when there is nothing to show."""
    uploads = make_uploads(settings)
    probe_log = directory / "probe.log"
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(run_store(directory, settings))
        address = stack.enter_context(run_endpoint(case, directory, store, settings))
        asyncio.run(await_health(case, address))
        prober = stack.enter_context(run_prober(case, probe_log, address, settings))
        await_ready(prober, probe_log)
        time.sleep(REST_S)  # measures what a health check takes at rest
        started, log, ended = asyncio.run(fire(case, address, store, uploads, settings))
        report = end_prober(prober, settings.check_s + START_S, probe_log)
    result = summarize(case, uploads, log, started)
    return result | summarize_checks(report, started, ended)
