"""openapi.json: read, checked against the meta-schema of OpenAPI 3.1 and against the tables of the code, and what an answer is
validated with."""

import copy
import gzip
import json
import os
import re

from jsonschema import Draft202012Validator, RefResolver

METHODS = ("get", "put", "post", "delete", "patch")
# Of every answer, or of browsers' concern alone (cors.h): said once, in the document's description or nowhere.
HEADERS_EVERYWHERE = {"content-type", "content-length", "cache-control", "x-content-type-options", "vary",
                      "access-control-allow-origin", "access-control-expose-headers"}


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def close(node):
    """The document leaves room for members of later versions; the test does not: what is not written down is a fault."""
    if isinstance(node, list):
        for item in node:
            close(item)
    elif isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node and "$ref" not in node:
            node.setdefault("additionalProperties", False)
        for item in node.values():
            close(item)


class Document:
    def __init__(self, source):
        self.source = source
        self.text = read(os.path.join(source, "fcgi-app/web/assets/openapi.json"))
        self.open = json.loads(self.text)
        self.document = copy.deepcopy(self.open)
        close(self.document)
        self.resolver = RefResolver("", self.document)
        self.validators, self.events = {}, set()

    def resolve(self, node):
        """What a reference stands for."""
        while "$ref" in node and not set(node) - {"$ref", "description"}:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def operations(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if method in METHODS:
                    yield method.upper(), path, operation

    def validate(self, schema, value):
        """The first fault of a value, or None."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            self.validators[key] = Draft202012Validator(schema, resolver=self.resolver)
        for e in self.validators[key].iter_errors(value):
            best = e
            while best.context:
                best = min(best.context, key=lambda c: -len(c.absolute_path))
            return f"{'/'.join(map(str, best.absolute_path)) or 'the body'}: {best.message[:300]}"
        return None

    def check_headers(self, response, answer):
        said = {n.lower(): self.resolve(h) for n, h in response.get("headers", {}).items()}
        for name, value in answer.headers:
            if name.lower() in HEADERS_EVERYWHERE:
                continue
            header = said.get(name.lower())
            if not header:
                return f"the header {name} is not in the document"
            schema = header["schema"]
            wants_number = self.resolve(schema).get("type") == "integer"
            fault = self.validate(schema, int(value) if wants_number and value.isdigit() else value)
            if fault:
                return f"{name}: {fault}"
        for name, header in said.items():
            if header.get("required") and answer.header(name) is None:
                return f"the header {name} is missing"
        return None

    def check_events(self, kinds, text):
        """Each event is of a kind that the document has, and its data of the schema of that."""
        for block in text.split("\n\n"):
            fields = [line.partition(": ")[::2] for line in block.split("\n") if line and not line.startswith(":")]
            data = "".join(value for name, value in fields if name == "data")
            kind = dict(fields).get("event")
            if data:
                self.events.add(kind)
            if data and kind not in kinds:
                return f"the event {kind} is not in the document"
            fault = self.validate(kinds[kind], json.loads(data)) if data else None
            if fault:
                return f"event {kind}: {fault}"
        return None

    def check(self, response, answer):
        """What is wrong with an answer, or None."""
        response = self.resolve(response)
        fault = self.check_headers(response, answer)
        content = response.get("content")
        if fault:
            return fault
        if not content:
            return f"there is a body: {answer.body[:100]}" if answer.body else None
        if answer.header("Preference-Applied") == "return=minimal":
            return None if not answer.body else "there is a body"
        kind = answer.header("Content-Type") or ""
        media = content.get(kind)
        if not media:
            return f"the type {kind} is not in the document"
        if kind == "text/event-stream":
            return self.check_events(media["x-events"], answer.body.decode())
        if not kind.split(";")[0].endswith("json"):
            return None
        try:
            packed = answer.header("Content-Encoding") == "gzip"
            value = json.loads(gzip.decompress(answer.body) if packed else answer.body)
        except ValueError as e:
            return f"no JSON: {e}: {answer.body[:100]}"
        return self.validate(media["schema"], value)

    # --- of the document itself ---

    def check_meta(self, schemas):
        """By the meta-schema of OpenAPI 3.1, and each schema in it by that of JSON Schema 2020-12."""
        with open(os.path.join(schemas, "schemas/v3.1/schema.json"), encoding="utf-8") as f:
            meta = json.load(f)
        faults = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}"
                  for e in Draft202012Validator(meta).iter_errors(self.open)]
        for name, schema in self.open["components"]["schemas"].items():
            for e in Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema):
                faults.append(f"schemas/{name}: {e.message[:200]}")
        return faults

    def check_references(self):
        """Each leads somewhere, and nothing in components is for nothing."""
        faults, used = [], set(re.findall(r'"\$ref": "(#/[^"]*)"', self.text))
        said = set(re.findall(r"components/responses/\w+", self.open["info"]["description"]))
        for ref in used:
            try:
                self.resolver.resolve(ref)
            except Exception:
                faults.append(f"{ref} leads nowhere")
        for kind, items in self.open["components"].items():
            for name in items:
                if kind != "securitySchemes" and f"#/components/{kind}/{name}" not in used \
                        and f"components/{kind}/{name}" not in said:
                    faults.append(f"components/{kind}/{name} is used nowhere")
        ids = [o["operationId"] for _, _, o in self.operations()]
        faults += [f"the operationId {i} is given twice" for i in set(ids) if ids.count(i) > 1]
        for method, path, o in self.operations():
            names = {p["name"] for p in map(self.resolve, o.get("parameters", [])) if p["in"] == "path"}
            if names != set(re.findall(r"\{(\w+)\}", path)):
                faults.append(f"{method} {path}: its path parameters are {sorted(names)}")
        return faults

    def check_examples(self):
        """Each example is one of its schema."""
        faults = []

        def walk(node, at):
            if isinstance(node, list):
                for i, item in enumerate(node):
                    walk(item, f"{at}/{i}")
            elif isinstance(node, dict):
                if "example" in node:
                    schema = node.get("schema") or {k: v for k, v in node.items() if k != "example"}
                    fault = self.validate(schema, node["example"])
                    if fault:
                        faults.append(f"{at}: {fault}")
                for key, item in node.items():
                    if key != "example":
                        walk(item, f"{at}/{key}")
        walk(self.document, "#")
        return faults

    # --- by the tables of the code ---

    def code(self, path):
        return read(os.path.join(self.source, path))

    def check_routes(self):
        """The router's table has the same paths and methods, and wants the same scopes."""
        wanted = {"UPLOAD": [{"bearer": ["upload"]}], "READ": [{"bearer": ["read"]}], "ADMIN": [{"bearer": ["admin"]}],
                  "METRICS": [{"bearer": ["metrics"]}], "OPEN": []}
        by_policy = [{"policyHeader": []}, {"policyQuery": []}]
        wanted["SEND"] = wanted["UPLOAD"] + by_policy
        wanted["LOOK"] = wanted["READ"] + by_policy
        rows = re.findall(r'\{METHOD_(\w+), "([^"]*)",\s+ACCESS_(\w+),', self.code("fcgi-app/fastcgi/handlers.c"))
        routes = {(method, "/" + pattern): scope for method, pattern, scope in rows}
        told = {(method, re.sub(r"\{\w+\}", "{}", path)): o["security"] for method, path, o in self.operations()}
        faults = [f"{m} {p} is no route" for m, p in told.keys() - routes.keys()]
        faults += [f"{m} {p} is a route, and not in the document" for m, p in routes.keys() - told.keys()]
        faults += [f"{m} {p}: its security is not that of ACCESS_{routes[m, p]}" for m, p in told.keys() & routes.keys()
                   if told[m, p] != wanted[routes[m, p]]]
        return faults if rows else ["no routes were found in the code"]

    def check_problems(self):
        """problem.c has the same types, and each stands with its own status."""
        rows = re.findall(r'= \{(\d{3}), "([a-z-]+)",', self.code("fcgi-app/http/problem.c"))
        table = {"urn:hoist:problem:" + kind: int(status) for status, kind in rows}
        told = set(self.open["components"]["schemas"]["Problem"]["properties"]["type"]["enum"])
        faults = [f"{kind} is in one of document and code alone" for kind in told ^ set(table)]
        for name, response in self.open["components"]["responses"].items():
            schema = response.get("content", {}).get("application/problem+json", {}).get("schema")
            for kind in schema["properties"]["type"]["enum"] if schema else []:
                if table.get(kind) != schema["properties"]["status"]["const"]:
                    faults.append(f"{name}: {kind} has another status")
        for method, path, o in self.operations():
            for status, response in o["responses"].items():
                schema = self.resolve(response).get("content", {}).get("application/problem+json", {}).get("schema")
                if schema and schema["properties"]["status"]["const"] != int(status):
                    faults.append(f"{method} {path}: {status} has the schema of another status")
        return faults

    def check_job(self):
        """The members of a job are those of its table, and what job_json.c puts together."""
        table = re.findall(r'^    \{"\w+", +"(\w+)", +JOB_KIND', self.code("shared/job_fields.c"), re.M)
        made = {"id", "queue", "meta", "results", "result", "error", "url", "source", "crashes", "tries", "multipart"}
        told = set(self.open["components"]["schemas"]["Job"]["properties"])
        return [f"Job: {name} is in one of document and code alone" for name in told ^ (set(table) | made)]

    def check_queries(self):
        """What routes look for in a query is a parameter of one, and the other way round."""
        texts = [self.code(os.path.join(folder, name))
                 for folder, _, names in os.walk(os.path.join(self.source, "fcgi-app")) for name in names if name.endswith(".c")]
        asked = set(re.findall(r'request_query\([^()]*?, "(\w+)"\)', "".join(texts))) - {"access_token"}
        told = {p["name"] for _, path, o in self.operations() if not path.startswith("/v1/uploads")
                for p in map(self.resolve, o.get("parameters", [])) if p["in"] == "query"}
        return [f"query parameter {name} is in one of document and code alone" for name in asked ^ told]

    def check_options(self):
        """Options of an upload: the query parameters, the members of POST /v1/jobs, those of a policy."""
        rows = re.findall(r'^    \{"([a-z_0-9]+)",\s+\w+\},', self.code("fcgi-app/upload/options.c"), re.M)
        query = {p["name"] for p in map(self.resolve, self.document["paths"]["/v1/uploads"]["post"]["parameters"])
                 if p["in"] == "query"}
        schemas = self.open["components"]["schemas"]
        faults = [f"option {n} is in one of document and code alone" for n in query ^ (set(rows) | {"policy", "meta.NAME"})]
        faults += [f"JobWish has no {n}" for n in set(rows) - {"sha256"} - set(schemas["JobWish"]["properties"])]
        return faults if rows else ["no options were found in the code"]
