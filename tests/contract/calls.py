"""The calls: each operation, until it has given each of its statuses.  `every` holds for all of them, by what the document says
of each; the others are one function for a group of routes."""

import json
import os
import re
import time
import uuid

NOBODY = "default." + str(uuid.UUID(int=0x0192f3c07a1b7c3d9e4f000000000001))
NO_BATCH = NOBODY.partition(".")[2]
WAIT = 30  # seconds, for what must come at last


def filled(path):
    """A path with something in each of its places, of which there is nothing."""
    names = {"{filename}": "photo.jpg", "{queue}": "nope", "{name}": "nope"}
    text = re.sub(r"\{(filename|queue|name)\}", lambda m: names[m.group()], path)
    return text.replace("{id}", NO_BATCH if path.startswith("/v1/batches") else NOBODY)


def until(what, see):
    """What `see` says, once it says something."""
    for _ in range(WAIT * 20):
        said = see()
        if said:
            return said
        time.sleep(0.05)
    raise TimeoutError(what)


# --- what holds for all ---

def refused_for_its_rate(c, method, path, uri):
    """One more call of a token that may call once a second: the answer itself is noted, for the next one may be let in again."""
    answer = c.rig.ask(method, uri, token="spent")
    return answer.status == 429 and c.note(method, path, 429, answer)


def every(c):
    for (method, path), operation in c.operations.items():
        uri, scopes = filled(path), {s for need in operation["security"] for s in need.get("bearer", [])}
        c.call(400, method, path, uri + "?a=%zz")
        c.call(414, method, path, uri + "?a=" + "a" * 17000)
        c.call(431, method, path, uri, headers={"X-Long": "a" * 70000})
        c.call(403, method, path, uri, to="bare", headers={"Host": "evil.example"})
        c.call_by_cgi(500, method, path, uri, "broken.ini")
        if "411" in operation["responses"]:
            c.call_by_cgi(411, method, path, uri, "bare.ini", headers={"Transfer-Encoding": "chunked"})
        if not operation["security"]:
            continue
        c.call(400, method, path, uri + "?access_token=x")
        c.call(401, method, path, uri, token=None)
        c.call(401, method, path, uri, token="nobody")
        c.call(403, method, path, uri, token="looker" if "upload" in scopes else "sender")
        if method != "GET":
            c.call(403, method, path, uri, headers={"Origin": "https://evil.example"})
        until(f"429 of {method} {path}", lambda: refused_for_its_rate(c, method, path, uri))
    every_json(c)
    every_path(c)


