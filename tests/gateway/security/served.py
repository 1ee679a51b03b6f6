"""A real ``flare serve``, and a client that looks into every error that it is told."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from flare_core.adapters.gateway.limits import set_quota
from flare_core.adapters.gateway.settings import DAY_S, Quota, Settings
from flare_core.adapters.gateway.store import open_store
from flare_core.adapters.gateway.tokens import Permission, mint
from tests.conftest import ROOT
from tests.gateway.promises.launch import await_true, descendants
from tests.gateway.worlds import offer

Json = dict[str, Any]
Headers = Sequence[tuple[str, str]]

MUCH = {"count": 1_000_000, "period_s": 60, "burst": 1_000_000}
UNLIMITED: Mapping[str, Any] = {"per_token": MUCH, "per_address": MUCH, "failures": MUCH}
"""Settings where rate limits are not what is tested."""
WATCH = Path(__file__).parent / "watch"

# What no error body may hold (S15): traces, paths of files, SQL, the host's own name.
LEAK = re.compile(
    r"Traceback|File \"|site-packages|flare_core[/.]|/(?:home|root|tmp|usr|work|var|etc|proc)/\w"
    r"|\b(?:SELECT|INSERT|UPDATE|DELETE)\b.{0,80}\b(?:FROM|INTO|SET|WHERE)\b|sqlalchemy|sqlite3?\.|psycopg|OperationalError"
    + ("|" + re.escape(os.uname().nodename) if len(os.uname().nodename) > 3 else "")
)


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The error code, None where it is no error of ours."""
        with suppress(ValueError, AttributeError):
            code = self.json.get("error_code")
            return None if code is None else str(code)
        return None


@dataclass(slots=True)
class Client:
    """One connection, kept open; every error body that comes over it is searched for what it must not tell.

    What the request itself holds may come back: a path that was sent is no leak.
    """

    port: int
    token: str | None = None
    timeout_s: float = 30.0
    _line: http.client.HTTPConnection | None = None

    def ask(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        headers: Headers = (),
        token: str | None = None,
    ) -> Answer:
        """Send a request; `token` goes before the client's own, an empty one is none."""
        from json import dumps

        sent = body if json is None else dumps(json).encode()
        bearer = self.token if token is None else token
        own = [("Authorization", f"Bearer {bearer}")] if bearer else []
        if sent is not None and not any(name.lower() == "content-type" for name, _ in headers):
            own.append(("Content-Type", "application/json"))
        try:
            answer = self._send(method, path, sent, [*own, *headers])
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.close()  # it was closed while it was idle
            answer = self._send(method, path, sent, [*own, *headers])
        self._look_into(answer, path, sent or b"", headers)
        return answer

    def _send(self, method: str, path: str, body: bytes | None, headers: Headers) -> Answer:
        if self._line is None:
            self._line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout_s)
        line = self._line
        line.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            line.putheader(name, value)
        if body is not None:
            line.putheader("Content-Length", str(len(body)))
        line.endheaders(body)
        response = line.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        if response.will_close:
            self.close()
        return answer

    def _look_into(self, answer: Answer, path: str, body: bytes, headers: Headers) -> None:
        if answer.status < 400:
            return
        text = answer.body.decode("utf-8", "replace")
        sent = f"{path} {unquote(path)} {body.decode('utf-8', 'replace')} {headers}"
        leaks = [found[0] for found in LEAK.finditer(text) if found[0] not in sent]
        assert not leaks, f"{leaks} in {text[:500]}"

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


