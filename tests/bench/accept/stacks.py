"""What answers 202: each an endpoint behind its own nginx, which is the same for all, with its own Redis and its own files.

A stack is a context manager; inside it `port` answers, `endpoint` is the process whose CPU and memory count (with all it has
started), and `worker`, if there is one, has its jobs at a store that takes every connection and never answers.
"""

import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import threading
import time

import processes

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CACHE = ROOT / "build/cache/accept-bench"
PYTHON = "/usr/bin/python3"  # the one that Debian's packages are for

NGINX = """
daemon off; master_process on; pid {dir}/nginx.pid; error_log {dir}/nginx.log; worker_processes 2; {user}
events {{ worker_connections 2048; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi; keepalive_requests 1000000;
  client_max_body_size 0; client_body_buffer_size 2m;
  {upstream}
  server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ {location} }} }}
}}
"""
UPSTREAM = "upstream endpoint {{ server unix:{sock}; keepalive 32; }}"
FASTCGI = """
  fastcgi_pass endpoint; fastcgi_keep_conn on; fastcgi_param REQUEST_METHOD $request_method;
  fastcgi_param REQUEST_URI $request_uri; fastcgi_param QUERY_STRING $query_string; fastcgi_param CONTENT_TYPE $content_type;
  fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param REMOTE_ADDR $remote_addr;
"""
PROXY = 'proxy_pass http://endpoint; proxy_http_version 1.1; proxy_set_header Connection "";'


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, check, process, log):
    deadline = time.monotonic() + 30
    while not check():
        if process.poll() is not None or time.monotonic() > deadline:
            raise processes.Failure(f"{what} did not come up\n{processes.tail(log)}")
        time.sleep(0.01)


def answers_at(path):
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        return True
    return False


class HungStore:
    """Takes connections and what is sent at first, and says nothing."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.taken = []
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                self.taken.append(self.listener.accept()[0])

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in self.taken:
            s.close()


class Stack:
    """Defaults: an HTTP server on a unix socket, no Redis, no worker."""

    location, upstream, queue = PROXY, UPSTREAM, None
    packages, needs = "", ()

    def __init__(self, directory, options):
        self.dir, self.options = pathlib.Path(directory), options
        self.socket = self.dir / "endpoint.sock"
        self.store = None

    def environment(self):
        return {
            **os.environ,
            "ACCEPT_DIR": str(self.dir / "files"),
            "ACCEPT_REDIS": str(self.dir / "redis.sock"),
            "ACCEPT_QUEUE": self.queue or "none",
            "ACCEPT_STORE": self.store.address if self.store else "",
            "NODE_PATH": str(CACHE / "node_modules"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def endpoint_words(self):
        raise NotImplementedError

    def worker_words(self):
        return None

    @contextlib.contextmanager
    def running(self, hung):
        with contextlib.ExitStack() as stack:
            (self.dir / "files").mkdir()
            if self.queue:
                stack.enter_context(processes.Redis(self.dir).running())
            if hung:
                self.store = stack.enter_context(HungStore())
            self.prepare()
            self.endpoint = self.start_endpoint(stack)
            if hung and self.worker_words():
                self.start(stack, "worker", self.worker_words())
            self.port = self.start_nginx(stack)
            yield self

    def prepare(self):
        pass

    def start(self, stack, name, words):
        log = self.dir / f"{name}.log"
        return stack.enter_context(processes.child(words, log, env=self.environment(), cwd=HERE / "peers"))

    def start_endpoint(self, stack):
        process = self.start(stack, "endpoint", self.endpoint_words())
        wait_for("the endpoint", lambda: answers_at(self.socket), process, self.dir / "endpoint.log")
        return process

    def start_nginx(self, stack):
        port = free_port()
        user = "user root;" if os.getuid() == 0 else f"user {pwd.getpwuid(os.getuid()).pw_name};"
        conf = self.dir / "nginx.conf"
        conf.write_text(NGINX.format(dir=self.dir, user=user, port=port, location=self.location,
                                     upstream=self.upstream.format(sock=self.socket)))
        process = self.start(stack, "nginx", ["nginx", "-c", conf, "-p", self.dir])
        wait_for("nginx", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, process, self.dir / "nginx.log")
        return port


class Nginx(Stack):
    """nginx answers by itself."""

    upstream, location = "", "return 202;"

    def start_endpoint(self, stack):
        return None


class Trivial(Stack):
    location, needs = FASTCGI, ("tests/bench/responder/trivial",)

    def endpoint_words(self):
        return [self.options.build / self.needs[0], self.socket, 64]


class FastApi(Stack):
    packages = "python3-fastapi python3-uvicorn uvicorn python3-uvloop python3-httptools python3-multipart"

    def endpoint_words(self):
        return [PYTHON, "-m", "uvicorn", "--workers", "2", "--loop", "uvloop", "--http", "httptools", "--uds", self.socket,
                "--timeout-keep-alive", "75", "--no-access-log", "--log-level", "warning", "endpoint:app"]


class FastApiRq(FastApi):
    queue = "rq"
    packages = FastApi.packages + " python3-rq python3-redis"

    def worker_words(self):
        return [PYTHON, "rq_peer.py"]


class FastApiCelery(FastApi):
    queue = "celery"
    packages = FastApi.packages + " python3-celery python3-redis"

    def worker_words(self):
        return [PYTHON, "celery_peer.py"]


class Node(Stack):
    queue, packages = "bullmq", "nodejs npm"

    def endpoint_words(self):
        return ["node", "node_peer.js", "endpoint", self.socket]

    def worker_words(self):
        return ["node", "node_peer.js", "worker"]


class Hoist(Stack):
    location, queue = FASTCGI, "hoist"
    needs = ("fcgi-app/hoist-fcgi", "worker/hoist-worker")
    durability = "memory"

    def prepare(self):
        if self.store:
            destination = (f"url = s3://bench\nendpoint = http://{self.store.address}\nstyle = path\nregion = us-east-1\n"
                           "access_key = AK\nsecret_key = SK\n")
        else:
            destination = f"url = file://{self.dir}/objects\n"
        conf = self.dir / "hoist.ini"
        conf.write_text(f"[redis]\nurl = unix://{self.dir}/redis.sock\n[spool]\ndir = {self.dir}/spool\n"
                        f"durability = {self.durability}\n[http]\nlisten = {self.socket}\n"
                        f"[destination default]\n{destination}")
        conf.chmod(0o600)

    def endpoint_words(self):
        return [self.options.build / self.needs[0], "--config", self.dir / "hoist.ini"]

    def worker_words(self):
        return [self.options.build / self.needs[1], "--config", self.dir / "hoist.ini"]


class HoistDisk(Hoist):
    durability = "disk"


STACKS = {
    "nginx": Nginx,
    "trivial": Trivial,
    "fastapi": FastApi,
    "fastapi-rq": FastApiRq,
    "fastapi-celery": FastApiCelery,
    "node-bullmq": Node,
    "hoist-memory": Hoist,
    "hoist-disk": HoistDisk,
}


def missing(name, build):
    """Why a stack cannot be started; None: it can."""
    stack = STACKS[name]
    for program in stack.needs:
        if not os.access(build / program, os.X_OK):
            return f"no {build / program}: ninja -C {build} hoist-fcgi hoist-worker trivial"
    if name == "node-bullmq" and not (CACHE / "node_modules/bullmq").is_dir():
        return "needs nodejs and npm, and BullMQ from npm"
    for package in stack.packages.split():
        if not package.startswith("python3-"):
            if not shutil.which({"nodejs": "node"}.get(package, package)):
                return f"needs {stack.packages}"
    return None
