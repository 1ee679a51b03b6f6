"""The error object of an intent that is not placed.

The code is that of the constraint whose relaxation alone makes the intent placeable, in the order model,
memory, count, cost, place, anything else; every claim was solved for. Where no single one helps, pairs are
tried, then the constraint that rules out most.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from flare_core.candidates.types import Funnel, FunnelStep
from flare_core.catalog.gpus import near
from flare_core.errors import ErrorCode
from flare_core.explanation.relax import COUNT, Placer, Solved, Unproven, handles, without
from flare_core.inventory.types import Inventory
from flare_core.placement.types import Rejection
from flare_core.quantities import format_eur, format_rate
from flare_core.requirements.types import Requirements, Topic

PAIRS = 60
"""Pairs of constraints that are tried where no single one helps."""


@dataclass(frozen=True, slots=True)
class Case:
    """A rejected intent: what it asks, as it was written, what its constraints removed."""

    needs: Requirements
    funnel: Funnel
    inventory: Inventory
    written: Callable[[str], object]


def rejection(case: Case, place: Placer, *, others: bool) -> Rejection:
    """Return why `case` is not placed.

    Parameters
    ----------
    place
        Places an intent alone on the whole inventory.
    others
        Whether other intents were placed beside it.
    """
    needs, place = case.needs, _sure(place)
    if others and place(needs) is not None:
        return Rejection(
            ErrorCode.INSUFFICIENT_RESOURCES,
            f"{needs.name} would fit the inventory alone; the other intents of this plan take what it needs",
            "",
        )
    paths = {handle.path: handle.topic for handle in handles(needs)}
    if COUNT in paths and not _nowhere_so_many(case, place):
        del paths[COUNT]  # some node has as many: another reason keeps the intent from it
    for path, topic in paths.items():
        solved = place(without(needs, {path}))
        if solved is not None:
            return Rejection(topic.code, _message(case, path, topic, solved), path)
    for first, second in list(combinations(paths, 2))[:PAIRS]:
        if place(without(needs, {first, second})) is not None:
            return Rejection(paths[first].code, _pair(case, first, second), first)
    return _overall(case)


def _sure(place: Placer) -> Placer:
    """Return `place` that takes what is not proven for impossible: then nothing is claimed of it."""

    def attempt(needs: Requirements) -> Solved | None:
        try:
            return place(needs)
        except Unproven:
            return None

    return attempt


def _nowhere_so_many(case: Case, place: Placer) -> bool:
    """Whether no node with the asked model and memory has that many GPUs free."""
    kept = (Topic.MODEL, Topic.MEMORY, Topic.COUNT)
    bare = replace(
        case.needs,
        tasks=1,
        limits=tuple(limit for limit in case.needs.limits if limit.topic in kept or not limit.path),
        max_hourly_ueur=None,
        max_total_ueur=None,
        max_carbon_ug=None,
        availability=None,
    )
    return place(bare) is None


def _message(case: Case, path: str, topic: Topic, solved: Solved) -> str:
    name, asked, offers = case.needs.name, _asked(case, path), len(case.inventory)
    if topic is Topic.COST:
        sums = solved.totals
        hourly = path.endswith("hourly_cost")
        shown = format_rate(sums.hourly_ueur) if hourly else format_eur(sums.total_ueur)
        return f"{path} is {asked}; the cheapest placement of {name} without it costs {shown}"
    if path == "constraints.deadline":
        return f"the deadline {asked} is past or too soon: {name} cannot end by then"
    if case.funnel.accepted:
        return (
            f"{case.funnel.accepted} of {offers} offers could serve a task of {name}, but not all "
            f"{case.needs.tasks} at once with {path} {asked}; without it {name} could be placed"
        )
    step = _step(case.funnel, path)
    having = 0 if step is None else offers - step.alone
    told = f"{having} of {offers} offers have {path} {asked}"
    if topic is Topic.MODEL and not having:
        near_names = ", ".join(_near(case, str(asked)))
        return f"No {asked} GPUs available: {told}{f'; near: {near_names}' if near_names else ''}"
    start = f"No {asked} GPUs available as asked: " if topic is Topic.MODEL else ""
    rest = ", and none of them meets everything else" if having else ""
    return f"{start}{told}{rest}; without it {name} could be placed"


def _near(case: Case, model: str) -> Iterator[str]:
    """Yield models of the inventory whose names are near `model`."""
    offered = set(case.inventory.label["gpu_model"].values)
    yield from (name for name in near(model, len(offered) + 9) if name in offered and name != model)


def _pair(case: Case, first: str, second: str) -> str:
    return (
        f"no placement of {case.needs.name} keeps both {first} {_asked(case, first)} and "
        f"{second} {_asked(case, second)}; without these two it could be placed"
    )


def _overall(case: Case) -> Rejection:
    """Return the rejection where no one or two constraints are to blame."""
    funnel = case.funnel
    if funnel.accepted:
        tasks = case.needs.tasks
        text = (
            f"{funnel.accepted} of {funnel.offers} offers could serve a task of {case.needs.name}, but not "
            f"all {tasks} at once"
        )
        return Rejection(ErrorCode.INSUFFICIENT_RESOURCES, text, "")
    worst = max(funnel.steps, key=lambda step: step.alone, default=None)
    if worst is None:
        return Rejection(ErrorCode.INSUFFICIENT_RESOURCES, "the inventory has no offers", "")
    text = (
        f"no offer meets all constraints of {case.needs.name}; {worst.path or worst.rule} alone removes "
        f"{worst.alone} of {funnel.offers} offers"
    )
    return Rejection(worst.topic.code, text, worst.path)


def _step(funnel: Funnel, path: str) -> FunnelStep | None:
    own = [step for step in funnel.steps if step.path == path]
    return max(own, key=lambda step: step.alone, default=None)


def _asked(case: Case, path: str) -> object:
    said, step = case.written(path), _step(case.funnel, path)
    if isinstance(said, list) and all(isinstance(one, str) for one in said):  # a set, whatever its order
        return ", ".join(sorted(map(str, said)))
    return said if isinstance(said, str | int | float) or step is None else step.asked
