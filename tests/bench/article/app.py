"""The FastAPI application of the article's experiment.

Three endpoints do the same blocking upload (store_put) at three places:

  POST /blocking     inside the async endpoint: the event loop stands still
  POST /background   in an async background task: answered first, stands still just the same
  POST /thread       in a plain function as background task: Starlette runs it in its
                     pool of 40 threads and the event loop goes on

GET /health is what a load balancer would ask.  ARTICLE_STORE=address:port names the
object store, ARTICLE_TIMEOUT the seconds one upload may take.
"""

import http.client
import os
import urllib.parse

from fastapi import BackgroundTasks, FastAPI, UploadFile

STORE = os.environ["ARTICLE_STORE"]
TIMEOUT_S = float(os.environ["ARTICLE_TIMEOUT"])

app = FastAPI()


def store_put(name, data):
    """Upload as a blocking S3 client does: one PUT, waiting for the answer."""
    connection = http.client.HTTPConnection(STORE, timeout=TIMEOUT_S)
    try:
        target = "/article/" + urllib.parse.quote(name, safe="")
        connection.request("PUT", target, body=data)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"object store: {answer.status} for {name}")
    finally:
        connection.close()


async def store_put_async(name, data):
    """Async by name only: nothing in it gives the event loop back."""
    store_put(name, data)


# The bytes are read in the endpoint, before a task is added: newer FastAPI closes
# the file when the endpoint returns.


@app.post("/blocking")
async def blocking(file: UploadFile):
    store_put(file.filename, await file.read())
    return {"state": "done"}


@app.post("/background", status_code=202)
async def background(file: UploadFile, tasks: BackgroundTasks):
    tasks.add_task(store_put_async, file.filename, await file.read())
    return {"state": "accepted"}


@app.post("/thread", status_code=202)
async def thread(file: UploadFile, tasks: BackgroundTasks):
    tasks.add_task(store_put, file.filename, await file.read())
    return {"state": "accepted"}


@app.get("/health")
async def health():
    return {"ok": True}
