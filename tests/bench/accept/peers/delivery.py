"""The job of both Python queues: the file goes to the store by one PUT."""

import http.client
import os

REDIS = os.environ["ACCEPT_REDIS"]
STORE = os.environ.get("ACCEPT_STORE", "")  # address:port


def deliver(name):
    link = http.client.HTTPConnection(STORE, timeout=600)
    with open(os.path.join(os.environ["ACCEPT_DIR"], name), "rb") as f:
        link.request("PUT", "/bench/" + name, body=f)
    if link.getresponse().status != 200:
        raise RuntimeError(name)
