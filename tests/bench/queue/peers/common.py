"""What the Python peers share: the record a job carries, the moment a job starts, and
the three commands every peer has.

    PEER enqueue MODE N     MODE is one or bulk; prints the seconds it took
    PEER idle N MS          N jobs, one at a time, MS between them; prints each one's ms
    PEER worker ...         what starts a worker; run knows its words

BENCH_REDIS is the socket of Redis.  BENCH_STAMPS is where a job that starts writes the
monotonic clock, 8 bytes in ns: a file while draining, a named pipe while idle.
"""

import hashlib
import os
import struct
import sys
import time

REDIS = os.environ["BENCH_REDIS"]
CHUNK = 1000  # of one bulk call
_stamps = os.open(os.environ["BENCH_STAMPS"], os.O_RDWR | os.O_APPEND)


def job(_record):
    os.write(_stamps, struct.pack("q", time.monotonic_ns()))


def record(i):
    """About what a record of hoist says of an upload."""
    return {
        "name": f"photo-{i:08}.jpg",
        "size": 100_000 + i,
        "sha256": hashlib.sha256(str(i).encode()).hexdigest(),
        "type": "image/jpeg",
        "to": "default",
    }


def _idle(one, count, gap_ms):
    for i in range(count):
        this = record(i)
        began = time.monotonic_ns()
        one(this)
        started = struct.unpack("q", os.read(_stamps, 8))[0]
        print((started - began) / 1e6)
        time.sleep(gap_ms / 1000)


def main(one, bulk, worker):
    """one(record) and bulk(records) enqueue; worker(words) runs until SIGTERM."""
    command, *words = sys.argv[1:]
    if command == "worker":
        worker(words)
    elif command == "idle":
        _idle(one, int(words[0]), float(words[1]))
    elif command == "enqueue":
        records = [record(i) for i in range(int(words[1]))]
        began = time.monotonic()
        if words[0] == "bulk":
            bulk(records)
        else:
            for this in records:
                one(this)
        print(time.monotonic() - began)
