"""The demonstration federation that comes with the package."""

from importlib.resources import files

from flare_core.intent.json import parse_json
from flare_core.inventory.build import combine
from flare_core.inventory.document import read_document
from flare_core.inventory.types import Inventory

SOURCE = "the bundled demonstration federation (invented offers and prices)"


def demo_inventory() -> Inventory:
    """Return the demonstration federation.

    Providers, capacities and prices are invented, ``aws`` and ``gcp`` included; what the built-in tables know
    about GPUs and about these two is filled in as it would be for a real inventory.
    """
    text = (files("flare_core") / "examples" / "federation.json").read_text(encoding="utf-8")
    return combine([read_document(parse_json(text), SOURCE)])
