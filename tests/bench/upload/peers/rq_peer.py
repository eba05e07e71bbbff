"""RQ: so many SimpleWorkers, each a process that does its jobs itself (RQ's fastest way: no fork for each job)."""

import os

import redis
import rq
import upload

link = redis.Redis(unix_socket_path=upload.REDIS)
queue = rq.Queue("bench", connection=link)
CHUNK = 1000


def enqueue(paths):
    for at in range(0, len(paths), CHUNK):
        queue.enqueue_many([rq.Queue.prepare_data("upload.job", (p,)) for p in paths[at : at + CHUNK]])


def worker(words):
    for _ in range(int(words[0]) - 1):
        if os.fork() == 0:
            break
    own = redis.Redis(unix_socket_path=upload.REDIS)
    rq.SimpleWorker([rq.Queue("bench", connection=own)], connection=own).work(logging_level="WARNING")


if __name__ == "__main__":
    upload.main(enqueue, worker)
