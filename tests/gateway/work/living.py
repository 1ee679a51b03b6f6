"""Gateways that work, on small federations and with clocks that tests set."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from flare_core.adapters.gateway.backend.local import LocalBackend
from flare_core.adapters.gateway.backend.port import Backend
from flare_core.adapters.gateway.life import Record, State, find
from flare_core.adapters.gateway.service import Gateway
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.work.solver import Solver
from tests.gateway.worlds import NOW, offer

PATIENCE_S = 60.0
T = TypeVar("T")


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def tick(self, **by: float) -> None:
        self.now += timedelta(**by)


def offers_in(folder: Path, *offers: Mapping[str, Any]) -> Path:
    """Write a federation of these offers; one H100 node of eight GPUs where none is given."""
    path = folder / "offers.json"
    document = {"version": 1, "offers": list(offers) or [offer("a", gpus=8, nodes=1)]}
    fresh = folder / ".offers.json"
    fresh.write_text(json.dumps(document))
    fresh.rename(path)
    return path


def wish(name: str = "one", *, gpus: int = 1, kind: str = "service", **more: Any) -> str:
    """An intent for H100 GPUs."""
    workload = {
        "type": kind,
        "name": name,
        "image": "nginx:1",
        "resources": {"gpu": {"model": "nvidia-h100", "count": gpus}},
    }
    inside = {"objective": "Cost_Minimization", "workload": workload | more.pop("workload", {})}
    return json.dumps({"intent": inside | more})


def settings_in(url: str, path: Path, **more: Any) -> Settings:
    """Settings of a gateway that is quick to look again."""
    quick: dict[str, Any] = {"poll_s": 0.05, "inventory_ttl_s": 0.0, "inventory": (path,)}
    return Settings(store_url=url, **(quick | more))


class Shared(Solver):
    """A solver that outlives gateways: to start one takes longer than most tests."""

    def kill(self) -> None:
        pass

    def stop(self) -> None:
        pass


@contextmanager
def living(
    url: str,
    folder: Path,
    clock: Callable[[], datetime],
    *offers: Mapping[str, Any],
    backend: Backend | None = None,
    solver: Solver | None = None,
    **more: Any,
) -> Iterator[Gateway]:
    """Have a gateway that works; with solvers of its own where none is given."""
    settings = settings_in(url, offers_in(folder, *offers), **more)
    if backend is None:
        backend = LocalBackend(settings.inventory, clock=clock)
    solvers = None if solver is None else (solver, solver)
    gateway = Gateway(settings, backend=backend, clock=clock, solvers=solvers)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop(5)


def submitted(gateway: Gateway, text: str, user: str = "ada") -> Record:
    record = gateway.submit(user, text, key=None, body_sha256="").record
    assert record is not None
    return record


def awaited(gateway: Gateway, intent: str, *states: State) -> Record:
    """Wait until an intent is in one of some states, or in any but PENDING."""
    wanted = states or tuple(state for state in State if state is not State.PENDING)
    return until(lambda: _in(gateway, intent, wanted))


def _in(gateway: Gateway, intent: str, states: Sequence[State]) -> Record | None:
    with gateway.store.read() as connection:
        record = find(connection, intent)
    return record if record.state in states else None


def until(what: Callable[[], T | None]) -> T:
    """Wait for something to be true, and return it."""
    end = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not (found := what()):
        assert time.monotonic() < end, "this did not come true"
        pause.wait(0.01)
    return found
