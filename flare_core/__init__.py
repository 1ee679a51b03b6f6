"""FLARE decides where GPU work runs: an intent and offers in, a proven, checked and explained placement out.

::

    import flare_core as flare

    inventory = flare.read_inventory("offers.json")
    intent = flare.read_intent("intent.json")
    plan = flare.place(intent, inventory, now="2026-01-15T10:35:00Z")
    plan.to_dict()
    flare.verify(plan, [intent], inventory)  # () or the violations

Nearly every name is loaded when it is first used, so that importing the package costs little: a program that
only reads inventories loads no solver, and one that only verifies plans loads neither solver nor pydantic.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from flare_core.verify import Violation, verify  # at once, since the room has the name of what it holds

if _TYPE_CHECKING:
    from flare_core.arrivals import Acceptance, Engine, acceptance
    from flare_core.engine import place
    from flare_core.errors import (
        CancelledError,
        ErrorCode,
        FlareError,
        IntentError,
        InternalError,
        InventoryError,
        NotSupportedError,
        OptionsError,
    )
    from flare_core.explanation.explanation import Explanation
    from flare_core.frontier.front import Front, Point
    from flare_core.frontier.pareto import pareto
    from flare_core.intent import Intent, read_intent, read_intents
    from flare_core.inventory.read import read_inventory
    from flare_core.inventory.types import Inventory
    from flare_core.options import Cancellation, Options, Progress
    from flare_core.placement.types import Outcome, Placement, Plan, Status
    from flare_core.why import explain

__all__ = [
    "Acceptance",
    "Cancellation",
    "CancelledError",
    "Engine",
    "ErrorCode",
    "Explanation",
    "FlareError",
    "Front",
    "Intent",
    "IntentError",
    "InternalError",
    "Inventory",
    "InventoryError",
    "NotSupportedError",
    "Options",
    "OptionsError",
    "Outcome",
    "Placement",
    "Plan",
    "Point",
    "Progress",
    "Status",
    "Violation",
    "acceptance",
    "explain",
    "pareto",
    "place",
    "read_intent",
    "read_intents",
    "read_inventory",
    "verify",
]

_ROOMS = {
    "arrivals": ("Acceptance", "Engine", "acceptance"),
    "engine": ("place",),
    "errors": tuple(name for name in __all__ if name.endswith("Error") or name == "ErrorCode"),
    "explanation.explanation": ("Explanation",),
    "frontier.front": ("Front", "Point"),
    "frontier.pareto": ("pareto",),
    "intent": ("Intent", "read_intent", "read_intents"),
    "inventory.read": ("read_inventory",),
    "inventory.types": ("Inventory",),
    "options": ("Cancellation", "Options", "Progress"),
    "placement.types": ("Outcome", "Placement", "Plan", "Status"),
    "why": ("explain",),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
