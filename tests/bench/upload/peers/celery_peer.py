"""Celery, prefork, without a result backend."""

import celery
import upload

app = celery.Celery("bench", broker=f"redis+socket://{upload.REDIS}")
job = app.task(name="bench.job")(upload.job)


def enqueue(paths):
    with app.producer_pool.acquire(block=True) as producer:
        for path in paths:
            job.apply_async((path,), producer=producer)


def worker(words):
    app.worker_main(["worker", "--pool", "prefork", "--loglevel", "WARNING", *words])


if __name__ == "__main__":
    upload.main(enqueue, worker)
