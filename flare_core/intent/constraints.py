"""Where and how it may run: the section ``constraints`` of an intent.

Defaults are the API reference's. Whether a limit was written out, and so refuses offers of unknown value,
is in ``model_fields_set`` of its part.
"""

import ipaddress
import re
from collections.abc import Mapping
from datetime import date, time
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from flare_core.catalog import regions
from flare_core.intent.fields import (
    BandwidthGbps,
    BudgetUeur,
    BudgetUeurPerH,
    CarbonGPerH,
    DurationS,
    Fraction,
    LatencyMs,
    Many,
    Maybe,
    Misfit,
    Moment,
    Number,
    Part,
    Percent,
    Port,
    Protocol,
    Replicas,
    Word,
    nearest,
    text_like,
)

Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

_TIME: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PREFIX: Final = re.compile(r"[0-9A-Fa-f.:]+/[0-9]{1,3}")


@cache
def time_zones() -> frozenset[str]:
    """Return the names of the IANA database."""
    # Of the tzdata package, so that the same names exist on every machine.
    return frozenset(files("tzdata").joinpath("zones").read_text("ascii").split())


def _time_zone(name: str) -> str:
    if name not in time_zones():
        near = nearest(name, time_zones()) or "Europe/Berlin"
        raise Misfit(f"a time zone of the IANA database, such as {near!r}")
    return name


def _time_of_day(value: object) -> time:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise Misfit("a time of day, '00:00' to '23:59'")
    return time.fromisoformat(value)


def _day(value: object) -> date:
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise Misfit("a date, such as '2026-12-24'")


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        network = None
    if network is None or not _PREFIX.fullmatch(text):
        raise Misfit("a network in CIDR form, such as '10.0.0.0/8'")
    if ipaddress.ip_address(text.partition("/")[0]) != network.network_address:
        raise Misfit(f"a network in CIDR form without bits beyond its prefix, such as {str(network)!r}")
    return text


def _place(name: str) -> str:
    if name != "any" and regions.location_countries(name) is None:
        raise Misfit("a location of the reference, such as 'EU', or an ISO country code, such as 'DE'")
    return name


TimeOfDay = Annotated[
    time, BeforeValidator(_time_of_day), text_like(_TIME.pattern, "a time of day, '00:00' to '23:59'", 5)
]
CalendarDay = Annotated[
    date,
    BeforeValidator(_day),
    text_like("[0-9]{3}[1-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", "a date, such as '2026-12-24'", 10),
]
Zone = Annotated[
    str,
    AfterValidator(_time_zone),
    WithJsonSchema(
        {"type": "string", "description": "a time zone of the IANA database, such as 'Europe/Berlin'"}
    ),
]
Place = Annotated[
    Word,
    AfterValidator(_place),
    text_like(
        rf"any|{'|'.join(regions.LOCATION_CLASSES)}|[A-Z]{{2}}",
        "a location of the reference, such as 'EU', or an ISO country code, such as 'DE'",
        16,
    ),
]
Network = Annotated[
    str,
    AfterValidator(_network),
    text_like(
        _PREFIX.pattern, "a network in CIDR form without bits beyond its prefix, such as '10.0.0.0/8'", 64
    ),
]

_PUE_TEXT: Final = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "pattern": r"^ *\+?[1-9][0-9]{0,8}(\.[0-9]{0,9})? *$"},
            {"type": "number", "minimum": 1, "maximum": 2**53},
        ],
        "description": "a power usage effectiveness, such as 1.4",
    }
)


class Maintenance(Part):
    """A time that repeats in which the capacity is not needed."""

    start: Moment
    end: Moment
    frequency: Literal["weekly", "monthly"] = "weekly"

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.end <= self.start:
            raise Misfit("an end after the start", at=("end",))
        return self


