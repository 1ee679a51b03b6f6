"""What a placement is said to deliver: latency, throughput, carbon, availability."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from fractions import Fraction
from math import isclose
from typing import TYPE_CHECKING, Final

from flare_core.verify.efficiency import fabric_efficiency
from flare_core.verify.fabric import span
from flare_core.verify.series import highest, looked_at, mean
from flare_core.verify.shares import WHOLE, share_due
from flare_core.verify.told import Placed, Row, Violation, Violations

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.verify.offers import Offer

TOLERANCE: Final = 1e-6
"""How far two figures that mean the same may differ: this part of their size, and of the unit."""

# Limits are compared after sums of floats, whose last digits depend on the order of adding.
_SLACK: Final = 1 + 1e-9

WATT_PER_CORE: Final = 2.12
WATT_PER_GIB: Final = 0.42

Over = Callable[["Offer", str, datetime, datetime], Fraction | None]
Used = Sequence[tuple[Row, "Offer"]]


def same(a: float | None, b: float | None, step: float = 0.0) -> bool:
    """Whether two figures are both unknown, or equal within the tolerance or a `step`."""
    if a is None or b is None:
        return a is b
    return isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE + step)


def check_figures(intent: "Intent", placed: Placed, used: Used) -> Violations:
    """Check every figure, and the limits that hold for the whole placement."""
    carbon, availability = highest_carbon_g_per_h(intent, used), availability_percent(intent, used)
    for name, told, due, step in (
        ("latency_ms", placed.latency_ms, latency_ms(used), 0.0),
        # Emissions may be told in micro-grams for each task.
        ("carbon_g_per_hour", placed.carbon_g_per_hour, carbon, 1e-6 * len(used)),
        ("availability_percent", placed.availability_percent, availability, 0.0),
    ):
        if not same(told, due, step):
            yield Violation("figure", f"{placed.path}.{name}", f"found {told}, expected {due}")
    yield from _performance(intent, placed, used)
    yield from _carbon_cap(intent, placed, carbon)
    yield from _availability_asked(intent, placed, availability)


def latency_ms(used: Used) -> float | None:
    """Return the worst task's network latency; None where one is unknown."""
    return _worst(offer.latency_ms() for _, offer in used)


def _worst(values: Iterable[float | None]) -> float | None:
    worst = 0.0
    for value in values:
        if value is None:
            return None
        worst = max(worst, value)
    return worst


def _performance(intent: "Intent", placed: Placed, used: Used) -> Violations:
    tasks = throughputs(intent, used)
    due = None if None in tasks else sum(filter(None, tasks))
    if not same(placed.performance_tflops, due, throughput_step(intent, used)):
        found = f"found {placed.performance_tflops}, expected {due}"
        yield Violation("figure", f"{placed.path}.performance_tflops", found)


def throughputs(intent: "Intent", used: Used) -> list[float | None]:
    """Return what each task does, TFLOPS; None where the rating is unknown (in objectives it counts as 0).

    GPUs × rating × the part of each GPU × efficiency as told, and for a gang × that of the way between its
    nodes.
    """
    apart = span(intent, used)
    return [_tflops(intent, row, offer, apart) for row, offer in used]


def throughput_step(intent: "Intent", used: Used) -> float:
    """Return what is lost by telling thousandths for each task, and millionths between nodes."""
    together = (_tflops(intent, row, offer, 0) for row, offer in used)
    return 1e-3 * len(used) + 1e-6 * sum(filter(None, together))


def _tflops(intent: "Intent", row: Row, offer: "Offer", apart: int) -> float | None:
    rating = offer.number("rating_tflops") if row.gpus else 0.0
    if rating is None:
        return None
    share = share_due(intent, offer) or WHOLE
    return len(row.gpus) * float(share.part) * rating * row.efficiency * fabric_efficiency(offer, apart)


def highest_carbon_g_per_h(intent: "Intent", used: Used) -> float | None:
    """Return the highest emission at any moment; None where a task's is unknown."""
    if carbon_g_per_h(intent, used) is None:
        return None
    starts = {row.start for row, _ in used}
    if len(starts) == 1:
        return carbon_g_per_h(intent, used)
    running = ([(row, offer) for row, offer in used if row.runs_at(moment)] for moment in starts)
    return max(filter(None, (carbon_g_per_h(intent, together) for together in running)), default=0.0)


