"""What the Python peers' jobs do: boto3's upload_file, with its defaults, then count.

    PEER enqueue DIRECTORY      one job for each file
    PEER worker ...             what starts a worker

BENCH_REDIS is the socket of Redis, BENCH_URL and BENCH_BUCKET the store.  Each process has one client, made at its first job.
"""

import functools
import os
import sys

import boto3
import redis
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

REDIS = os.environ["BENCH_REDIS"]


@functools.cache
def client():
    return boto3.client("s3", endpoint_url=os.environ["BENCH_URL"], config=Config(s3={"addressing_style": "path"}))


@functools.cache
def counter():
    return redis.Redis(unix_socket_path=REDIS)


@functools.cache
def transfer():
    if os.environ["BENCH_PARTS"] == "yes":
        return TransferConfig()
    return TransferConfig(multipart_threshold=5 << 30)


def job(path):
    client().upload_file(path, os.environ["BENCH_BUCKET"], "objects/" + os.path.basename(path), Config=transfer())
    counter().incr("bench:done")


def main(enqueue, worker):
    command, *words = sys.argv[1:]
    if command == "worker":
        worker(words)
    else:
        enqueue([os.path.join(words[0], name) for name in sorted(os.listdir(words[0]))])
