"""Celery with its defaults; no result backend, so no result is stored.  There is no
bulk call: bulk is the same loop with one producer held for all of it."""

import celery
import common

app = celery.Celery("bench", broker=f"redis+socket://{common.REDIS}")
job = app.task(name="bench.job")(common.job)


def one(record):
    job.delay(record)


def bulk(records):
    with app.producer_pool.acquire(block=True) as producer:
        for record in records:
            job.apply_async((record,), producer=producer)


def worker(words):
    app.worker_main(["worker", "--pool", "prefork", "--loglevel", "WARNING", *words])


if __name__ == "__main__":
    common.main(one, bulk, worker)
