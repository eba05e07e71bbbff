"""Celery, without a result backend: a task for the endpoint, and as a program a prefork worker with two processes."""

import celery
import delivery

app = celery.Celery("bench", broker=f"redis+socket://{delivery.REDIS}")
job = app.task(name="bench.deliver", ignore_result=True)(delivery.deliver)


def enqueue(name):
    job.delay(name)


if __name__ == "__main__":
    app.worker_main(["worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "WARNING"])
