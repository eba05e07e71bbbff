"""RQ with its defaults: `worker fork` has a process for each job, `worker simple` runs
them itself; with `burst` it takes without blocking and ends when nothing is left.  The
module of the job is loaded before, as RQ's own page on performance advises."""

import common
import redis
import rq

link = redis.Redis(unix_socket_path=common.REDIS)
queue = rq.Queue("bench", connection=link)


def one(record):
    queue.enqueue("common.job", record)


def bulk(records):
    for at in range(0, len(records), common.CHUNK):
        some = records[at : at + common.CHUNK]
        queue.enqueue_many([rq.Queue.prepare_data("common.job", (r,)) for r in some])


def worker(words):
    kind = {"fork": rq.Worker, "simple": rq.SimpleWorker}[words[0]]
    kind([queue], connection=link).work(burst="burst" in words, logging_level="WARNING")


if __name__ == "__main__":
    common.main(one, bulk, worker)
