"""RQ: a queue for the endpoint, and as a program one worker."""

import delivery
import redis
import rq

link = redis.Redis(unix_socket_path=delivery.REDIS)
queue = rq.Queue("bench", connection=link)


def enqueue(name):
    queue.enqueue("delivery.deliver", name, job_timeout=600)


if __name__ == "__main__":
    rq.Worker([queue], connection=link).work(logging_level="WARNING")
