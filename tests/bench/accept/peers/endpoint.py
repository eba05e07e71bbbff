"""FastAPI's endpoint as its users write it: the file is stored under a fresh name, then a job is put into the queue.

ACCEPT_DIR is where files go, ACCEPT_QUEUE is none, rq or celery.  The endpoint is async, and what is called in it blocks
for some microseconds: faster than a plain function in Starlette's pool of threads, which was tried, too.
"""

import os
import uuid

from fastapi import FastAPI, UploadFile

STORE = os.environ["ACCEPT_DIR"]
QUEUE = os.environ["ACCEPT_QUEUE"]

if QUEUE == "rq":
    from rq_peer import enqueue
elif QUEUE == "celery":
    from celery_peer import enqueue
else:
    enqueue = None

app = FastAPI()


@app.post("/v1/uploads", status_code=202)
async def upload(file: UploadFile):
    name = str(uuid.uuid4())
    with open(os.path.join(STORE, name), "wb") as out:
        out.write(await file.read())
    if enqueue:
        enqueue(name)
    return {"id": name, "state": "accepted"}
