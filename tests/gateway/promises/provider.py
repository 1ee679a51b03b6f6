"""A provider outside of the gateway: the local backend's life, and objects that outlive gateways."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from flare_core.adapters.gateway.backend.local import LocalBackend
from flare_core.adapters.gateway.backend.port import Order, Report
from flare_core.adapters.gateway.settings import Settings
from flare_core.inventory.types import Inventory


class Provider:
    """What is bought is kept in a file, each object with how many others its intent had then."""

    name = "provider"

    def __init__(self, settings: Settings, clock: Callable[[], datetime], path: Path) -> None:
        self._local = LocalBackend(settings.inventory, clock=clock)
        self._path = path
        self._run(
            "CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY, intent TEXT, state TEXT, double INT)"
        )

    def _run(self, statement: str, *values: str) -> None:
        with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as file:
            file.execute("PRAGMA synchronous=OFF")
            file.execute(statement, values)

    def discover(self) -> Inventory:
        return self._local.discover()

    def reserve(self, order: Order) -> Report:
        self._run(
            "INSERT INTO objects SELECT ?, ?, 'reserved', "
            "(SELECT count(*) FROM objects WHERE intent = ? AND state <> 'released') "
            "WHERE NOT EXISTS (SELECT * FROM objects WHERE key = ?)",
            order.key, order.intent_id, order.intent_id, order.key,
        )  # fmt: skip
        return self._local.reserve(order)

    def commit(self, order: Order) -> Report:
        self._run("UPDATE objects SET state = 'bought' WHERE key = ? AND state = 'reserved'", order.key)
        return self._local.commit(order)

    def status(self, order: Order) -> Report:
        return self._local.status(order)

    def release(self, order: Order) -> Report:
        self._run("UPDATE objects SET state = 'released' WHERE key = ?", order.key)
        return self._local.release(order)

    def close(self) -> None:
        self._local.close()


def objects(path: Path) -> list[tuple[str, str, str, int]]:
    """Return key, intent, state, and how many others the intent had, of all that was ever bought."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=30)) as file:
        return file.execute("SELECT key, intent, state, double FROM objects").fetchall()


def provider_faults(path: Path, states: dict[str, str]) -> list[str]:
    """Return what is wrong with the provider's objects while nothing is under way."""
    found = objects(path)
    there = {intent for _, intent, state, _ in found if state != "released"}
    ought = {intent for intent, state in states.items() if state in ("reserved", "running")}
    return [
        *(f"{key}: {double} others of its intent" for key, _, _, double in found if double),
        *(f"{intent}: bought, and is {states.get(intent)}" for intent in sorted(there - ought)),
        *(f"{intent}: is {states[intent]}, and nothing is bought" for intent in sorted(ought - there)),
    ]