def every_json(c):
    """Those that read a body of JSON."""
    for (method, path), operation in c.operations.items():
        uri = filled(path)
        token = "shop" if path == "/v1/policies" else "root"
        if path.startswith("/v1/queues/"):
            uri = uri.replace("nope", "default")
        if "application/json" not in operation.get("requestBody", {}).get("content", {}):
            continue
        def send(status, body, headers=None, length=None):
            headers = {"Content-Type": "application/json", **(headers or {})}
            c.call(status, method, path, uri, token=token, body=body, headers=headers, length=length)
        send(413, b'{"a":"' + b"a" * 9000 + b'"}')
        send(415, b"{}", {"Content-Type": "text/plain"})
        send(400, b"{")
        send(400, b"{", length=2)
        send(400, b"{}", {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="})
        send(422, b'{"queue":1}')


def every_path(c):
    """What is no operation: other methods, OPTIONS, HEAD, paths that are not there."""
    for path, item in c.document.document["paths"].items():
        methods = {m.upper() for m in item} | {"OPTIONS"} | ({"HEAD"} if "get" in item else set())
        uri = filled(path)
        for method, name, status in (("BREW", "MethodNotAllowed", 405), ("OPTIONS", "Allowed", 204)):
            answer = c.rig.ask(method, uri)
            c.check_other(name, answer, status)
            if set((answer.header("Allow") or "").split(", ")) != methods:
                c.blame(method, path, status, f"Allow is {answer.header('Allow')}")
        if "get" in item:
            get, head = c.rig.ask("GET", uri), c.rig.ask("HEAD", uri)
            if head.status != get.status or head.body:
                c.blame("HEAD", path, head.status, f"GET is {get.status}")
    c.check_other("NotFound", c.rig.ask("GET", "/v1/nothing"), 404)


def not_modified(c, path, uri=None, token="root"):
    """304, to who has the tag; what changes now and then is asked again."""
    def ask():
        tag = c.call(200, "GET", path, uri, token=token).header("ETag")
        answer = c.rig.ask("GET", uri or path, headers={"If-None-Match": tag}, token=token)
        return answer if answer.status == 304 else None
    c.note("GET", path, 304, until(f"304 of {path}", ask))


def in_flight(c, method, path, body):
    """409, while another request with the same key has not come to its end; one that came first is no other."""
    def ask():
        headers = {"Idempotency-Key": str(uuid.uuid4()), "Content-Type": "application/json"}
        half = c.rig.begin(method, filled(path), headers=headers, body=body[:1], length=len(body), half=True)
        time.sleep(0.02)
        answer = c.rig.ask(method, filled(path), headers=headers, body=body)
        half.close()
        return answer if answer.status == 409 else None
    c.note(method, path, 409, until(f"409 of {method} {path}", ask))


# --- uploads ---

def form(*parts):
    text = "".join(f"--B\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n" for head, body in parts)
    return {"headers": {"Content-Type": "multipart/form-data; boundary=B"}, "body": (text + "--B--\r\n").encode()}


def file(name="a.txt", body="hello"):
    return f'name="f"; filename="{name}"', body


def uploads(c):
    up, put = ("POST", "/v1/uploads"), ("PUT", "/v1/uploads/{filename}")
    by_form = dict(form(('name="meta.color"', "red"), file(), file("b.txt")))
    c.call(202, *up, **by_form)
    for method, path in (up, put):
        def send(status, query="", headers=None, body=b"hello", **more):
            uri = filled(path) + query
            return c.call(status, method, path, uri, headers=headers or {}, body=body, **more)
        job = json.loads(send(202, "?queue=idle&priority=1&meta.color=red&group=g", {
            "Want-Repr-Digest": "sha-256=10", "X-Request-Id": "mine",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b"}).body)["jobs"][0]
        send(202, f"?queue=idle&after={job['id']}&after_failure=run&delay=60&to=default,second&convert=copy",
             {"Content-Type": "text/plain"})
        send(202, "?queue=idle&callback=https://shop.example/done", {"X-Hoist-Meta-A": "b"})
        send(202, "?queue=idle", {"X-Hoist-Callback": "https://shop.example/done"})
        send(202, "?queue=idle", {"Prefer": "return=minimal"})
        send(200, "", {"Prefer": "wait=30"})
        send(202, "?queue=idle", {"Prefer": "wait=1"})
        key = {"Idempotency-Key": str(uuid.uuid4())}
        send(202, "", key)
        if send(202, "", key).header("Idempotent-Replayed") != "true":
            c.blame(method, path, 202, "a repeated request is not said to be one")
        send(422, "", key, b"other")
        refused(c, send, method, path)
        in_flight(c, method, path, b"hello")
    c.call(400, *up, **dict(form(('name="a"', "b"))))
    c.call(400, *up, headers={"Content-Type": "multipart/form-data; boundary=B"}, body=b"no form")
    c.call(413, *up, **dict(form((file()[0] + "\r\nX-Long: " + "x" * 600, "hello"))))


def refused(c, send, method, path):
    send(400, "", body=b"")
    send(400, "?nope=1")
    send(400, "", {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="})
    send(400, "", length=100)
    unique = "?queue=idle&unique=u" + method
    send(202, unique + "&unique_until=done&unique_window=5")
    send(409, unique)
    send(413, "?queue=small", body=b"more than ten")
    send(415, "", {"Content-Encoding": "gzip"})
    send(415, "?queue=picky", {"Content-Type": "image/png"}, b"a text, whatever it says it is")
    send(422, "?group=%20")
    send(422, "?queue=nope")
    send(422, "?to=nope")
    send(422, "?convert=nope")
    send(422, "?callback=http://shop.example/done")
    send(500, "", {"HOIST_BODY_FILE": "/nowhere"})
    send(503, "?queue=narrow")


def narrow(c):
    """A queue that is full: one job, and no more."""
    c.call(200, "PATCH", "/v1/queues/{queue}", "/v1/queues/narrow", wish={"max_length": 1})
    c.call(200, "POST", "/v1/queues/{queue}/pause", "/v1/queues/narrow/pause")
    until("503 queue-full", lambda: c.call(None, "PUT", "/v1/uploads/{filename}", "/v1/uploads/n?queue=narrow", body=b"n").status == 503)


def policies(c):
    make = ("POST", "/v1/policies")
    policy = c.json(201, *make, wish={"queue": "idle", "once": True, "max_bytes": 10}, token="shop")["policy"]
    told = c.json(201, *make, wish={"queue": "idle", "callback": "https://shop.example/done"}, token="shop")["policy"]
    c.call(202, "POST", "/v1/uploads", token=None, **dict(form(('name="policy"', told), file())))
    c.call(422, *make, wish={"queue": "idle", "callback": "http://shop.example/done"}, token="shop")
    c.call(422, *make, wish={"queue": "nope"}, token="shop")
    c.call(422, *make, wish={"expires_in": 0}, token="shop")
    c.call(403, *make, wish={}, token="sender")
    for status, text in ((202, policy), (409, policy), (403, policy[:-3] + "AAA")):
        c.call(status, "POST", "/v1/uploads", token=None, **dict(form(('name="policy"', text), file())))
    c.call(409, "PUT", "/v1/uploads/{filename}", "/v1/uploads/a", token=None, headers={"X-Hoist-Policy": policy}, body=b"hello")


# --- jobs ---

def put(c, query, body=b"hello"):
    return c.json(202, "PUT", "/v1/uploads/{filename}", "/v1/uploads/a.txt" + query, body=body)["jobs"][0]["id"]


def state_of(c, job):
    return c.json(200, "GET", "/v1/jobs/{id}", "/v1/jobs/" + job)["state"]


def created(c):
    make = ("POST", "/v1/jobs")
    c.call(202, *make, wish={"url": "https://files.example.com/a.pdf", "queue": "idle", "type": "application/pdf", "meta.a": "b"})
    told = c.json(202, *make, wish={"command": "hello", "queue": "idle", "callback": "https://shop.example/done?k=1"})["jobs"][0]["id"]
    if until("Redis knows it", lambda: c.json(200, "GET", "/v1/jobs/{id}", "/v1/jobs/" + told)).get("callback") != "https://shop.example/done":
        c.blame("GET", "/v1/jobs/{id}", 200, "the callback is not shown without its query")
    c.call(422, *make, wish={"command": "hello", "callback": "https://127.0.0.1/"})
    c.call(200, *make, wish={"command": "hello"}, headers={"Prefer": "wait=30"})
    key = {"Idempotency-Key": "made"}
    c.call(202, *make, wish={"command": "hello", "queue": "idle"}, headers=key)
    c.call(202, *make, wish={"command": "hello", "queue": "idle"}, headers=key)
    c.call(422, *make, wish={"command": "hello"}, headers=key)
    c.call(400, *make, wish={"command": "hello", "nope": "1"})
    c.call(415, *make, wish={"command": "hello"}, headers={"Content-Encoding": "gzip"})
    for wish in ({}, {"command": "nope"}, {"url": "http://127.0.0.1/"}, {"command": "hello", "queue": "nope"},
                 {"command": "hello", "to": "nope"}, {"command": "hello", "convert": "nope"}, {"url": "no address"}):
        c.call(422, *make, wish=wish)
    c.call(202, *make, wish={"command": "hello", "queue": "idle", "unique": "made"})
    c.call(409, *make, wish={"command": "hello", "queue": "idle", "unique": "made"})
    c.call(503, *make, wish={"command": "hello", "queue": "narrow"})
    in_flight(c, *make, b'{"command":"hello"}')


def jobs(c):
    show, base = ("GET", "/v1/jobs/{id}"), "/v1/jobs/"
    waiting, done = put(c, "?queue=idle"), put(c, "")
    c.call(200, *show, base + done + "?wait=30")
    until("it is done", lambda: state_of(c, done) == "done")
    both = put(c, "?to=default,second&convert=copy")
    c.call(200, *show, base + both, headers={"Prefer": "wait=30"})
    not_modified(c, "/v1/jobs/{id}", base + done)
    c.call(404, *show, base + NOBODY)
    c.call(404, *show, base + waiting, token="shop")
    c.call(422, *show, base + done + "?presign=60")
    signed = put(c, "?queue=idle&to=presigned")
    until("Redis knows it", lambda: state_of(c, signed) == "waiting")
    c.call(409, *show, base + signed + "?presign=60")
    in_parts(c, signed)
    c.rig.redis("HSET", "hoist:{idle}:job:" + signed.partition(".")[2], "state", "done", "url", "s3://bucket/a",
                "etag", "e", "attempts", "1", "started", "1795374017929", "ended", "1795374018929")
    c.call(200, *show, base + signed + "?presign=60")
    watched(c, waiting, done)
    steer(c, waiting, done)
    listed(c)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 & -(crc & 1))
    return crc ^ 0xffffffff


def in_parts(c, job):
    """A job of which a store has some parts (shared/parts_journal.h), and that named another's batch."""
    lines = ["parts 1 presigned bucket key 20971520 8388608 crc32c -", "create", "upload id", f"part {crc32c(b'id'):08x} 2 %22e%22 00000001 -"]
    os.makedirs(c.rig.path("spool/parts"), 0o700, exist_ok=True)
    with open(c.rig.path(f"spool/parts/{job}.presigned.parts"), "w", encoding="ascii") as f:
        f.writelines(f"{line} #{crc32c(line.encode()):08x}\n" for line in lines)
    c.rig.redis("HSET", "hoist:{idle}:job:" + job.partition(".")[2], "batch_refused", NO_BATCH)
    told = c.json(200, "GET", "/v1/jobs/{id}", "/v1/jobs/" + job)
    if [(u["total"], u["done"], len(u["parts"])) for u in told.get("multipart", [])] != [(3, 1, 3)] or told.get("batch_refused") != NO_BATCH:
        c.blame("GET", "/v1/jobs/{id}", 200, "does not tell of parts, and the batch it is not in")


def watched(c, waiting, done):
    watch = ("GET", "/v1/jobs/{id}/events")
    ended = c.call(200, *watch, f"/v1/jobs/{done}/events").body.decode()
    last = re.search("^id: (.*)$", ended, re.M).group(1)
    c.call(204, *watch, f"/v1/jobs/{done}/events", headers={"Last-Event-ID": last})
    c.call(404, *watch, f"/v1/jobs/{NOBODY}/events")
    c.call(200, *watch, f"/v1/jobs/{waiting}/events")


def feed(c):
    """What a dashboard hears: first what is there, then what happens."""
    streams = {event: c.rig.begin("GET", "/v1/events") for event in ("queues", "workers", "job")}
    for event, stream in streams.items():
        if event == "job":
            put(c, "")
        c.note("GET", "/v1/events", 200, stream.answer(event))
    c.call_by_cgi(503, "GET", "/v1/events", "/v1/events", "bare.ini")


def steer(c, waiting, done):
    """What changes a job."""
    base, one = "/v1/jobs/", {n: ("POST", "/v1/jobs/{id}/" + n) for n in ("retry", "promote", "priority", "move")}
    for name, (method, path) in one.items():
        wish = {"priority": {"priority": 0}, "move": {"queue": "default"}}.get(name)
        c.call(404, method, path, base + NOBODY + "/" + name, wish={**wish, **({"queue": "idle"} if name == "move" else {})} if wish else None)
        c.call(409, method, path, base + done + "/" + name, wish={"queue": "idle"} if name == "move" else wish)
    c.call(200, *one["priority"], base + waiting + "/priority", wish={"priority": 0})
    later = put(c, "?queue=idle&delay=3600")
    until("Redis knows it", lambda: state_of(c, later) == "scheduled")
    c.call(200, *one["promote"], base + later + "/promote")
    c.call(409, *one["promote"], base + later + "/promote")
    c.call(422, *one["priority"], base + waiting + "/priority", wish={"priority": 10})
    for status, queue in ((422, "nope"), (422, "idle"), (415, "picky"), (503, "narrow"), (202, "default")):
        c.call(status, *one["move"], base + waiting + "/move", wish={"queue": queue})
    moved, key = put(c, "?queue=idle"), {"Idempotency-Key": "moved"}
    answers = [c.call(202, *one["move"], base + moved + "/move", wish={"queue": "default"}, headers=key) for _ in range(2)]
    if answers[1].header("Idempotent-Replayed") != "true" or answers[0].body != answers[1].body:
        c.blame(*one["move"], 202, "a repeated request is not answered as the first one was")
    c.call(422, *one["move"], base + moved + "/move", wish={"queue": "idle"}, headers=key)
    failed = c.json(202, "POST", "/v1/jobs", wish={"command": "fails", "queue": "fragile"})["jobs"][0]["id"]
    until("it is dead", lambda: state_of(c, failed) == "dead")
    c.call(200, *one["retry"], base + failed + "/retry")
    until("it is dead again", lambda: state_of(c, failed) == "dead")
    cancel = ("DELETE", "/v1/jobs/{id}")
    slow = c.json(202, "POST", "/v1/jobs", wish={"command": "slow"})["jobs"][0]["id"]
    until("it runs", lambda: state_of(c, slow) == "running")
    until("a worker says so", lambda: any(w["jobs"] for w in c.json(200, "GET", "/v1/workers")["workers"]))
    c.call(202, *cancel, base + slow)
    c.call(200, *cancel, base + put(c, "?queue=idle"))
    c.call(404, *cancel, base + NOBODY)
    c.call(409, *cancel, base + done)


def listed(c):
    listing = ("GET", "/v1/jobs")
    for state in ("", "waiting", "scheduled", "running", "done", "dead", "cancelled"):
        for queue in ("default", "idle", "fragile"):
            c.call(200, *listing, f"/v1/jobs?queue={queue}" + (f"&state={state}" if state else ""))
    cursor = c.json(200, *listing, "/v1/jobs?queue=idle&limit=1")["cursor"]
    c.call(200, *listing, f"/v1/jobs?queue=idle&limit=1&after={cursor}")
    for search in (cursor, "photo", "a" * 300):
        c.call(422 if len(search) > 255 else 200, *listing, f"/v1/jobs?queue=idle&search={search}")
    c.call(422, *listing, "/v1/jobs?queue=nope")
    c.call(422, *listing, "/v1/jobs?limit=0")


# --- batches, queues, the rest ---

def batches(c):
    make, show, end = ("POST", "/v1/batches"), ("GET", "/v1/batches/{id}"), ("POST", "/v1/batches/{id}/close")
    key = {"Idempotency-Key": "batch"}
    batch = c.json(201, *make, wish={"queue": "idle"}, headers=key)["batch"]
    c.call(201, *make, wish={"queue": "idle"}, headers=key)
    c.call(422, *make, wish={"queue": "default"}, headers=key)
    c.call(422, *make, wish={"queue": "nope"})
    c.call(422, *make, wish={"callback": "http://shop.example/"})
    told = c.json(201, *make, wish={"queue": "idle", "callback": "https://shop.example/done?k=1"})["batch"]
    in_flight(c, *make, b"{}")
    put(c, "?queue=idle&batch=" + batch)
    put(c, "?queue=idle&batch=" + told)
    for status, (method, path), there in ((200, show, batch), (200, end, batch), (200, show, batch), (200, show, told), (404, show, NO_BATCH),
                                          (404, end, NO_BATCH)):
        c.call(status, method, path, path.replace("{id}", there))


def queues(c):
    one = "/v1/queues/{queue}"
    c.call(200, "GET", "/v1/queues", "/v1/queues?history=1")
    not_modified(c, "/v1/queues", token="quiet")  # rates of what has just been busy change all the time
    not_modified(c, one, "/v1/queues/quiet")
    not_modified(c, "/v1/workers")
    limits = {"rate": 0.5, "burst": 3, "max_inflight": 4, "max_bytes": 1 << 30, "group_max_inflight": 2, "group_rate": 1,
              "group_burst": 1, "retry_place": "tail", "group_rate:acme": 3}
    c.call(200, "PATCH", one, "/v1/queues/idle", wish=limits)
    c.call(200, "PATCH", one, "/v1/queues/idle", wish={name: None for name in limits})
    c.call(422, "PATCH", one, "/v1/queues/idle", wish={"rate": "fast"})
    for name, wish in (("pause", None), ("resume", None), ("retry", None), ("promote", None), ("purge", {"state": "waiting", "confirm": "idle"})):
        path = f"{one}/{name}"
        c.call(200, "POST", path, f"/v1/queues/idle/{name}", wish=wish)
        c.call(404, "POST", path, f"/v1/queues/nope/{name}", wish=wish)
    c.call(200, "POST", one + "/retry", "/v1/queues/fragile/retry?limit=1")
    c.call(422, "POST", one + "/retry", "/v1/queues/fragile/retry?limit=x")
    c.call(422, "POST", one + "/promote", "/v1/queues/idle/promote?limit=x")
    c.call(422, "POST", one + "/purge", "/v1/queues/idle/purge", wish={"state": "waiting", "confirm": "no"})
    c.call(404, "GET", one, "/v1/queues/nope")
    c.call(404, "PATCH", one, "/v1/queues/nope", wish={})


def workers(c):
    for verb in ("quiet", "resume"):
        path = f"/v1/workers/{{id}}/{verb}"
        c.call(200, "POST", path, f"/v1/workers/contract/{verb}")
        c.call(404, "POST", path, f"/v1/workers/nobody/{verb}")


def health(c):
    for query in ("", "?json", "?full", "?json&full"):
        c.call(200, "GET", "/status", "/status" + query)
    c.call(200, "GET", "/metrics")
    c.call(200, "GET", "/healthz")
    c.call(200, "GET", "/readyz")


def pages(c):
    for path, uri in (("/", "/"), ("/ui/{name}", "/ui/dashboard.css"), ("/openapi.json", "/openapi.json"),
                      ("/hoist.js", "/hoist.js"), ("/hoist.mjs", "/hoist.mjs")):
        not_modified(c, path, uri)
        c.call(200, "GET", path, uri, headers={"Accept-Encoding": "gzip"})
    c.call(404, "GET", "/ui/{name}", "/ui/nope")
    served = c.call(200, "GET", "/openapi.json").body
    if served != c.document.text.encode():
        c.blame("GET", "/openapi.json", 200, "is not the document of this source")


def bare(c):
    """Where Redis is away and the spool is full."""
    accepted = c.json(202, "PUT", "/v1/uploads/{filename}", "/v1/uploads/a.txt", body=b"hello", to="bare")
    c.call(200, "GET", "/v1/jobs/{id}", accepted["jobs"][0]["url"], to="bare")
    c.call(200, "GET", "/v1/batches/{id}", "/v1/batches/" + accepted["batch"], to="bare")
    until("507", lambda: c.rig.ask("PUT", "/v1/uploads/a.txt", body=b"hello", to="bare").status == 507)
    c.call(507, "PUT", "/v1/uploads/{filename}", "/v1/uploads/a.txt", body=b"hello", to="bare")
    c.call(507, "POST", "/v1/uploads", body=b"hello", to="bare")
    c.call(507, "POST", "/v1/jobs", wish={"command": "hello"}, to="bare")
    until("not ready", lambda: c.call(None, "GET", "/readyz", to="bare").status == 503)
    for (method, path), operation in c.operations.items():
        if "503" in operation["responses"] and (method, path, "503") not in c.seen and path not in ("/status", "/v1/policies"):
            wish = {"/v1/jobs/{id}/priority": {"priority": 1}, "/v1/jobs/{id}/move": {"queue": "other"},
                    "/v1/queues/{queue}/purge": {"state": "dead", "confirm": "default"}}.get(path)
            c.call(503, method, path, filled(path).replace("nope", "default"), wish=wish, to="bare")


ALL = (every, narrow, uploads, policies, created, jobs, feed, batches, queues, workers, health, pages, bare)
