"""One Kubernetes API server: objects are plain dictionaries, refusals are typed errors, nothing is retried.

Kubeconfig, credentials and TLS are lightkube's. Its typed calls are not used: they send no precondition with
a delete, and its watch goes on for ever by itself, where a caller here decides what a cut means.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2
import yaml
from lightkube import KubeConfig
from lightkube.config.client_adapter import Client, ConnectionParams
from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import User
from lightkube.core.exceptions import ConfigError
from lightkube.types import PatchType

from flare_core.adapters.fluidos.errors import (
    ClusterError,
    ConflictError,
    DeniedError,
    ExistsError,
    ExpiredError,
    InvalidError,
    MalformedError,
    NotFoundError,
    ThrottledError,
    UnavailableError,
    UnservedError,
)
from flare_core.adapters.fluidos.kinds import ACCESS_REVIEW, Kind

Json = dict[str, Any]

MANAGER = "flare"
TIMEOUT_S = 10.0
CHUNK = 500

_REFUSALS: Mapping[int, type[ClusterError]] = {
    400: InvalidError,
    401: DeniedError,
    403: DeniedError,
    404: NotFoundError,
    405: InvalidError,
    409: ConflictError,
    410: ExpiredError,
    413: InvalidError,
    415: InvalidError,
    422: InvalidError,
}


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects, and the version of the collection from which a watch goes on."""

    items: tuple[Json, ...]
    version: str


@dataclass(frozen=True, slots=True)
class Event:
    """One change: `type` is ADDED, MODIFIED, DELETED or BOOKMARK (which carries a version only)."""

    type: str
    object: Json


