"""Small federations and stores for the tests of the gateway."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flare_core import read_inventory
from flare_core.adapters.gateway.life import Record, submit
from flare_core.adapters.gateway.rooms import Seat
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import Store
from flare_core.inventory.types import Inventory

NOW = datetime(2026, 1, 15, 10, 35, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def offer(name: str, gpus: int = 8, nodes: int | None = 2, **more: Any) -> dict[str, Any]:
    """An offer of H100 nodes, billed by GPU."""
    gpu = more.pop("gpu", {})
    card = {"model": "nvidia-h100", "count": gpus, "memory": "80Gi"}
    return {
        "id": name,
        "provider": "p",
        "region": "r",
        "nodes": nodes,
        "price": {"hourly": "8.00 EUR/hour", "billing": more.pop("billing", "gpu")},
        "cpu": "64",
        "memory": "512Gi",
        "storage": "1Ti",
        "gpu": None if gpu is None else card | gpu,
    } | more


def federation(*offers: Mapping[str, Any]) -> Inventory:
    return read_inventory({"version": 1, "offers": [dict(each) for each in offers]})


def seat(name: str, node: int, *gpus: int, start: datetime = NOW, **more: Any) -> Seat:
    return Seat(offer=name, node=node, gpus=gpus, start=start, **more)


def submitted(store: Store, name: str, user: str = "ada", gpus: int = 1, now: datetime = NOW) -> Record:
    with store.write() as connection:
        return submit(connection, user, name, {"name": name}, gpus, now)


def settings_of(url: str, **more: Any) -> Settings:
    return Settings(store_url=url, **more)
