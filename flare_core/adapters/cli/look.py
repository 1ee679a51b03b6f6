"""One intent's look at any offer of a plan's inventory, as text: place, price, carbon, latency."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from flare_core.adapters.cli.output import clean
from flare_core.candidates import pricing
from flare_core.candidates.emissions import carbon_ug
from flare_core.intent import Intent
from flare_core.inventory.types import IntArray, Inventory
from flare_core.placement.types import Placement, Plan
from flare_core.quantities import format_eur, parse_moment
from flare_core.requirements.lower import lower
from flare_core.requirements.types import Requirements

UNKNOWN: Final = "?"
NO_PRICE: Final = 2**62
"""Of an offer that cannot be bought, as its price is not known or not believed: dearer than any."""


@dataclass(frozen=True, slots=True)
class Look:
    """One intent of a plan: its number there, and what it asks."""

    plan: Plan
    number: int
    needs: Requirements

    @property
    def placement(self) -> Placement:
        """What became of the intent."""
        return self.plan.placements[self.number]

    @property
    def made(self) -> Placement:
        """What is placed, or would be if the offer of negotiation were accepted."""
        offer = self.placement.offer
        return self.placement if offer is None else offer.placement

    @property
    def inventory(self) -> Inventory:
        """The offers, with their latencies."""
        return self.plan.inventory

    def prices(self, offers: IntArray) -> IntArray:
        """Return the hourly price of one task as bought, micro-EUR: on a node billed whole the node's."""
        bought = pricing.bought_at(self.inventory, self.needs)[offers]
        by_node = ~self.inventory.label["billing"].take(offers).where("gpu".__eq__)
        prices = pricing.task_ueur(self.needs, self.inventory, offers, bought, by_node)
        flagged = self.inventory.label["price_flag"].codes[offers] >= 0
        return np.where((bought < 0) | flagged, NO_PRICE, prices)

    def spot(self, offer: int) -> bool:
        """Whether a task here would be bought as spot."""
        bought = int(pricing.bought_at(self.inventory, self.needs)[offer])
        return bought != int(self.inventory.whole["hourly_ueur"][offer])

    def gpus(self, offer: int) -> str:
        """Return what GPUs one task would pay for."""
        count, needed = int(self.inventory.whole["gpu_count"][offer]), self.needs.gpus
        if count <= 0:
            return "no GPU"
        part = self.inventory.label["billing"][offer] == "gpu" and 0 < needed < count
        return f"{needed} of {count} × {self.model(offer)}" if part else f"{count} × {self.model(offer)}"

    def model(self, offer: int) -> str:
        """Return the model of an offer's GPUs."""
        return clean(self.inventory.label["gpu_model"][offer] or UNKNOWN)

    def figures(self, offer: int, hourly: Sequence[int]) -> dict[str, str]:
        """Return the cells of tasks on an offer, given the hourly price of each, micro-EUR."""
        label = self.inventory.label
        region, zone = label["region"][offer] or "", label["zone"][offer] or ""
        place = zone if zone.startswith(region) else "/".join(part for part in (region, zone) if part)
        carbon = float(carbon_ug(self.needs, self.inventory, np.array([offer]))[0])
        return {
            "offer": clean(self.inventory.ids[offer]),
            "provider": clean(label["provider"][offer] or UNKNOWN),
            "place": clean(place or UNKNOWN),
            "hourly": _euro(sum(hourly)),
            "total": self.total(hourly),
            "carbon": _figure(len(hourly) * carbon / 1e6),
            "latency": _figure(float(self.inventory.number["latency_ms"][offer])),
        }

    def total(self, hourly: Sequence[int]) -> str:
        """Return what tasks of such hourly prices cost in all, micro-EUR; nothing where there is no end."""
        return "" if self.needs.end is None else _euro(sum(map(self._total, hourly)))

    def _total(self, hourly: int) -> int:
        if hourly >= NO_PRICE:
            return NO_PRICE
        return int(pricing.total_ueur(np.array([hourly]), self.needs.length_s)[0])


def looks(plan: Plan, intents: Sequence[Intent], now: str | datetime) -> list[Look]:
    """Return a look at each intent of a plan that was made at `now`."""
    moment = parse_moment(now).replace(microsecond=0)
    return [Look(plan, i, lower(intent, now=moment)) for i, intent in enumerate(intents)]


def _euro(ueur: int) -> str:
    return UNKNOWN if ueur >= NO_PRICE else format_eur(ueur).removesuffix(" EUR")


def _figure(value: float) -> str:
    return UNKNOWN if value != value else f"{value:,.1f}".removesuffix(".0")
