"""One used offer: what it says, and what an intent's fields ask of it.

A rule is a line: the intent's JSON path, the offer's column, what is asked, whether a value will do, and
whether an unknown one passes, which it does for default limits alone. A request for nothing (False, ``any``,
``public``, a minimum of 0, an empty list) makes no line.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flare_core.catalog.regions import (
    distance_km,
    estimate_latency_ms,
    location_countries,
    region,
    resolve_origin,
)

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.inventory.types import Inventory

Origin = tuple[float, float] | str | None
Value = int | float | bool | str | None

RATINGS: Final = "ABCDEF"
# The worst PUE of each letter; beyond the last it is F.
RATING_PUE: Final = (1.2, 1.4, 1.6, 1.8, 2.0)


@dataclass(frozen=True, slots=True)
class Offer:
    """A row of the inventory, and where the consumer sits."""

    inventory: "Inventory"
    row: int
    origin: Origin = None

    @property
    def id(self) -> str:
        return self.inventory.ids[self.row]

    def says(self, column: str) -> Value:
        """Return what the offer says, or what follows from it; None where it is unknown."""
        match column:
            case "latency_ms":
                return self.latency_ms()
            case "efficiency_rating":
                return self._efficiency_rating()
            case _:
                return self.inventory.value(column, self.row)

    def number(self, column: str) -> float | None:
        value = self.says(column)
        return None if value is None or isinstance(value, str) else float(value)

    def whole(self, column: str) -> int | None:
        value = self.inventory.value(column, self.row)
        return value if isinstance(value, int) else None

    def text(self, column: str) -> str | None:
        value = self.says(column)
        return value if isinstance(value, str) else None

    def latency_ms(self) -> float | None:
        """Return the stated network latency, else the estimate where both places are known."""
        stated = self.inventory.value("latency_ms", self.row)
        if stated is not None or self.origin is None:
            return None if stated is None else float(stated)
        provider, name = self.text("provider"), self.text("region")
        here = region(provider, name) if provider and name else None
        if here is None:
            return None
        return estimate_latency_ms(distance_km(resolve_origin(self.origin), (here.lat, here.lon)))

    def _efficiency_rating(self) -> str | None:
        stated = self.inventory.value("efficiency_rating", self.row)
        pue = self.inventory.value("pue", self.row)
        if isinstance(stated, str) or not isinstance(pue, float):
            return stated if isinstance(stated, str) else None
        return RATINGS[sum(pue > worst for worst in RATING_PUE)]

    @property
    def billed_whole(self) -> bool:
        """Whether a node is paid whole, the default."""
        return self.text("billing") != "gpu"

    @property
    def shares(self) -> bool:
        """Whether a task can have part of a GPU; one slot a GPU is the whole GPU."""
        strategy, slots = self.text("sharing_strategy"), self.whole("sharing_slots")
        by_slots = strategy in ("time-slicing", "mps") and slots is not None and slots > 1
        return self.says("shared") is True and (strategy == "mig" or by_slots)


@dataclass(frozen=True, slots=True)
class Rule:
    """What one field of an intent asks of each offer that it uses."""

    path: str
    column: str
    asked: str
    holds: Callable[[Value], bool]
    unknown_passes: bool = False

    def broken_by(self, offer: Offer) -> str | None:
        """Return why the offer does not do, None where it does."""
        value = offer.says(self.column)
        if self.unknown_passes if value is None else self.holds(value):
            return None
        said = "does not say" if value is None else f"says {value!r}"
        return f"{self.path} asks for {self.column} {self.asked}, and offer {offer.id} {said}"


def rules_of(intent: "Intent") -> tuple[Rule, ...]:
    """Return everything that an intent asks of a single offer."""
    return (*_gpu_rules(intent), *_place_rules(intent), *_limit_rules(intent), *_trust_rules(intent))


def _at_least(path: str, column: str, least: float | None, default: bool = False) -> Iterator[Rule]:
    if least:
        yield Rule(
            path, column, f"of at least {least:g}", lambda v: v is not None and float(v) >= least, default
        )


def _at_most(path: str, column: str, most: float | None, default: bool = False) -> Iterator[Rule]:
    if most is not None:
        yield Rule(
            path, column, f"of at most {most:g}", lambda v: v is not None and float(v) <= most, default
        )


def _exactly(path: str, column: str, wanted: object) -> Iterator[Rule]:
    if wanted not in (None, False, "any", "public"):
        yield Rule(path, column, repr(wanted), lambda v: v == wanted)


def _gpu_rules(intent: "Intent") -> Iterator[Rule]:
    gpu, at = intent.workload.resources.gpu, "workload.resources.gpu"
    if gpu is None or gpu.count == 0:
        return
    yield from _exactly(f"{at}.model", "gpu_model", gpu.model)
    yield from _at_least(f"{at}.memory", "gpu_memory_mib", gpu.memory)
    yield from _at_least(f"{at}.cores", "gpu_cores", gpu.cores)
    yield from _at_least(f"{at}.clock_speed", "gpu_clock_mhz", gpu.clock_speed)
    yield from _at_least(f"{at}.compute_capability", "compute_capability", gpu.compute_capability)
    yield from _exactly(f"{at}.architecture", "architecture", gpu.architecture)
    yield from _exactly(f"{at}.tier", "tier", gpu.tier)
    yield from _at_least(f"{at}.fp32_tflops", "fp32_tflops", gpu.fp32_tflops)
    yield from _exactly(f"{at}.dedicated", "dedicated", gpu.dedicated)


def _place_rules(intent: "Intent") -> Iterator[Rule]:
    asked = intent.constraints
    yield from _location(asked.location)
    yield from _exactly("constraints.availability_zone", "zone", asked.availability_zone)
    if asked.providers:
        names = {name.casefold() for name in asked.providers}
        yield Rule(
            "constraints.providers",
            "provider",
            f"among {sorted(names)}",
            lambda v: isinstance(v, str) and v.casefold() in names,
        )
    places = asked.compliance.data_residency
    if places and "any" not in places:
        path = "constraints.compliance.data_residency"
        yield Rule(path, "country", f"in {list(places)}", lambda v: any(v in _countries(p) for p in places))


def _countries(place: str) -> frozenset[str]:
    return location_countries(place) or frozenset()


def _location(location: str) -> Iterator[Rule]:
    path, countries, name = "constraints.location", location_countries(location), location.casefold()
    if location == "any":
        return
    if countries is not None:
        yield Rule(path, "country", f"in {location}", lambda v: v in countries)
    else:
        # The hyphen is the boundary: `us-east` holds us-east-1 and not us-east1.
        yield Rule(path, "region", f"in {location}", lambda v: f"{v}-".casefold().startswith(f"{name}-"))


def _limit_rules(intent: "Intent") -> Iterator[Rule]:
    limits, perf, energy = intent.constraints, intent.constraints.performance, intent.constraints.energy
    at = "constraints.performance"
    said, perf_said, energy_said = (part.model_fields_set for part in (limits, perf, energy))
    latency = "max_latency_ms" not in said
    yield from _at_most("constraints.max_latency_ms", "latency_ms", limits.max_latency_ms, latency)
    yield from _at_least(f"{at}.min_network_bandwidth", "network_gbps", perf.min_network_bandwidth)
    jitter, uptime = "max_jitter_ms" not in perf_said, "min_uptime_percent" not in perf_said
    yield from _at_most(f"{at}.max_jitter_ms", "jitter_ms", perf.max_jitter_ms, jitter)
    yield from _at_least(f"{at}.min_uptime_percent", "uptime_percent", perf.min_uptime_percent, uptime)
    yield from _at_most(f"{at}.max_cold_start_time", "cold_start_s", perf.max_cold_start_time)
    yield from _at_most("sla.max_interruption_time", "cold_start_s", intent.sla.max_interruption_time)
    if intent.workload.type != "service":  # every task's offer meets it alone
        sla = "availability" not in intent.sla.model_fields_set
        yield from _at_least("sla.availability", "uptime_percent", intent.sla.availability, sla)
    at, pue = "constraints.energy", "power_usage_effectiveness"
    yield from _at_most(f"{at}.{pue}", "pue", energy.power_usage_effectiveness, pue not in energy_said)
    yield from _exactly(f"{at}.renewable_energy_only", "renewable_energy", energy.renewable_energy_only)
    yield from _exactly(f"{at}.green_certified_only", "green_certified", energy.green_certified_only)
    worst = energy.energy_efficiency_rating
    if worst is not None:
        path = f"{at}.energy_efficiency_rating"
        yield Rule(path, "efficiency_rating", f"{worst} or better", lambda v: str(v).upper() <= worst)


def _trust_rules(intent: "Intent") -> Iterator[Rule]:
    compliance, security = intent.constraints.compliance, intent.constraints.security
    for name in ("encryption_at_rest", "encryption_in_transit", "audit_logging", "gdpr_compliant"):
        yield from _exactly(f"constraints.compliance.{name}", name, getattr(compliance, name))
    yield from _exactly(
        "constraints.compliance.hipaa_compliant", "hipaa_compliant", compliance.hipaa_compliant
    )
    wanted = {_bare(name) for name in compliance.certifications}
    if wanted:
        path = "constraints.compliance.certifications"
        shown = f"with all of {list(compliance.certifications)}"
        yield Rule(path, "certifications", shown, lambda v: wanted <= set(map(_bare, str(v).split("|"))))
    for name in ("vpn_access", "bastion_host", "intrusion_detection", "vulnerability_scanning"):
        yield from _exactly(f"constraints.security.{name}", name, getattr(security, name))
    isolation = security.network_isolation
    yield from _exactly("constraints.security.network_isolation", "network_isolation", isolation)
    if any(volume.type == "persistent" for volume in intent.workload.storage.volumes):
        yield from _exactly("workload.storage.volumes", "persistent_storage", True)


def _bare(certificate: str) -> str:
    """Return a certificate's name without case, space and dash."""
    return re.sub(r"[\s-]", "", certificate).upper()
