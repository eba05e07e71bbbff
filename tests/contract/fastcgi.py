"""A FastCGI client: what a web server would send, and its answer; and the same by CGI."""

import os
import re
import socket
import struct
import subprocess

BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6
DEADLINE = 30  # seconds, for an answer


class Answer:
    """status, headers (a list of (name, value)), body (bytes)."""

    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")]
        self.status = next(int(v.split()[0]) for n, v in lines if n == "Status")
        self.headers = [(n, v) for n, v in lines if n != "Status"]

    def header(self, name):
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)


def record(kind, content):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def stream(kind, content):
    parts = [content[i:i + 65535] for i in range(0, len(content), 65535)]
    return b"".join(record(kind, part) for part in parts) + record(kind, b"")


def pair(name, value):
    name, value = name.encode("latin-1"), value.encode("latin-1")
    lengths = b"".join(
        bytes([len(s)]) if len(s) < 128 else struct.pack(">I", len(s) | 1 << 31) for s in (name, value))
    return lengths + name + value


def variables(method, uri, headers, body, length):
    """The CGI variables of a request; a header called like a variable (REMOTE_ADDR) replaces that."""
    path, _, query = uri.partition("?")
    v = {"REQUEST_METHOD": method, "REQUEST_URI": uri, "SCRIPT_NAME": path, "QUERY_STRING": query,
         "REMOTE_ADDR": "127.0.0.1", "SERVER_PROTOCOL": "HTTP/1.1"}
    if length is not None or body:
        v["CONTENT_LENGTH"] = str(len(body) if length is None else length)
    for name, value in headers.items():
        if name.lower() == "content-type":
            v["CONTENT_TYPE"] = value
        elif name.isupper() and "_" in name:
            v[name] = value
        else:
            v["HTTP_" + name.upper().replace("-", "_")] = value
    return v


class Request:
    """One request on a connection of its own; half: its body does not come to an end yet."""

    def __init__(self, path, method, uri, headers=None, body=b"", length=None, half=False):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(path)
        v = variables(method, uri, headers or {}, body, length)
        data = record(BEGIN, struct.pack(">HB5x", 1, 0))
        data += stream(PARAMS, b"".join(pair(n, value) for n, value in v.items()))
        data += stream(STDIN, body)[:-8 if half else None]
        try:
            self.socket.sendall(data)
        except BrokenPipeError:
            pass  # it was answered before it was read

    def answer(self, event="."):
        """What is answered; of a stream, which need not end, what comes up to such an event."""
        raw, buffered = b"", b""
        while True:
            more = self.socket.recv(65536)
            buffered += more
            while len(buffered) >= 8:
                _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", buffered[:8])
                if len(buffered) < 8 + length + padding:
                    break
                if kind == STDOUT:
                    raw += buffered[8:8 + length]
                elif kind == END:
                    self.socket.close()
                    return Answer(raw)
                buffered = buffered[8 + length + padding:]
            if b"text/event-stream" in raw and re.search(f"\nevent: {event}.*\n\n$".encode(), raw, re.S):
                self.socket.close()
                return Answer(raw)
            if not more:
                raise OSError("the connection was closed before the end of the answer")

    def close(self):
        self.socket.close()


def cgi(program, config, method, uri, headers=None, body=b"", length=None):
    """The same by CGI; HTTP_TRANSFER_ENCODING without a length is an endless body."""
    v = variables(method, uri, headers or {}, body, length)
    v.update({"GATEWAY_INTERFACE": "CGI/1.1", "HOIST_CONFIG": config, "PATH": os.environ["PATH"]})
    done = subprocess.run([program], env=v, input=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=DEADLINE, check=False)
    return Answer(done.stdout)
