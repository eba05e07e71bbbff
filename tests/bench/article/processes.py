"""Starting and ending the experiment's processes.

Everything started here ends with the runner: at the end, on Ctrl-C, on a failure, and
when the runner is killed (children get SIGKILL through PR_SET_PDEATHSIG; the hoist
system, whose daemons are no children, is taken down by a guard that sees its standard
input end).
"""

import contextlib
import ctypes
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PYTHON = "/usr/bin/python3"
BACKLOG = 4096
STOP_S = 3.0
UP_S = 1200.0
DOWN_S = 240.0  # it waits for a lock, then for workers to drain
PR_SET_PDEATHSIG = 1
DOWN_FAILED = "down-failed"  # a file that keeps the folder of a system still running
LIBC = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """Why a case could not be measured, for people."""


def raise_file_limit():
    """A blocked server leaves one health check after the other waiting."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 16384:
        want = 16384 if hard == resource.RLIM_INFINITY else min(hard, 16384)
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, hard))


def die_with_parent(parent):
    """Runs in the child.  The check is for a parent that died before the prctl."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def listen():
    """A listening socket on a port the kernel chose."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(BACKLOG)
    return listener


def free_port():
    """A port that was free a moment ago, for a server that binds it itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tail(path, lines=20):
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


@contextlib.contextmanager
def child(command, log_path, **options):
    """Run `command` inside the with block; what it says goes to log_path."""
    parent = os.getpid()
    with open(log_path, "ab") as log:
        options = {"stdin": subprocess.DEVNULL, "stdout": log, **options}
        process = subprocess.Popen(
            command,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(parent),
            **options,
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process):
    """Ends what still runs, with whatever it started itself: its own process group."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_S)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


@contextlib.contextmanager
def server(command, log_path, env=None):
    """A child that inherits a listening socket, whose number is put for "{fd}"."""
    listener = listen()
    address = listener.getsockname()
    try:
        fd = listener.fileno()
        words = [word.replace("{fd}", str(fd)) for word in command]
        running = child(
            words, log_path, pass_fds=[fd], cwd=HERE, env={**os.environ, **(env or {})}
        )
        process = running.__enter__()
    finally:
        # Only the child listens now: when it dies, connections are refused.
        listener.close()
    try:
        yield address, process
    finally:
        running.__exit__(None, None, None)


def hoist_environment(directory, port, conf):
    return {
        **os.environ,
        "HOIST_STATE": str(directory / "state"),
        "HOIST_LISTEN": f"127.0.0.1:{port}",
        "HOIST_CONF": str(conf),
    }


@contextlib.contextmanager
def hoist(directory, conf):
    """A whole hoist system of its own: yields its address."""
    port = free_port()
    env = hoist_environment(directory, port, conf)
    log_path = directory / "hoist.log"
    with open(log_path, "ab") as log:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", 'cat >/dev/null; exec "$1"', "guard", ROOT / "deploy/down"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=env,
            start_new_session=True,
        )
    try:
        deploy_up(log_path, env)
        yield ("127.0.0.1", port)
    finally:
        guard.stdin.close()
        try:
            code = guard.wait(DOWN_S)
        except subprocess.TimeoutExpired:
            guard.kill()
            code = guard.wait(STOP_S)
        if code != 0:
            (directory / DOWN_FAILED).touch()
            print(f"deploy/down: status {code}\n{tail(log_path)}", file=sys.stderr)


def deploy_up(log_path, env):
    command = [ROOT / "deploy/up", "--no-sample"]
    with child(command, log_path, env=env) as process:
        try:
            code = process.wait(UP_S)
        except subprocess.TimeoutExpired:
            raise Failure(f"deploy/up: not ready in {UP_S:.0f} s\n{tail(log_path)}")
    if code != 0:
        raise Failure(f"deploy/up: status {code}\n{tail(log_path)}")