def carbon_g_per_h(intent: "Intent", used: Used) -> float | None:
    """Return Σ power × PUE × carbon intensity over all tasks, at most; None where one is unknown."""
    return _emitted(intent, used, highest)


def mean_carbon_g_per_h(intent: "Intent", used: Used) -> float | None:
    """Return the same in the mean of each run."""
    return _emitted(intent, used, mean)


def _emitted(intent: "Intent", used: Used, over: Over) -> float | None:
    asked, total = intent.workload.resources, 0.0
    host_w = WATT_PER_CORE * (asked.cpu or 0) / 1000 + WATT_PER_GIB * (asked.memory or 0) / 1024
    for row, offer in used:
        pue, intensity = offer.number("pue"), over(offer, "carbon_intensity", *looked_at(intent, row))
        card_w = offer.number("power_w") if row.gpus else 0.0
        if pue is None or intensity is None or card_w is None:
            return None
        share = share_due(intent, offer) or WHOLE
        total += (len(row.gpus) * float(share.part) * card_w + host_w) / 1000 * pue * float(intensity)
    return total


def _carbon_cap(intent: "Intent", placed: Placed, carbon: float | None) -> Violations:
    most = intent.constraints.energy.max_carbon_footprint
    step = 1e-6 * len(placed.rows)  # each task is counted in whole micro-grams
    if most is not None and (carbon is None or carbon > most * _SLACK + step):
        shown = "an unknown amount of CO2" if carbon is None else f"{carbon:g} gCO2/h"
        path = "constraints.energy.max_carbon_footprint"
        yield Violation("constraint", placed.path, f"{path} allows {most:g} gCO2/h, and it emits {shown}")


def availability_percent(intent: "Intent", used: Used) -> float | None:
    """Return how likely the workload is up, percent; None where an uptime is unknown.

    A service of n tasks is up while ceil(n/2) of them are. Nodes of one (provider, region, zone) fall
    together, at 1 − the lowest uptime used there; these domains fall independently. A job is as good as the
    worst of its offers.
    """
    domains: dict[tuple[str | None, ...], list[Fraction]] = defaultdict(list)
    for _, offer in used:
        uptime = offer.number("uptime_percent")
        if uptime is None:
            return None
        where = tuple(offer.text(column) for column in ("provider", "region", "zone"))
        # The shortest decimal that stands for the float is what was stated: exact from here on.
        domains[where].append(Fraction(repr(uptime)) / 100)
    if intent.workload.type != "service":
        return float(100 * min(min(uptimes) for uptimes in domains.values()))
    # Whole numbers over one denominator: exact, and fast also for thousands of tasks in hundreds of domains.
    chance, all_ = {0: 1}, 1
    for uptimes in domains.values():
        up = min(uptimes)
        chance = _with_domain(chance, len(uptimes), up)
        all_ *= up.denominator
    needed = (len(used) + 1) // 2
    return float(Fraction(100 * sum(ways for running, ways in chance.items() if running >= needed), all_))


def _with_domain(chance: dict[int, int], tasks: int, up: Fraction) -> dict[int, int]:
    """Return how likely so many tasks run with one domain more, times its denominator."""
    after: dict[int, int] = defaultdict(int)
    for running, ways in chance.items():
        after[running + tasks] += ways * up.numerator
        after[running] += ways * (up.denominator - up.numerator)
    return after


def _availability_asked(intent: "Intent", placed: Placed, availability: float | None) -> Violations:
    asked, explicit = intent.sla.availability, "availability" in intent.sla.model_fields_set
    if intent.workload.type != "service" or not asked:
        return  # asked of each offer alone, or nothing asked
    if explicit if availability is None else availability * _SLACK < asked:
        shown = "unknown" if availability is None else f"{availability:.9g} %"
        found = f"sla.availability asks for {asked:g} %, and it is {shown}"
        yield Violation("constraint", f"{placed.path}.availability_percent", found)
