"""Metrics: what is counted is told, of all processes, and nothing that a client writes becomes a label."""

import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flare_core.adapters.gateway.errors import UnavailableError
from flare_core.adapters.gateway.life import State, move
from flare_core.adapters.gateway.metrics import DIRECTORY, Metrics, render
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import Store
from tests.gateway.worlds import NOW, submitted


@dataclass
class Watched:
    """As much of a gateway as is counted."""

    store: Store
    metrics: Metrics = field(default_factory=Metrics)
    inventory_at: datetime | None = None

    def clock(self) -> datetime:
        return NOW


def samples(gateway: Watched) -> dict[tuple[str, ...], float]:
    body, kind = render(gateway)
    assert kind.startswith("text/plain")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_requests_are_counted_by_method_route_and_status(sqlite_store: Store) -> None:
    gateway = Watched(sqlite_store)
    for seconds in (0.002, 0.3):
        gateway.metrics.answered("GET", "getIntent", 200, seconds)
    gateway.metrics.answered("GET", "getIntent", 404, 0.001)
    found = samples(gateway)
    assert found["flare_request_seconds_count", "GET", "getIntent", "200"] == 2
    assert found["flare_request_seconds_sum", "GET", "getIntent", "200"] == pytest.approx(0.302)
    assert found["flare_request_seconds_bucket", "0.0025", "GET", "getIntent", "200"] == 1
    assert found["flare_request_seconds_count", "GET", "getIntent", "404"] == 1


def test_what_clients_invent_is_one_label(sqlite_store: Store) -> None:
    gateway = Watched(sqlite_store)
    for i in range(100):
        gateway.metrics.answered(f"METHOD{i}", "", 405, 0.1)
        gateway.metrics.solved(f"outcome{i}", 0.1, 1)
    found = samples(gateway)
    assert found["flare_request_seconds_count", "other", "other", "405"] == 100
    assert found["flare_solve_seconds_count", "other"] == 100
    assert sum(key[0] == "flare_request_seconds_count" for key in found) == 1


def test_searches_are_counted_by_outcome(sqlite_store: Store) -> None:
    gateway = Watched(sqlite_store)
    gateway.metrics.solved("optimal", 0.02, 3)
    gateway.metrics.solved("crashed", 4.0, 1)
    found = samples(gateway)
    assert found["flare_solve_seconds_count", "optimal"] == 1
    assert found["flare_solve_seconds_sum", "crashed"] == 4.0
    assert found["flare_solve_intents_sum",] == 4


def test_the_store_is_asked_for_what_it_knows(store: Store) -> None:
    gateway = Watched(store, inventory_at=NOW - timedelta(seconds=90))
    *_, placed = [submitted(store, name, gpus=4) for name in ("first", "second", "third")]
    with store.write() as connection:
        move(connection, placed.id, State.RESERVED, NOW, "placed", hourly_ueur=1, placement={})
    found = samples(gateway)
    assert found["flare_intents", "pending"] == found["flare_queue_length",] == 2
    assert found["flare_intents", "reserved"] == 1
    assert found["flare_intents", "failed"] == 0
    assert found["flare_gpus_booked",] == 4
    assert found["flare_inventory_age_seconds",] == 90


def test_without_a_store_nothing_is_told() -> None:
    gateway = Watched(Store(Settings(store_url="sqlite:////nowhere/flare.db")))
    with pytest.raises(UnavailableError):
        render(gateway)


def test_several_processes_are_counted_together(tmp_path: Path) -> None:
    """Also those that have died, and by any of them."""
    script = """
import os, sys
from flare_core.adapters.gateway.metrics import Metrics
Metrics().answered("GET", "getIntent", 200, 0.5)
if sys.argv[1] == "dies":
    os.kill(os.getpid(), 9)
"""
    ask = """
from prometheus_client.exposition import generate_latest
from prometheus_client import CollectorRegistry
from flare_core.adapters.gateway.metrics import Metrics
registry = CollectorRegistry()
registry.register(Metrics())
print(generate_latest(registry).decode())
"""
    environment = {DIRECTORY: str(tmp_path), "PYTHONPATH": ":".join(sys.path)}

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", *words], env=environment, capture_output=True, text=True, check=False
        )
        return done.stdout

    for fate in ("lives", "dies"):
        run(script, fate)
    assert 'flare_request_seconds_count{method="GET",route="getIntent",status="200"} 2.0' in run(ask)
