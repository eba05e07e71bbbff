#!/usr/bin/python3
"""A slow object store, S3 in as much as the experiment needs it.

  PUT /any/path    reads the body, waits --delay seconds, stores, 200 with an ETag (MD5);
                   x-amz-checksum-sha256 is checked and echoed, If-None-Match: * honoured
  HEAD /any/path   200 with size and ETag, 404 when unknown
  GET /_log        what was stored, as JSON; ?count=N&wait=S answers when N objects are
                   stored or S seconds have passed, whichever is first

Every request has its own thread, so uploads do not wait for each other.  Of the bytes
only size and digests are kept.  Signatures are not checked.  Times are CLOCK_MONOTONIC,
which all processes of one machine share.  The listening socket is inherited (--fd).
"""

import argparse
import base64
import hashlib
import http.server
import json
import socket
import threading
import time
import urllib.parse

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_OBJECTS = 10_000
MAX_WAIT_S = 30.0
CHUNK_BYTES = 256 * 1024


class Log:
    """What was stored.  All threads share it; `changed` guards every field."""

    def __init__(self):
        self.changed = threading.Condition()
        self.objects = {}
        self.puts = 0
        self.refused = 0
        self.running = 0
        self.running_max = 0

    def enter(self):
        with self.changed:
            self.puts += 1
            self.running += 1
            self.running_max = max(self.running_max, self.running)

    def leave(self):
        with self.changed:
            self.running -= 1

    def refuse(self):
        with self.changed:
            self.refused += 1

    def has(self, path):
        with self.changed:
            return path in self.objects

    def find(self, path):
        with self.changed:
            return self.objects.get(path)

    def store(self, path, entry, only_new):
        """Returns None, or the status and S3 code that refuse the object."""
        with self.changed:
            if only_new and path in self.objects:
                return 412, "PreconditionFailed"
            if path not in self.objects and len(self.objects) >= MAX_OBJECTS:
                return 507, "TooManyObjects"
            self.objects[path] = dict(entry, stored=time.monotonic())
            self.changed.notify_all()
            return None

    def wait(self, count, wait_s):
        with self.changed:
            self.changed.wait_for(lambda: len(self.objects) >= count, wait_s)
            return {
                "objects": [dict(o, path=p) for p, o in self.objects.items()],
                "puts": self.puts,
                "refused": self.refused,
                "running_max": self.running_max,
            }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60  # a peer that sends nothing for so long is dropped
    log = None  # both set by main()
    delay_s = None

    def do_PUT(self):
        self.log.enter()
        try:
            self.put()
        finally:
            self.log.leave()

    def put(self):
        entry = {"arrived": time.monotonic()}
        body = self.read_body()
        if body is None:
            return
        path = urllib.parse.urlsplit(self.path).path
        only_new = self.headers.get("If-None-Match") == "*"
        problem = self.read_problem(path, body, only_new)
        if problem is None:
            entry.update(body, read=time.monotonic())
            time.sleep(self.delay_s)  # the slowness itself, not a wait for something
            problem = self.log.store(path, entry, only_new)
        if problem is not None:
            self.refuse(*problem)
            return
        headers = {"ETag": f'"{body["md5"]}"'}
        if "x-amz-checksum-sha256" in self.headers:
            headers["x-amz-checksum-sha256"] = body["sha256_base64"]
        self.answer(200, b"", headers)

    def read_body(self):
        """Size and digests of the body; None when it was refused or broke off."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self.refuse(411, "MissingContentLength", close=True)
            return None
        left = int(length)
        if left > MAX_BODY_BYTES:
            self.refuse(413, "EntityTooLarge", close=True)
            return None
        md5, sha256 = hashlib.md5(), hashlib.sha256()
        while left > 0:
            chunk = self.rfile.read(min(left, CHUNK_BYTES))
            if not chunk:
                self.log.refuse()
                self.close_connection = True
                return None
            md5.update(chunk)
            sha256.update(chunk)
            left -= len(chunk)
        return {
            "bytes": int(length),
            "md5": md5.hexdigest(),
            "sha256": sha256.hexdigest(),
            "sha256_base64": base64.b64encode(sha256.digest()).decode(),
        }

    def read_problem(self, path, body, only_new):
        """What S3 finds wrong before it stores; None when nothing."""
        signed = self.headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        if signed.startswith("STREAMING-"):
            return 501, "NotImplemented"
        if signed != "UNSIGNED-PAYLOAD" and signed != body["sha256"]:
            return 400, "XAmzContentSHA256Mismatch"
        checksum = self.headers.get("x-amz-checksum-sha256")
        if checksum is not None and checksum != body["sha256_base64"]:
            return 400, "BadDigest"
        if only_new and self.log.has(path):
            return 412, "PreconditionFailed"
        return None

    def do_HEAD(self):
        entry = self.log.find(urllib.parse.urlsplit(self.path).path)
        if entry is None:
            self.answer(404, b"", {})
            return
        self.send_response(200)
        self.send_header("ETag", f'"{entry["md5"]}"')
        self.send_header("Content-Length", str(entry["bytes"]))
        self.end_headers()

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if url.path != "/_log":
            self.refuse(404, "NoSuchKey")
            return
        try:
            count = int(query.get("count", ["0"])[0])
            wait_s = min(float(query.get("wait", ["0"])[0]), MAX_WAIT_S)
        except ValueError:
            self.refuse(400, "InvalidArgument")
            return
        body = json.dumps(self.log.wait(count, wait_s)).encode()
        self.answer(200, body, {"Content-Type": "application/json"})

    def refuse(self, status, code, close=False):
        self.log.refuse()
        self.close_connection = self.close_connection or close
        body = f"<Error><Code>{code}</Code></Error>".encode()
        self.answer(status, body, {"Content-Type": "application/xml"})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def main():
    parser = argparse.ArgumentParser(description="A slow object store.")
    parser.add_argument("--fd", type=int, required=True, help="listening TCP socket")
    parser.add_argument("--delay", type=float, default=5.0, help="seconds per upload")
    args = parser.parse_args()
    listener = socket.socket(fileno=args.fd)
    Handler.log = Log()
    Handler.delay_s = args.delay
    server = http.server.ThreadingHTTPServer(
        listener.getsockname(), Handler, bind_and_activate=False
    )
    server.socket.close()
    server.socket = listener
    server.serve_forever()


if __name__ == "__main__":
    main()
