"""The contract: each answer is held against the document, and what was seen is remembered."""

import json


class Contract:
    def __init__(self, document, rig):
        self.document, self.rig = document, rig
        self.operations = {(m, p): o for m, p, o in document.operations()}
        self.seen, self.types, self.faults = set(), set(), {}
        self.others = 0

    def blame(self, method, path, status, fault):
        self.faults.setdefault((method, path, status), fault)

    def note(self, method, path, status, answer, uri=None):
        """An answer that should have this status (None: any) as the document has it; the answer again."""
        if status not in (None, answer.status):
            self.blame(method, path, status, f"answered {answer.status}: {answer.body[:300]}")
            return answer
        response = self.operations[method, path]["responses"].get(str(answer.status))
        if response is None:
            self.blame(method, path, answer.status, f"is not in the document: {answer.body[:300]}")
            return answer
        fault = self.document.check(response, answer)
        if fault:
            self.blame(method, path, answer.status, f"{fault} [{uri}]: {answer.body[:200]}" if uri else fault)
        self.seen.add((method, path, str(answer.status)))
        if answer.header("Content-Type") == "application/problem+json":
            self.types.add(json.loads(answer.body)["type"])
        return answer

    def call(self, status, method, path, uri=None, wish=None, **more):
        """Ask, and note; wish is a JSON body."""
        if wish is not None:
            more["body"] = json.dumps(wish).encode()
            more["headers"] = {"Content-Type": "application/json", **more.get("headers", {})}
        return self.note(method, path, status, self.rig.ask(method, uri or path, **more), uri)

    def json(self, *args, **more):
        return json.loads(self.call(*args, **more).body or b"null")

    def call_by_cgi(self, status, method, path, uri, config, **more):
        return self.note(method, path, status, self.rig.cgi(config, method, uri, **more))

    def check_other(self, name, answer, status):
        """An answer that belongs to no operation: components/responses/NAME."""
        self.others += 1
        fault = self.document.check({"$ref": f"#/components/responses/{name}"}, answer)
        if answer.status != status:
            fault = f"answered {answer.status}"
        if fault:
            self.blame(name, answer.header("X-Request-Id"), status, fault)
        elif answer.body:
            self.types.add(json.loads(answer.body)["type"])
