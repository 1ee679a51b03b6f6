"""What could be placed instead of a rejected intent, and at what price.

Each suggestion is a change of the intent, in words and as a JSON merge patch on its inside, with the
placement that was solved for and checked under it. Costs and throughput are compared, for each task, with the
*reference point*: the cheapest placement of the GPU request as it stands, on demand, everything else given
up. Where there is none, costs are compared with the budget.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from typing import Any, NamedTuple

from flare_core.explanation.corrections import Correction, Remedy
from flare_core.explanation.relax import GPU, SPOT, Placer, Solved, Unproven, handles, without
from flare_core.intent.json import Json
from flare_core.placement.packing import Totals
from flare_core.requirements.types import Requirements

MOST = 5
"""Suggestions that are made."""

MOST_TRIED = 12
"""Remedies that are placed."""


class Made(NamedTuple):
    """The placement of a changed intent: its document, what it is worth, whether its throughput is known."""

    document: Mapping[str, Any]
    totals: Totals
    rated: bool


Make = Callable[[Mapping[str, Json]], Made | None]
"""Places the intent under a patch as any other would be, and checks it; None where nothing is found."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What one task costs and does at the reference point; micro-EUR, thousandths of a TFLOPS.

    ``hourly``: the cost is a price per hour, and else that which the objective counts.
    """

    cost: Fraction | None
    performance: Fraction | None
    hourly: bool = False


def suggestions(
    needs: Requirements, remedies: Iterable[Remedy], make: Make, placer: Placer
) -> tuple[dict[str, Any], ...]:
    """Return at most `MOST` suggestions, the cheapest first, none of which another dominates.

    One is dominated by another that costs no more, does as much and changes as little, and is better in one
    of these.

    Parameters
    ----------
    needs
        What the rejected intent asks.
    remedies
        What makes it placeable, what is to be tried first first.
    placer
        Places requirements alone on the whole inventory, as cheaply as possible.
    """
    asking = (remedy for remedy in remedies if _asks_something(remedy.needs))
    tried = ((remedy, make(remedy.patch)) for remedy in islice(asking, MOST_TRIED))
    found = [(remedy, made) for remedy, made in tried if made is not None]
    if not found:
        return ()
    kept = [one for one in found if not any(_beats(other, one) for other in found)]
    reference = reference_of(needs, placer)
    return tuple(_written(remedy, made, reference) for remedy, made in sorted(kept, key=_worth)[:MOST])


def _asks_something(needs: Requirements) -> bool:
    """Whether a task takes anything that is paid for: nothing for nothing is no help."""
    return bool(needs.gpus or needs.cpu_milli or needs.memory_mib)


def _worth(one: tuple[Remedy, Made]) -> tuple[Fraction, Fraction, Fraction]:
    """Return cost, throughput (unknown is none) and number of changes, less is better, by task."""
    remedy, (_, sums, rated) = one
    speed = sums.performance_mtflops if rated else 0
    return (
        Fraction(sums.cost_ueur, sums.tasks),
        -Fraction(speed, sums.tasks),
        Fraction(len(remedy.corrections)),
    )


def _beats(one: tuple[Remedy, Made], other: tuple[Remedy, Made]) -> bool:
    a, b = _worth(one), _worth(other)
    return a != b and a[0] <= b[0] and a[1] <= b[1] and a[2] <= b[2]


def reference_of(needs: Requirements, placer: Placer) -> Reference:
    """Return what the changed intents are compared with; without GPUs there is no request but the budget."""
    if not needs.gpus:
        return _budget(needs)
    beside = {handle.path for handle in handles(needs) if not handle.path.startswith(GPU)} - {SPOT}
    bare = replace(without(needs, beside), spot=False, preferences=())
    try:
        solved = placer(bare)
    except Unproven:
        return Reference(None, None)
    return _budget(needs) if solved is None else _of(solved)


def _of(solved: Solved) -> Reference:
    used = [load.candidate for load in solved.loads]
    rated = bool(solved.ask.found.performance_known[used].all())
    cost, speed, tasks = solved.totals.cost_ueur, solved.totals.performance_mtflops, solved.totals.tasks
    return Reference(Fraction(cost, tasks), Fraction(speed, tasks) if rated else None)


def _budget(needs: Requirements) -> Reference:
    total = needs.costs_in_total and needs.max_total_ueur is not None
    budget = needs.max_total_ueur if total else needs.max_hourly_ueur
    cost = None if budget is None else Fraction(budget, needs.tasks)
    return Reference(cost, None, hourly=not total)


def _written(remedy: Remedy, made: Made, reference: Reference) -> dict[str, Any]:
    sums = made.totals
    cost = sums.hourly_ueur if reference.hourly else sums.cost_ueur
    speed = Fraction(sums.performance_mtflops, sums.tasks) if made.rated else None
    changes = [{"path": c.path, "asked": c.asked, "needed": c.needed} for c in remedy.corrections]
    words = "; ".join(map(_said, remedy.corrections))
    return {
        "alternative": f"{_offered(made.document['assignments'])}: {words}",
        "cost_difference": percent(Fraction(cost, sums.tasks), reference.cost),
        "performance_impact": percent(speed, reference.performance),
        "hourly_cost": made.document["hourly_cost"],
        "changes": changes,
        "patch": dict(remedy.patch),
        "placement": made.document,
    }


def _said(correction: Correction) -> str:
    field = correction.path.removeprefix("workload.").removeprefix("resources.").removeprefix("constraints.")
    if correction.needed is None:
        return f"without {field} {correction.asked}"
    return f"{field} {correction.needed} instead of {correction.asked}"


def percent(value: Fraction | None, reference: Fraction | None) -> str | None:
    """Return the difference in whole percents with a sign; None where there is nothing to compare.

    >>> percent(Fraction(8), Fraction(10))
    '-20%'
    """
    if value is None or not reference:
        return None
    return f"{round(100 * (value - reference) / reference):+d}%"


def _offered(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what is to be had where, such as "nvidia-a100 GPUs available in eu-west-1"."""
    models = sorted({row["gpu_model"] for row in rows if row["gpu_model"]})
    spot = "spot " if any(row["spot"] for row in rows) else ""
    what = f"{' and '.join(models)} GPUs" if models else "nodes"
    places = sorted({row["region"] for row in rows if row["region"]})
    return f"{spot}{what} available{' in ' if places else ''}{' and '.join(places)}"
