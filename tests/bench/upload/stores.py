"""The two stores that everybody uploads to.

nginx   PUT into a directory, as its dav module does it: about the least work a server can do with a body.  It answers with
        the checksum that the request named, as a store that verifies it would; it knows no conditions and no uploads in
        parts, so all clients send each object in one PUT.
s3rver  the S3 server of the tests, in Node: signatures (any is taken), parts, conditions of its own kind.  It is slow itself,
        so that clients differ little in time there; what they cost in CPU still shows.
"""

import contextlib
import os
import pathlib
import pwd
import socket
import subprocess
import time

import processes

NGINX = """
daemon off; master_process on; pid {dir}/nginx.pid; error_log {dir}/nginx.log; worker_processes {workers}; {user}
events {{ worker_connections 2048; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi; keepalive_requests 1000000; client_max_body_size 0;
  client_body_buffer_size 256k; etag off; default_type application/octet-stream;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      root {dir}/objects; dav_methods PUT DELETE; create_full_put_path on;
      add_header x-amz-checksum-sha256 $http_x_amz_checksum_sha256 always;
      add_header ETag '"0"' always;
    }}
  }}
}}
"""
S3RVER = pathlib.Path(__file__).resolve().parents[2] / "e2e/node/s3server.js"
BUCKET, KEY = "bucket", "S3RVER"


def wait_port(port, process, log):
    deadline = time.monotonic() + 20
    while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            raise processes.Failure(f"the store did not come up\n{processes.tail(log)}")
        time.sleep(0.01)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Store:
    """url, and how many objects there are."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.objects = self.dir / "objects" / BUCKET
        self.objects.mkdir(parents=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def sizes(self):
        """Of all objects, whatever they are called."""
        return [e.stat().st_size for e in self.walk(self.objects) if self.is_object(e)]

    def walk(self, where):
        for entry in os.scandir(where):
            if entry.is_dir():
                yield from self.walk(entry.path)
            else:
                yield entry


class Nginx(Store):
    name, has_parts = "nginx", False

    @staticmethod
    def is_object(_entry):
        return True

    @contextlib.contextmanager
    def running(self):
        user = "user root;" if os.getuid() == 0 else f"user {pwd.getpwuid(os.getuid()).pw_name};"
        conf, log = self.dir / "nginx.conf", self.dir / "nginx.log"
        conf.write_text(NGINX.format(dir=self.dir, port=self.port, user=user, workers=1))
        with processes.child(["nginx", "-c", conf, "-p", self.dir], log) as process:
            wait_port(self.port, process, log)
            yield self


class S3rver(Store):
    name, has_parts = "s3rver", True

    @staticmethod
    def is_object(entry):
        return entry.name.endswith("._S3rver_object")

    @contextlib.contextmanager
    def running(self):
        log = self.dir / "s3rver.log"
        words = ["node", "-e", self.script()]
        with processes.child(words, log, stdout=subprocess.DEVNULL, cwd=S3RVER.parent) as process:
            wait_port(self.port, process, log)
            yield self

    def script(self):
        return (
            "const S = require('s3rver'); new S({address: '127.0.0.1', silent: true, "
            f"port: {self.port}, directory: '{self.objects.parent}', "
            f"configureBuckets: [{{name: '{BUCKET}'}}]}}).run()"
        )


STORES = {"nginx": Nginx, "s3rver": S3rver}
