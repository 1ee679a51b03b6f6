"""Small worlds in one call: an offer that says everything, and what is changed about it."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from flare_core.candidates.screen import screen
from flare_core.candidates.types import Candidates
from flare_core.intent import read_intent
from flare_core.inventory.build import combine
from flare_core.inventory.document import read_document
from flare_core.inventory.types import Inventory
from flare_core.requirements.lower import lower
from flare_core.requirements.types import Requirements

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)

# A model that no table knows, so that what an offer does not say stays unknown.
OFFER: Mapping[str, Any] = {
    "id": "a",
    "provider": "p1",
    "region": "eu-west-1",
    "zone": "eu-west-1a",
    "country": "IE",
    "nodes": 2,
    "price": {"hourly": "8.00 EUR/hour", "billing": "gpu"},
    "cpu": "64",
    "memory": "256Gi",
    "storage": "1Ti",
    "gpu": {"model": "nvidia-x1", "count": 4, "memory": "80Gi"},
}
JOB: Mapping[str, object] = {
    "workload.type": "job",
    "workload.job.timeout": "2h",
}


def offer(changes: Mapping[str, object] | None = None, /, id: str = "a") -> dict[str, Any]:
    """An offer with values at dotted paths changed; None takes a field out."""
    return _patched(OFFER, {"id": id, **(changes or {})})


def inventory(*offers: dict[str, Any]) -> Inventory:
    return combine([read_document({"version": 1, "offers": list(offers or (offer(),))})])


def needs(changes: Mapping[str, object] | None = None, /, now: datetime = NOW) -> Requirements:
    """Requirements of a service of one task with one GPU, with fields at dotted paths changed."""
    document = {
        "objective": "Cost_Minimization",
        "workload": {
            "type": "service",
            "name": "web",
            "image": "acme/app:1",
            "resources": {"gpu": {"count": 1}},
        },
    }
    return lower(read_intent(_patched(document, changes or {})), now=now)


def screened(
    asked: Mapping[str, object] | Requirements, offers: Iterable[dict[str, Any]] | Inventory = ()
) -> Candidates:
    wanted = asked if isinstance(asked, Requirements) else needs(asked)
    return screen(wanted, offers if isinstance(offers, Inventory) else inventory(*offers))


def removed_by(found: Candidates) -> set[tuple[str, str]]:
    """The (path, rule) of every step that removed anything."""
    return {(step.path, step.rule) for step in found.funnel.steps if step.alone}


def _patched(document: Mapping[str, Any], changes: Mapping[str, object]) -> dict[str, Any]:
    copy: dict[str, Any] = deepcopy(dict(document))
    for path, value in changes.items():
        *way, last = path.split(".")
        inner = copy
        for key in way:
            inner = inner.setdefault(key, {})
        if value is None and not path.endswith(("nodes", "gpu")):
            inner.pop(last, None)
        else:
            inner[last] = value
    return copy
