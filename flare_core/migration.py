"""Moving what runs, where that is asked for: one by one, where a move saves more than it costs.

Only a service is moved: a job would begin anew, and how much of it is lost nobody but its owner knows.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flare_core.inventory.calendar import HORIZON_S
from flare_core.placement.types import Plan
from flare_core.rolling import running
from flare_core.verify.told import Placed, read_told

if TYPE_CHECKING:
    from flare_core.intent import Intent

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Remake:
    """How a plan is made again.

    Parameters
    ----------
    again
        Returns the plan of all intents where everything that a document has placed stays.
    worth
        Returns what a placement of an intent is worth to it today, the less the better; None where it would
        not be there today.
    """

    again: "Callable[[Mapping[str, Any]], Plan]"
    worth: "Callable[[Intent, Placed], int | None]"


def migrated(
    plan: Plan,
    intents: "Sequence[Intent]",
    current: Plan | Mapping[str, Any],
    now: datetime,
    cost_ueur: int,
    remake: Remake,
) -> tuple[Plan, tuple[str, ...]]:
    """Return the plan after every move that pays, and the names of the intents that were moved.

    A service without which all others stay is planned again, in the order of `intents`. It is moved where
    more intents are placed then, or as many, where it is no worse off by its own objective and what it saves
    in the rest of its run, 31 days of it at most, is more than `cost_ueur` for each task that moves.
    """
    runs = running(current, now)
    silent = [run.document for name, run in runs.items() if name not in {intent.name for intent in intents}]
    moved: list[str] = []
    for intent in intents:
        if intent.name not in runs or intent.workload.type != "service":
            continue
        document = plan.to_dict()
        others = [one for one in document["placements"] if one["intent"] != intent.name]
        tried = remake.again({**document, "placements": [*others, *silent]})
        if _pays(runs[intent.name].placed, plan, tried, intent, now, cost_ueur, remake):
            plan = tried
            moved.append(intent.name)
    return plan, tuple(moved)


def _pays(
    stays: Placed, plan: Plan, tried: Plan, intent: "Intent", now: datetime, cost_ueur: int, remake: Remake
) -> bool:
    there = next((p for p in read_told(tried.to_dict()).placements if p.intent == intent.name), None)
    if there is None or there.status != "placed":
        return False
    tasks = (Counter(_seats(there)) - Counter(_seats(stays))).total()
    before, after = _many(plan), _many(tried)
    if not tasks or after < before:
        return False
    if after > before:
        return True
    worths = remake.worth(intent, stays), remake.worth(intent, there)
    worse = worths[0] is not None and (worths[1] is None or worths[1] > worths[0])
    return not worse and _saved(stays, there, now) > tasks * cost_ueur


def _seats(placed: Placed) -> Iterator[tuple[object, ...]]:
    for row in placed.rows:
        yield row.offer, row.node, row.spot, tuple(row.gpus), row.mig_profile, row.gpu_milli


def _many(plan: Plan) -> int:
    return sum(placement.status.value == "placed" for placement in plan.placements)


def _saved(stays: Placed, there: Placed, now: datetime) -> int:
    """Return the micro-euro saved until the end of the run."""
    if stays.hourly_ueur is None or there.hourly_ueur is None:
        return 0
    left = HORIZON_S if stays.end is None else min(HORIZON_S, int((stays.end - now).total_seconds()))
    return (stays.hourly_ueur - there.hourly_ueur) * left // HOUR_S
