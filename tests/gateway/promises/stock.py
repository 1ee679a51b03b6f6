"""Federations that promises are held in, as inventory documents."""

import json
from pathlib import Path
from typing import Any

from tests.gateway.worlds import offer

Json = dict[str, Any]

MIG = {"shared": True, "sharing_strategy": "mig"}
SLOTS = {"shared": True, "sharing_strategy": "time-slicing", "sharing_slots": 4}


def of(*offers: Json) -> Json:
    return {"version": 1, "offers": list(offers)}


def scarce() -> Json:
    """28 GPUs of every kind of sale and sharing, and two nodes without any."""
    return of(
        offer("a-by-gpu", gpus=4, nodes=3),
        offer("b-by-node", gpus=2, nodes=4, billing="node"),
        offer("c-slots", gpus=2, nodes=2, gpu=SLOTS),
        offer("d-mig", gpus=2, nodes=2, gpu=MIG),
        offer("e-cpu", gpu=None, nodes=2, price={"hourly": "0.50 EUR/hour", "billing": "gpu"}),
    )


def ample() -> Json:
    """As many nodes as one likes, and none of them shared."""
    return of(offer("a-ample", gpus=8, nodes=None))


def written(folder: Path, document: Json, name: str = "offers.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document))
    return path
