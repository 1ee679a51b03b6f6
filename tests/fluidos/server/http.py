"""The double on a real socket: who asks, what path he means, and what goes back."""

import json
import secrets
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flare_core.adapters.fluidos.kinds import ACCESS_REVIEW
from tests.fluidos.server.access import ADMIN, ANONYMOUS, OPEN_PATHS, Attempt, User, account, allows
from tests.fluidos.server.api import Api
from tests.fluidos.server.faults import Fault
from tests.fluidos.server.resources import Resource

Json = dict[str, Any]

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Target:
    resource: Resource
    namespace: str | None
    name: str
    part: str


class Tokens:
    """Bearer tokens: one administrator's, and those that were asked for service accounts."""

    def __init__(self) -> None:
        self.admin = secrets.token_hex(16)
        self._users = {self.admin: ADMIN}

    def user(self, header: str | None) -> User:
        if header is None:
            return ANONYMOUS
        user = self._users.get(header.removeprefix("Bearer "))
        if user is None:
            raise Fault(401, "Unauthorized")
        return user

    def mint(self, namespace: str, name: str) -> str:
        token = secrets.token_hex(16)
        self._users[token] = account(namespace, name)
        return token


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, api: Api, tokens: Tokens, *args: Any) -> None:
        self.api, self.tokens = api, tokens
        super().__init__(*args)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._route(content)
        except Fault as fault:
            self._send(fault.code, fault.body)
        except ConnectionError:
            self.close_connection = True
        except Exception:
            told = traceback.format_exc()
            self._send(500, Fault(500, f"the double is broken: {told}").body)

    def _route(self, content: bytes) -> None:
        split = urlsplit(self.path)
        self.query = dict(parse_qsl(split.query, keep_blank_values=True))
        self.user = self.tokens.user(self.headers.get("Authorization"))
        if split.path in OPEN_PATHS:
            self._send(200, {"major": "1", "minor": "36", "gitVersion": "v1.36.2"})
            return
        if split.path == ACCESS_REVIEW.path() and self.command == "POST":
            self._send(201, self._review(self._body(content)))
            return
        target = self._target([part for part in split.path.split("/") if part])
        if target is None:
            self._send(200, self._discovery(split.path))
            return
        self._authorize(target)
        if self.command == "GET":
            self._read(target)
        else:
            self._write(target, content)

    def _target(self, parts: list[str]) -> Target | None:
        if parts[:1] == ["api"] and len(parts) > 2:
            group, version, rest = "", parts[1], parts[2:]
        elif parts[:1] == ["apis"] and len(parts) > 3:
            group, version, rest = parts[1], parts[2], parts[3:]
        elif parts[:1] in (["api"], ["apis"]):
            return None
        else:
            raise Fault(404, "the server could not find the requested resource")
        namespace = None
        if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
            namespace, rest = rest[1], rest[2:]
        resource = self.api.find(group, version, rest[0])
        name, part = (rest[1] if len(rest) > 1 else ""), (rest[2] if len(rest) > 2 else "")
        if part and part not in resource.subresources:
            raise Fault(404, "the server could not find the requested resource")
        return Target(resource, namespace, name, part)

    def _authorize(self, target: Target) -> None:
        verb = VERBS.get(self.command) or ("get" if target.name else "list")
        if verb == "list" and self.query.get("watch") == "true":
            verb = "watch"
        if verb == "delete" and not target.name:
            verb = "deletecollection"
        kind = target.resource.kind
        resource = f"{kind.plural}/{target.part}" if target.part else kind.plural
        namespace = target.name if kind.plural == "namespaces" else target.namespace or ""
        attempt = Attempt(verb, kind.group, resource, namespace, target.name)
        if not allows(self.api.storage, self.user, attempt):
            told = f'User "{self.user.name}" cannot {verb} resource "{resource}" in API group "{kind.group}"'
            raise Fault(403, f'{kind.plural} "{target.name}" is forbidden: {told}')

    def _discovery(self, path: str) -> Json:
        parts = [part for part in path.split("/") if part]
        if len(parts) == 3 or parts == ["api", "v1"]:
            group, version = ("", "v1") if parts[0] == "api" else (parts[1], parts[2])
            served = [
                r for r in self.api.resources.values() if (r.kind.group, r.kind.version) == (group, version)
            ]
            if not served:
                raise Fault(404, "the server could not find the requested resource")
            told = [
                {"name": r.kind.plural, "kind": r.kind.kind, "namespaced": r.kind.namespaced} for r in served
            ]
            return {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": "/".join(parts[1:]),
                "resources": told,
            }
        groups = {(r.kind.group, r.kind.version) for r in self.api.resources.values() if r.kind.group}
        named = [
            {"name": g, "versions": [{"groupVersion": f"{g}/{v}", "version": v}]} for g, v in sorted(groups)
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": named}

    def _read(self, target: Target) -> None:
        resource, namespace = target.resource, target.namespace
        if target.name:
            self._send(200, self.api.get(resource, namespace or "", target.name))
        elif self.query.get("watch") == "true":
            self._stream(self.api.watch(resource, namespace, self.query))
        else:
            self._send(200, self.api.listing(resource, namespace, self.query))

    def _write(self, target: Target, content: bytes) -> None:
        resource, namespace = target.resource, target.namespace or ""
        body = self._body(content)
        if self.command == "DELETE":
            self._delete(target, body)
            return
        if target.part == "token":
            self.api.get(resource, namespace, target.name)
            self._send(201, {**body, "status": {"token": self.tokens.mint(namespace, target.name)}})
            return
        pruned = self._pruned(resource, body)
        if self.command == "POST":
            self._send(201, self.api.create(resource, namespace, body, self.query), pruned)
        elif self.command == "PUT":
            put = partial(self.api.replace, resource, namespace, target.name, target.part)
            self._send(200, put(body, self.query), pruned)
        else:
            how = self.headers.get("Content-Type", "")
            item, made = self.api.patch(resource, namespace, target.name, target.part, body, how, self.query)
            self._send(201 if made else 200, item, pruned)

    def _delete(self, target: Target, options: Json) -> None:
        resource, namespace = target.resource, target.namespace or ""
        if target.name:
            self._send(200, self.api.delete(resource, namespace, target.name, options))
            return
        listed = self.api.listing(resource, target.namespace, self.query)
        for item in listed["items"]:
            self.api.delete(resource, item["metadata"].get("namespace", ""), item["metadata"]["name"], {})
        self._send(200, listed)

    def _body(self, content: bytes) -> Any:
        try:
            return json.loads(content) if content else {}
        except ValueError:
            raise Fault(400, "the object provided is unrecognized (must be of type JSON)") from None

    def _pruned(self, resource: Resource, body: Any) -> list[str]:
        if self.command == "PATCH" or not isinstance(body, dict):
            return []
        pruned = self.api.pruned(resource, body)
        if pruned and self.query.get("fieldValidation") == "Strict":
            raise Fault(
                400, "strict decoding error: " + ", ".join(f'unknown field "{path}"' for path in pruned)
            )
        return pruned

    def _send(self, code: int, body: Json, pruned: list[str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        for path in pruned or ():
            self.send_header("Warning", f'299 - "unknown field \\"{path}\\""')
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, events: Iterator[Json | None]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            if event is not None:
                line = json.dumps(event).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")

    def _review(self, body: Json) -> Json:
        asked = body["spec"]["resourceAttributes"]
        resource = asked["resource"] + (f"/{asked['subresource']}" if asked.get("subresource") else "")
        where, name = asked.get("namespace", ""), asked.get("name", "")
        attempt = Attempt(asked["verb"], asked.get("group", ""), resource, where, name)
        return {**body, "status": {"allowed": allows(self.api.storage, self.user, attempt)}}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no event."""


@contextmanager
def running() -> Iterator[tuple[str, str]]:
    """A server of one's own: its address, and an administrator's token."""
    api, tokens = Api(), Tokens()
    server = Server(("127.0.0.1", 0), partial(Handler, api, tokens))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", tokens.admin
    finally:
        with api.storage.lock:
            api.storage.stopped = True
            api.storage.lock.notify_all()
        server.shutdown()
        server.server_close()
        thread.join()
