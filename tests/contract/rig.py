"""A whole hoist of the test's own: Redis, two responders, a worker, in a temporary directory.

main      with tokens, a worker, queues for each case
bare      without tokens and without Redis, and with room for one upload: what is unavailable, full, or a foreign host
"""

import ctypes
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import fastcgi

TOKENS = {"root": "upload, read, admin", "sender": "upload", "looker": "read", "shop": "upload, read",
          "spent": "upload, read, admin", "quiet": "read"}
MORE = {"shop": f"policy_key = {'k' * 40}\n", "spent": "requests_per_second = 1\nrequests_burst = 1\n",
        "quiet": "queues = quiet\n"}
MAIN = """
[redis]
url = unix://{dir}/redis.sock
[spool]
dir = {dir}/spool
[http]
listen = {dir}/main.sock
cors_origins = https://page.example
receive_timeout_seconds = 5
max_part_header_bytes = 512
[worker]
queues = default, fragile, narrow, picky, small, hooks
concurrency = 16
id = contract
[destination default]
url = file://{dir}/objects
[destination second]
url = file://{dir}/second
[destination presigned]
url = s3://bucket
endpoint = http://127.0.0.1:9
access_key = AKIDEXAMPLE
secret_key = wJalrXUtnFEMIexample
presign = yes
[queue default]
[queue idle]
[queue quiet]
[queue fragile]
max_attempts = 1
[queue narrow]
[queue picky]
allow_types = image/*
[queue small]
max_bytes = 10
[webhook callback]
secret = contract-0123456789abcdefghijklmnop
[fetch]
enabled = yes
[command hello]
run = echo hello
http = yes
[command fails]
run = false
http = yes
[command slow]
run = sleep 60
http = yes
[converter copy]
run = cat
"""
BARE = """
[redis]
url = unix://{dir}/nothing.sock
[spool]
dir = {dir}/bare
max_files = 1
[http]
listen = {dir}/bare.sock
"""


def token_of(name):
    return f"contract-{name}-0123456789abcdefghijklmnop"


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Rig:
    def __init__(self, build):
        self.fcgi = os.path.join(build, "fcgi-app/hoist-fcgi")
        self.worker = os.path.join(build, "worker/hoist-worker")
        self.dir = tempfile.mkdtemp(prefix="hoist-contract.")
        self.processes = []

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
        for process in reversed(self.processes):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self):
        main = MAIN
        for name, scopes in TOKENS.items():
            digest = hashlib.sha256(token_of(name).encode()).hexdigest()
            main += f"[auth {name}]\ntoken = sha256:{digest}\nscopes = {scopes}\n"
            main += MORE.get(name, "")
        self.write("main.ini", main)
        self.write("bare.ini", BARE)
        self.write("broken.ini", "[http]\nno_such_setting = 1\n")
        for name in ("objects", "second"):
            os.mkdir(self.path(name), 0o700)
        self.run("redis", ["redis-server", "--port", "0", "--unixsocket", self.path("redis.sock"), "--save", "",
                           "--appendonly", "no", "--dir", self.dir])
        self.await_socket("redis.sock")
        self.run("main", [self.fcgi, "--config", self.path("main.ini")])
        self.run("bare", [self.fcgi, "--config", self.path("bare.ini")])
        self.run("worker", [self.worker, "--config", self.path("main.ini")])
        self.await_socket("main.sock")
        self.await_socket("bare.sock")

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(text.replace("{dir}", self.dir))

    def run(self, name, command):
        with open(self.path(name + ".log"), "wb") as log:
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                   cwd=self.dir, preexec_fn=die_with_parent))

    def await_socket(self, name):
        for _ in range(600):
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                    s.connect(self.path(name))
                return
            except OSError:
                time.sleep(0.05)
        raise OSError(f"nobody listens on {name}: {self.logs()}")

    def logs(self):
        text = ""
        for name in ("redis", "main", "bare", "worker"):
            try:
                with open(self.path(name + ".log"), encoding="utf-8", errors="replace") as f:
                    text += f"--- {name}\n{f.read()[-2000:]}"
            except OSError:
                pass
        return text

    def redis(self, *command):
        subprocess.run(["redis-cli", "-s", self.path("redis.sock"), *command], stdout=subprocess.DEVNULL, check=True,
                       timeout=30)

    def begin(self, method, uri, token="root", headers=None, body=b"", length=None, half=False, to="main"):
        """A request, whose answer is waited for later; token None: none is sent, and bare wants none."""
        headers = dict(headers or {})
        if token and to == "main":
            headers["Authorization"] = "Bearer " + token_of(token)
        return fastcgi.Request(self.path(to + ".sock"), method, uri, headers, body, length, half)

    def ask(self, *args, **more):
        return self.begin(*args, **more).answer()

    def cgi(self, config, method, uri, headers=None, body=b"", length=None):
        return fastcgi.cgi(self.fcgi, self.path(config), method, uri, headers, body, length)