@dataclass(slots=True)
class Served:
    """One ``flare serve``.

    Attributes
    ----------
    folder
        Its own: inventory, log, notes of connections.
    """

    folder: Path
    store_url: str
    settings: Mapping[str, Any]
    process: subprocess.Popen[str]
    port: int
    _clients: list[Client] = field(default_factory=list)

    def client(self, token: str | None = None, timeout_s: float = 30.0) -> Client:
        """Return a connection of its own, which is closed with the server at the latest."""
        self._clients.append(Client(self.port, token, timeout_s))
        return self._clients[-1]

    def mint(
        self, user: str, *permissions: Permission, life_s: int = DAY_S, now: datetime | None = None
    ) -> str:
        """Make a token at the console; without permissions it has every one of them."""
        return self.mint_many([(user, frozenset(permissions or Permission))], life_s, now)[0]

    def mint_many(
        self,
        wanted: Iterable[tuple[str, frozenset[Permission]]],
        life_s: int = DAY_S,
        now: datetime | None = None,
    ) -> list[str]:
        settings = Settings(store_url=self.store_url, store_wait_s=30)
        store = open_store(settings)
        moment = now or datetime.now(UTC)
        with store.write() as connection:
            made = [
                mint(
                    connection, user, "test", moment, permissions=own, life_s=life_s, settings=settings
                ).secret
                for user, own in wanted
            ]
        store.close()
        return made

    def limit(self, user: str, **quota: int) -> None:
        """Give a user a quota."""
        store = open_store(Settings(store_url=self.store_url, store_wait_s=30))
        with store.write() as connection:
            set_quota(connection, user, Quota(**quota), datetime.now(UTC))
        store.close()

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    @property
    def connections(self) -> list[str]:
        notes = self.folder / "connections"
        return notes.read_text().splitlines() if notes.exists() else []

    def processes(self) -> list[int]:
        return [self.process.pid, *descendants(self.process.pid)]

    def stop(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()
        for client in self._clients:
            client.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def start(folder: Path, *, workers: int = 1, store_url: str | None = None, **settings: Any) -> Served:
    """Start ``flare serve`` and return when it is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    inventory = folder / "offers.json"
    if not inventory.exists():
        inventory.write_text(json.dumps({"version": 1, "offers": [offer("ample", nodes=None)]}))
    url = store_url or f"sqlite:///{folder / 'flare.db'}"
    given = {"inventory": str(inventory), "store_url": url, "workers": workers, "port": 0} | settings
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FLARE_")}
    environment |= dict(_variables(given)) | {
        "PYTHONPATH": f"{WATCH}:{ROOT}",
        "FLARE_TEST_CONNECTIONS": str(folder / "connections"),
    }
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from flare_core.adapters.cli import main; main()", "serve"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(f"flare serve did not start:\n{(folder / 'log').read_text()[-3000:]}")
    served = Served(folder, url, given, process, _port(line))
    try:
        await_true(lambda: _is_ready(served), 60)
    except TimeoutError:
        served.stop()
        raise
    return served


def _port(line: str) -> int:
    found = re.search(r"listening on http://[^,]*:(\d+),", line)
    assert found, line
    return int(found[1])


def _is_ready(served: Served) -> bool:
    with suppress(OSError, http.client.HTTPException):
        return served.client(timeout_s=5).ask("GET", "/readyz").status == 200
    return False


def _variables(values: Mapping[str, Any], prefix: str = "FLARE_") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _variables(value, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}", str(value)


@contextmanager
def served(folder: Path, **settings: Any) -> Iterator[Served]:
    """Serve for as long as the block takes."""
    server = start(folder, **settings)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def fleet(folder: Path, size: int, **settings: Any) -> Iterator[Sequence[Served]]:
    """Serve with several processes of one store, each with an address of its own."""
    first = start(folder / "0", **settings)
    url = first.store_url
    with ThreadPoolExecutor(size) as pool:
        others = [
            pool.submit(start, folder / str(number), store_url=url, **settings) for number in range(1, size)
        ]
        servers = [first, *(other.result() for other in others)]
    try:
        yield servers
    finally:
        for server in servers:
            server.stop()


def intent(name: str, **workload: Any) -> Json:
    """Return a small intent that can always be placed."""
    own = {
        "type": "service",
        "name": name,
        "image": "registry.example/app:1",
        "resources": {"cpu": "1", "memory": "1Gi", "gpu": {"model": "nvidia-h100", "count": 1}},
    }
    return {"intent": {"objective": "Cost_Minimization", "workload": own | workload}}


def changed(document: Json, path: str, value: Any) -> Json:
    """Return a document with one value set, by its path from the intent's inside."""
    copy: Json = json.loads(json.dumps(document))
    place: Any = copy["intent"]
    *parents, last = path.split(".")
    for part, following in pairwise([*parents, last]):
        if isinstance(place, list):
            while len(place) <= int(part):
                place.append({})
            place = place[int(part)]
        else:
            place = place.setdefault(part, [] if following.isdecimal() else {})
    if isinstance(place, list):
        place[int(last) :] = [value]
    else:
        place[last] = value
    return copy


def quantile(samples: Sequence[float], share: float) -> float:
    """Return the sample below which a share of all lies."""
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * share))]