class Availability(Part):
    """When the capacity is needed; times are local to ``timezone``."""

    window_start: Maybe[TimeOfDay] = None
    window_end: Maybe[TimeOfDay] = None
    timezone: Zone = "UTC"
    days_of_week: Maybe[Annotated[Many[Day], Field(min_length=1)]] = None
    blackout_dates: Many[CalendarDay] = ()
    maintenance_windows: Many[Maintenance] = ()

    @model_validator(mode="after")
    def _window_is_whole(self) -> Self:
        start, end = self.window_start, self.window_end
        if (start is None) != (end is None):
            given, other = ("window_end", "window_start") if start is None else ("window_start", "window_end")
            raise Misfit("both or neither", found=f"{given!r} without {other!r}", at=(given,))
        if start is not None and start == end:
            raise Misfit(
                "another time than window_start; the whole day is meant by neither", at=("window_end",)
            )
        return self


class Negotiation(Part):
    """How far the intent may give way; flexibilities are fractions of the asked value."""

    max_negotiation_rounds: Replicas = 3
    price_flexibility: Fraction = 0.15
    resource_flexibility: Fraction = 0.10
    timeout_seconds: Replicas = 300
    fallback_strategy: Literal["queue", "lower_tier", "shared", "spot", "fail"] = "queue"
    auto_accept_threshold: Fraction = 0.05


class Energy(Part):
    """Limits on what the placement emits and on the data centre."""

    max_carbon_footprint: Maybe[CarbonGPerH] = None
    renewable_energy_only: bool = False
    energy_efficiency_rating: Maybe[Literal["A", "B", "C", "D", "E", "F"]] = None
    power_usage_effectiveness: Annotated[Number, Field(ge=1), _PUE_TEXT] = 2.0
    green_certified_only: bool = False


class Compliance(Part):
    """What law or policy asks of the offer; False and an empty list ask for nothing."""

    data_residency: Many[Place] = ()
    certifications: Many[Word] = ()
    encryption_at_rest: bool = False
    encryption_in_transit: bool = False
    audit_logging: bool = False
    gdpr_compliant: bool = False
    hipaa_compliant: bool = False


class Performance(Part):
    """Limits on the offer's network, uptime and start."""

    min_network_bandwidth: Maybe[BandwidthGbps] = None
    max_jitter_ms: LatencyMs = 50.0
    min_uptime_percent: Percent = 99.0
    max_cold_start_time: Maybe[DurationS] = None


class FirewallRule(Part):
    """One rule that the deployment carries as network policy."""

    port: Port
    protocol: Protocol
    source: Network
    action: Literal["allow", "deny"]


class Security(Part):
    """What the offer's network must have; False and ``public`` ask for nothing."""

    network_isolation: Literal["public", "private"] = "public"
    firewall_rules: Many[FirewallRule] = ()
    vpn_access: bool = False
    bastion_host: bool = False
    intrusion_detection: bool = False
    vulnerability_scanning: bool = False


class Constraints(Part):
    """Budgets, place, time, and what offers must have. Budgets are in micro-EUR (per hour)."""

    model_config = ConfigDict(validate_by_name=True)  # the field keeps its name beside its other spelling

    max_hourly_cost: Maybe[BudgetUeurPerH] = None
    max_total_cost: Maybe[BudgetUeur] = None
    location: Word = "any"
    availability_zone: Maybe[Word] = None
    max_latency_ms: LatencyMs = Field(
        default=100.0, validation_alias=AliasChoices("max_latency_ms", "max_network_latency")
    )
    deadline: Maybe[Moment] = None
    preemptible: bool = False
    providers: Many[Word] = ()
    availability: Maybe[Availability] = None
    negotiation: Maybe[Negotiation] = None
    energy: Energy = Energy()
    compliance: Compliance = Compliance()
    performance: Performance = Performance()
    security: Security = Security()

    @model_validator(mode="before")
    @classmethod
    def _latency_is_said_once(cls, given: object) -> object:
        if isinstance(given, Mapping) and {"max_latency_ms", "max_network_latency"} <= given.keys():
            found = "'max_latency_ms' beside it, which is the same limit"
            raise Misfit("one of the two", found=found, at=("max_network_latency",))
        return given
