"""FLARE decides where GPU work runs: an intent and offers in, a proven, checked and explained placement out.

>>> import flare_core as flare
>>> plan = flare.place(flare.read_intent(intent), flare.read_inventory(offers), now="2026-01-15T10:35:00Z")
>>> plan.to_dict()["status"]
"""

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
from flare_core.intent import Intent, read_intent, read_intents
from flare_core.inventory.read import read_inventory
from flare_core.inventory.types import Inventory
from flare_core.options import Cancellation, Options, Progress
from flare_core.placement.types import Outcome, Placement, Plan, Status
from flare_core.verify import Violation, verify

__all__ = [
    "Cancellation",
    "CancelledError",
    "ErrorCode",
    "FlareError",
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
    "Progress",
    "Status",
    "Violation",
    "place",
    "read_intent",
    "read_intents",
    "read_inventory",
    "verify",
]
