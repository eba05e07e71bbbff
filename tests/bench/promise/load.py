"""Uploads at a steady rate over kept connections, one thread each, every answer with its time."""
import http.client
import threading
import time


class Load:
    def __init__(self, port, threads, rate, size=4096):
        self.port, self.threads, self.gap, self.body = port, threads, threads / rate, b"x" * size
        self.stop, self.rows, self.lock = threading.Event(), [], threading.Lock()
        self.workers = []

    def one(self, number):
        mine, connection, next_at = [], None, time.monotonic() + self.gap * number / self.threads
        while not self.stop.is_set():
            time.sleep(max(0.0, next_at - time.monotonic()))
            next_at = max(next_at + self.gap, time.monotonic())
            began = time.monotonic()
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("PUT", "/v1/uploads/a", self.body)
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except OSError as e:
                status, connection = str(e), None
            except http.client.HTTPException as e:
                status, connection = str(e), None
            mine.append((began, time.monotonic() - began, status))
        with self.lock:
            self.rows += mine

    def __enter__(self):
        self.workers = [threading.Thread(target=self.one, args=(i,)) for i in range(self.threads)]
        for w in self.workers:
            w.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for w in self.workers:
            w.join()

    def failed(self):
        return [r for r in self.rows if r[2] != 202]

    def times_ms(self):
        return sorted(1000 * r[1] for r in self.rows if r[2] == 202)


def percentile(ordered, p):
    return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))] if ordered else float("nan")
