"""A small HTTP/1.1 client on asyncio: one request, one fresh connection, one deadline.

No requests library is needed, and the moment a response is complete is known exactly:
the last byte of its body, not the end of the connection.
"""

import asyncio
import dataclasses
import time

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024


class WireError(Exception):
    """The peer does not speak the HTTP this client knows, or says too much."""


@dataclasses.dataclass
class Response:
    status: int
    body: bytes
    at: float  # time.monotonic() when the last byte had arrived


async def request(address, method, target, deadline_s, headers=None, body=b""):
    """Raises TimeoutError, OSError or WireError; asyncio.IncompleteReadError when cut."""
    async with asyncio.timeout(deadline_s):
        reader, writer = await asyncio.open_connection(*address, limit=MAX_HEAD_BYTES)
        try:
            writer.write(request_head(address, method, target, headers or {}, body))
            writer.write(body)
            return await read_response(reader)
        finally:
            writer.transport.abort()


def request_head(address, method, target, headers, body):
    fields = {"Host": f"{address[0]}:{address[1]}", "Connection": "close", **headers}
    if body:
        fields["Content-Length"] = str(len(body))
    lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def read_response(reader):
    status, fields = await read_head(reader)
    while 100 <= status < 200:
        status, fields = await read_head(reader)
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = await read_chunks(reader)
    elif "content-length" in fields:
        length = int(fields["content-length"])
        if length > MAX_BODY_BYTES:
            raise WireError(f"a response of {length} bytes")
        body = await reader.readexactly(length)
    else:
        body = await reader.read(MAX_BODY_BYTES)
    return Response(status, body, time.monotonic())


async def read_head(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
        raise WireError(f"no status line: {first[:80]!r}")
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    return int(words[1]), fields


async def read_chunks(reader):
    body = b""
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if len(body) + size > MAX_BODY_BYTES:
            raise WireError("a chunked response that does not end")
        body += (await reader.readexactly(size + 2))[:-2]
        if size == 0:
            return body


def multipart(name, data, boundary):
    """The Content-Type and body of a form with one file."""
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body