class Cluster:
    """A connection to an API server; may be shared by threads.

    Parameters
    ----------
    config
        Address and credentials of one context.
    timeout_s
        Longest silence that is waited for, seconds; a watch has its own.
    manager
        Field manager of what is written.
    """

    def __init__(self, config: SingleConfig, *, timeout_s: float = TIMEOUT_S, manager: str = MANAGER) -> None:
        # lightkube refuses a context without a user; the server decides what an anonymous one may do.
        config = config._replace(user=config.user or User())
        parameters = ConnectionParams(timeout=httpx2.Timeout(timeout_s), trust_env=False)
        self._http = Client(config, parameters)
        self._manager = manager
        self.namespace = config.namespace

    @classmethod
    def connect(
        cls, path: str | Path | None = None, context: str | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> Self:
        """Connect as a kubeconfig says: of `path`, else the pod's own account, $KUBECONFIG, ~/.kube/config.

        Raises
        ------
        ClusterError
            There is no such file or context, or it is none.
        """
        try:
            found = KubeConfig.from_file(path) if path is not None else KubeConfig.from_env()
            config = found.get(context)
        except (
            ConfigError,
            KeyError,
            TypeError,
            AttributeError,
            ValueError,
            OSError,
            yaml.YAMLError,
        ) as error:
            raise ClusterError(f"no usable kubeconfig: {_first_line(error)}") from error
        if config is None:
            raise ClusterError("no usable kubeconfig: it names no context")
        return cls(config, timeout_s=timeout_s)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Json:
        """Read one object.

        Raises
        ------
        NotFoundError
            There is none.
        """
        return self._object(kind, self._send("GET", kind.path(namespace, name)), name)

    def find(self, kind: Kind, name: str, namespace: str | None = None) -> Json | None:
        """Read one object, None where there is none.

        Raises
        ------
        UnservedError
            The server does not know the kind.
        """
        try:
            return self.get(kind, name, namespace)
        except UnservedError:
            raise
        except NotFoundError:
            return None

    def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Listing:
        """Read all objects (of all namespaces without one), page by page.

        Raises
        ------
        ExpiredError
            The pages took so long that the server gave their version up.
        """
        items: list[Json] = []
        query: dict[str, str] = {"limit": str(CHUNK), **({"labelSelector": labels} if labels else {})}
        while True:
            page = self._send("GET", kind.path(namespace), query=query)
            found, meta = page.get("items"), page.get("metadata")
            if not isinstance(found, list) or not isinstance(meta, dict):
                raise MalformedError(f"GET {kind.plural}: the answer is no list")
            if not all(isinstance(item, dict) and isinstance(item.get("metadata"), dict) for item in found):
                raise MalformedError(f"GET {kind.plural}: the list holds what is no object")
            items += found
            if not meta.get("continue"):
                return Listing(tuple(items), str(meta.get("resourceVersion", "")))
            query["continue"] = meta["continue"]

    def create(self, kind: Kind, body: Mapping[str, Any], namespace: str | None = None) -> Json:
        """Create an object; `namespace` is the body's own where it is not given.

        Raises
        ------
        ExistsError
            There is one of that name, possibly made by this very request sent before.
        InvalidError
            Its schema, its name or an admission rule refuses it.
        """
        path = kind.path(namespace or body["metadata"].get("namespace"))
        answer = self._send("POST", path, body=_typed(kind, body), query={"fieldManager": self._manager})
        return self._object(kind, answer, body["metadata"].get("name"))

    def replace(self, kind: Kind, body: Mapping[str, Any], *more: str) -> Json:
        """Put an object (or a subresource of it) in the place of the version that `body` names."""
        meta = body["metadata"]
        path = kind.path(meta.get("namespace"), meta["name"], *more)
        answer = self._send("PUT", path, body=_typed(kind, body), query={"fieldManager": self._manager})
        return self._object(kind, answer, meta["name"])

    def apply(self, kind: Kind, body: Mapping[str, Any], *, force: bool = False) -> Json:
        """Apply the fields that `body` states, creating the object where there is none.

        Raises
        ------
        ConflictError
            Another manager owns one of the fields, and `force` is not given.
        """
        meta = body["metadata"]
        query = {"fieldManager": self._manager, "force": str(force).lower()}
        path = kind.path(meta.get("namespace"), meta["name"])
        how = PatchType.APPLY.value
        return self._object(
            kind, self._send("PATCH", path, body=_typed(kind, body), query=query, content=how)
        )

    def patch(
        self,
        kind: Kind,
        name: str,
        change: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        namespace: str | None = None,
        *more: str,
    ) -> Json:
        """Change an object (or a subresource): a mapping is a merge patch, a sequence a JSON patch."""
        how = PatchType.MERGE if isinstance(change, Mapping) else PatchType.JSON
        path = kind.path(namespace, name, *more)
        query = {"fieldManager": self._manager}
        return self._object(
            kind, self._send("PATCH", path, body=change, query=query, content=how.value), name
        )

    def delete(self, kind: Kind, name: str, namespace: str | None = None, *, uid: str | None = None) -> bool:
        """Delete an object and, in the background, what it owns; whether there was one.

        Parameters
        ----------
        uid
            Delete it only if it is still this very one.

        Raises
        ------
        ConflictError
            Another object bears the name now.
        """
        body: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        try:
            self._send("DELETE", kind.path(namespace, name), body=body)
        except NotFoundError:
            return False
        return True

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        version: str,
        labels: str = "",
        timeout_s: float = 300.0,
    ) -> Iterator[Event]:
        """Follow changes after `version` until the server ends it, which it does after `timeout_s`.

        Raises
        ------
        ExpiredError
            The version is too old, told as HTTP 410 or as an event inside of a 200: list again.
        UnavailableError
            The connection was cut: go on from the last version seen.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, round(timeout_s))),
            **({"labelSelector": labels} if labels else {}),
        }
        what = f"watch {kind.plural}"
        # The server ends it at its time; silence for longer means that it is gone.
        timeout = httpx2.Timeout(TIMEOUT_S, read=timeout_s + TIMEOUT_S)
        try:
            with self._http.stream("GET", kind.path(namespace), params=query, timeout=timeout) as response:
                if response.status_code != httpx2.codes.OK:
                    response.read()
                    raise _refusal(what, response)
                for line in response.iter_lines():
                    yield _event(what, line)
        except httpx2.HTTPError as error:
            raise UnavailableError(f"{what}: {type(error).__name__}") from error

    def allowed(
        self, verb: str, kind: Kind, namespace: str | None = None, *, name: str | None = None
    ) -> bool:
        """Whether the credentials may do `verb` to `kind`: to all of them, or to the one of a name."""
        asked = {"verb": verb, "group": kind.group, "resource": kind.plural}
        if name is not None:
            asked["name"] = name
        if kind.namespaced and namespace is not None:
            asked["namespace"] = namespace
        body = {"metadata": {}, "spec": {"resourceAttributes": asked}}
        answer = self._send("POST", ACCESS_REVIEW.path(), body=_typed(ACCESS_REVIEW, body))
        status = answer.get("status")
        if not isinstance(status, dict):
            raise MalformedError("POST selfsubjectaccessreviews: the answer has no status")
        return bool(status.get("allowed"))

    def read(self, path: str) -> Json:
        """Read what is no object: ``/version``, ``/apis``."""
        return self._send("GET", path)

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
    ) -> Json:
        what = f"{method} {path}"
        data = None if body is None else json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        headers = {"Accept": "application/json", **({"Content-Type": content} if data is not None else {})}
        try:
            response = self._http.request(method, path, params=query, content=data, headers=headers)
        except httpx2.HTTPError as error:
            raise UnavailableError(f"{what}: {type(error).__name__}") from error
        if response.is_success:
            return _json(what, response.content)
        raise _refusal(what, response)

    @staticmethod
    def _object(kind: Kind, answer: Json, name: str | None = None) -> Json:
        meta = answer.get("metadata")
        if not isinstance(meta, dict) or answer.get("kind") != kind.kind:
            raise MalformedError(f"the answer is no {kind.kind}")
        if not meta.get("uid") or (name is not None and meta.get("name") != name):
            raise MalformedError(f"the answer is not the {kind.kind} {name or ''}".rstrip())
        return answer


def _first_line(error: Exception) -> str:
    """What is wrong, without what a YAML parser quotes: a kubeconfig holds credentials."""
    return str(error).partition("\n")[0] or type(error).__name__


def _typed(kind: Kind, body: Mapping[str, Any]) -> Json:
    return {**body, "apiVersion": kind.api_version, "kind": kind.kind}


def _json(what: str, content: bytes) -> Json:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{what}: the answer is no JSON") from error
    if not isinstance(answer, dict):
        raise MalformedError(f"{what}: the answer is no JSON object")
    return answer


def _event(what: str, line: str) -> Event:
    event = _json(what, line.encode())
    kind, body = event.get("type"), event.get("object")
    if not isinstance(kind, str) or not isinstance(body, dict):
        raise MalformedError(f"{what}: an event that is none")
    if kind == "ERROR":
        code = body.get("code")
        message = f"{what}: {body.get('message', 'error')}"
        raise ExpiredError(message, 410) if code == 410 else UnavailableError(message, code)
    return Event(kind, body)


def _refusal(what: str, response: httpx2.Response) -> ClusterError:
    status = response.status_code
    try:
        told = _json(what, response.content)
    except MalformedError:
        told = {}
    message = f"{what}: {status} {told.get('reason', '')}: {told.get('message', 'no reason told')}"
    if status == httpx2.codes.TOO_MANY_REQUESTS:
        return ThrottledError(message, _seconds(response.headers.get("Retry-After")))
    if told.get("reason") == "AlreadyExists":
        return ExistsError(message, status)
    if status == httpx2.codes.NOT_FOUND and not _names_one(told):
        return UnservedError(message, status)
    return _REFUSALS.get(status, UnavailableError)(message, status)


def _names_one(told: Json) -> bool:
    """Whether a 404 is about an object: of a path that leads nowhere a server says nothing more."""
    details = told.get("details")
    return isinstance(details, dict) and bool(details.get("name"))


def _seconds(header: str | None) -> float:
    """Read Retry-After; what is no number of seconds, or more than an hour, counts as 1."""
    try:
        value = float(header or "")
    except ValueError:
        return 1.0
    return value if 0 <= value <= 3600 else 1.0
