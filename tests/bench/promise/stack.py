"""The programs of one measurement: a private Redis, responders that share one listening socket, nginx before them, workers.

Everything lives in a directory of its own and ends with it.
"""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PR_SET_PDEATHSIG = 1

NGINX = """
daemon off; master_process on; pid {dir}/nginx.pid; error_log {dir}/nginx.log; worker_processes 2; {user}
events {{ worker_connections 2048; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi; keepalive_requests 1000000;
  upstream hoist {{ server unix:{dir}/fcgi.sock max_fails=0; keepalive 32; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      fastcgi_pass hoist; fastcgi_keep_conn on; fastcgi_next_upstream off; client_max_body_size 0;
      fastcgi_request_buffering off;
      fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri;
      fastcgi_param QUERY_STRING $query_string; fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param REMOTE_ADDR $remote_addr;
    }}
  }}
}}
"""


def die_with_parent():
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_for(what, check, seconds=10.0, pause=0.002):
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            sys.exit(f"bench: {what}: nothing in {seconds} s")
        time.sleep(pause)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Stack:
    """settings: INI text added to what the programs need."""

    def __init__(self, build, parent, settings=""):
        self.build, self.children = build, {}
        self.dir = tempfile.mkdtemp(prefix="hoist-bench.", dir=parent)
        self.redis_socket = os.path.join(self.dir, "redis.sock")
        self.conf = os.path.join(self.dir, "hoist.ini")
        with open(self.conf, "w", encoding="ascii") as f:
            f.write(f"[redis]\nurl = unix://{self.redis_socket}\n[spool]\ndir = {self.dir}/spool\n{settings}")
        os.chmod(self.conf, 0o600)
        if "[destination default]" not in settings:
            with open(self.conf, "a", encoding="ascii") as f:
                f.write(f"[destination default]\nurl = file://{self.dir}/objects\n")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(self.dir, "fcgi.sock"))
        self.listener.listen(1024)

    def start(self, name, *argv, stdin=subprocess.DEVNULL):
        with open(os.path.join(self.dir, name + ".log"), "ab") as log:
            self.children[name] = subprocess.Popen(argv, stdin=stdin, stdout=log, stderr=log,
                                                   preexec_fn=die_with_parent)
        return self.children[name]

    def start_redis(self):
        self.start("redis", "redis-server", "--port", "0", "--unixsocket", self.redis_socket, "--save", "",
                   "--appendonly", "yes", "--appendfsync", "everysec", "--dir", self.dir)
        wait_for("redis", lambda: self.redis("PING") == "PONG")

    def start_responder(self, name="fcgi"):
        child = self.start(name, os.path.join(self.build, "fcgi-app/hoist-fcgi"), "--config", self.conf,
                           stdin=self.listener)
        wait_for(name, lambda: b"at=server" in self.log(name) or child.poll() is not None)
        if child.poll() is not None:
            sys.exit(f"bench: {name} did not start:\n" + self.log(name).decode(errors="replace"))

    def start_worker(self, name="worker"):
        self.start(name, os.path.join(self.build, "worker/hoist-worker"), "--config", self.conf)

    def start_web(self):
        self.port = free_port()
        conf = os.path.join(self.dir, "nginx.conf")
        user = "user root;" if os.getuid() == 0 else ""
        with open(conf, "w", encoding="ascii") as f:
            f.write(NGINX.format(dir=self.dir, port=self.port, user=user))
        self.start("nginx", "nginx", "-c", conf, "-p", self.dir)
        wait_for("nginx", lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0)

    def log(self, name):
        with open(os.path.join(self.dir, name + ".log"), "rb") as f:
            return f.read()

    def redis(self, *words):
        """The reply as redis-cli prints it; "" when there is none."""
        out = subprocess.run(["redis-cli", "-s", self.redis_socket, *words], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, check=False)
        return out.stdout.strip()

    def events(self):
        """[(ms, uuid, state)] of the default queue, oldest first."""
        lines = self.redis("XRANGE", "hoist:{default}:events", "-", "+").split("\n")
        found, ms = [], 0
        i = 0
        while i < len(lines):
            if "-" in lines[i] and lines[i].split("-")[0].isdigit() and len(lines[i].split("-")) == 2:
                ms = int(lines[i].split("-")[0])
                i += 1
            else:
                found.append((ms, lines[i], lines[i + 1]))
                i += 2
        return found

    def end(self, name, sig=signal.SIGTERM, seconds=40):
        child = self.children.pop(name)
        child.send_signal(sig)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in reversed(list(self.children)):
            self.end(name, signal.SIGKILL if name == "worker" else signal.SIGTERM, 5)
        self.listener.close()
        shutil.rmtree(self.dir, ignore_errors=True)
