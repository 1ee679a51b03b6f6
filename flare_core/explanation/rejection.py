"""The error object of an intent that is not placed.

The code is that of the constraint whose relaxation alone makes the intent placeable, in the order model,
memory, count, cost, place, anything else; else of the first of the fewest that have to give way together;
else of the constraint that rules out most. Every claim was tried.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from flare_core.catalog.gpus import near
from flare_core.errors import ErrorCode
from flare_core.explanation.case import Case
from flare_core.explanation.conflicts import Reasons, reasons
from flare_core.explanation.corrections import Remedy, remedies
from flare_core.explanation.feasible import Space
from flare_core.explanation.relax import COUNT, Placer, Unproven, handles, without
from flare_core.explanation.suggestions import Make, suggestions
from flare_core.placement.types import Rejection
from flare_core.quantities import format_eur, format_rate
from flare_core.requirements.types import Topic


def rejection(
    case: Case,
    place: Placer,
    *,
    others: bool,
    make: Make | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Rejection:
    """Return why `case` is not placed.

    Parameters
    ----------
    place
        Places an intent alone on the whole inventory.
    others
        Whether other intents were placed beside it.
    make
        Places the changed intent as any other; without it there are no suggestions.
    stop
        Whether the time for explanations is over.
    """
    space = Space(case.needs, case.inventory, place, stop)
    if others and space.possible(()):
        name = case.needs.name
        text = f"{name} would fit the inventory alone; the other intents of this plan take what it needs"
        return Rejection(ErrorCode.INSUFFICIENT_RESOURCES, text, "")
    found = reasons(space)
    way_out = _named(space, found)
    reason = _overall(case) if way_out is None else _reason(case, space, found, way_out)
    made = () if make is None else _suggested(case, space, found, make)
    return replace(reason, conflicts=found.conflicts or tuple(_no_gpu(space)), suggestions=made)


def _suggested(case: Case, space: Space, found: Reasons, make: Make) -> tuple[Mapping[str, Any], ...]:
    cheapest = sorted(remedies(case, space, found.ways_out), key=_effort)
    return suggestions(case.needs, cheapest, make, space.place)


def _effort(remedy: Remedy) -> tuple[int, int]:
    return len(remedy.corrections), remedy.solved.totals.cost_ueur


def _named(space: Space, found: Reasons) -> tuple[str, ...] | None:
    """Return the way out that names the code: the smallest, and the first in precedence."""
    counted = [paths for paths in found.ways_out if COUNT in paths]
    if not counted or _nowhere_so_many(space):
        return next(iter(found.ways_out), None)
    # Some node has as many: another reason keeps the intent from it, if there is one.
    return next((paths for paths in found.ways_out if COUNT not in paths), counted[0])


def _reason(case: Case, space: Space, found: Reasons, way_out: tuple[str, ...]) -> Rejection:
    path, *more = way_out
    topic = next(handle.topic for handle in space.handles if handle.path == path)
    if topic is Topic.COUNT and not _nowhere_so_many(space):
        topic = Topic.OTHER
    text = _set(case, way_out) if more else _message(case, space, found, path, topic)
    return Rejection(topic.code, text, path)


def _no_gpu(space: Space) -> Iterator[tuple[str, ...]]:
    """Yield the count of GPUs where not even one is to be had, but room for a task without any."""
    if space.needs.gpus:
        bare = without(space.needs, [handle.path for handle in handles(space.needs)])
        limits = tuple(limit for limit in bare.limits if limit.rule not in ("gpus", "gpu-set"))
        if Space(replace(bare, gpus=0, share=None, limits=limits), space.inventory, space.place).possible(()):
            yield (COUNT,)


def _nowhere_so_many(space: Space) -> bool:
    """Whether no node with the asked model and memory has that many GPUs free."""
    kept = (Topic.MODEL, Topic.MEMORY, Topic.COUNT)
    one = replace(space.needs, tasks=1, max_tasks=1)
    bare = without(one, [handle.path for handle in handles(one) if handle.topic not in kept])
    return not Space(bare, space.inventory, space.place, space.stop).possible(())


def _message(case: Case, space: Space, found: Reasons, path: str, topic: Topic) -> str:
    name, asked, offers = case.needs.name, case.asked(path), len(case.inventory)
    if topic is Topic.COST:
        return f"{path} is {asked}; {_price(space, path)}"
    if path == "constraints.deadline":
        return f"the deadline {asked} is past or too soon: {name} cannot end by then"
    if case.funnel.accepted:
        return (
            f"{case.funnel.accepted} of {offers} offers could serve a task of {name}, but not all "
            f"{case.needs.tasks} at once with {path} {asked}; without it {name} could be placed"
        )
    step = case.step(path)
    having = 0 if step is None else offers - step.alone
    told = f"{having} of {offers} offers have {path} {asked}"
    if topic is Topic.MODEL and not having:
        near_names = ", ".join(_near(case, str(asked)))
        return f"No {asked} GPUs available: {told}{f'; near: {near_names}' if near_names else ''}"
    beside = _beside(space, found, path)
    if beside is not None:
        there = f"{beside} {case.asked(beside)}"
        start = f"No {asked} GPUs available with {there}: " if topic is Topic.MODEL else ""
        return f"{start}{told}, and 0 of them {there}; without it {name} could be placed"
    start = f"No {asked} GPUs available as asked: " if topic is Topic.MODEL else ""
    rest = ", and none of them meets everything else" if having else ""
    return f"{start}{told}{rest}; without it {name} could be placed"


def _near(case: Case, model: str) -> Iterator[str]:
    """Yield models of the inventory whose names are near `model`."""
    offered = set(case.inventory.label["gpu_model"].values)
    yield from (name for name in near(model, len(offered) + 9) if name in offered and name != model)


def _price(space: Space, path: str) -> str:
    name = space.needs.name
    try:
        solved = space.cheapest({path})
    except Unproven:
        solved = None
    if solved is None:
        return f"without it {name} could be placed"
    hourly = path.endswith("hourly_cost")
    sums = solved.totals
    shown = format_rate(sums.hourly_ueur) if hourly else format_eur(sums.total_ueur)
    return f"the cheapest placement of {name} without it costs {shown}"


def _beside(space: Space, found: Reasons, path: str) -> str | None:
    """Return the constraint that no offer meets together with `path`, where there is such a pair."""
    for pair in found.conflicts:
        if len(pair) == 2 and path in pair and space.having(pair) == 0:
            return pair[1 - pair.index(path)]
    return None


def _set(case: Case, paths: tuple[str, ...]) -> str:
    """Return the message for constraints that are in the way together."""
    if len(paths) not in _NUMBERS:
        return f"{_overall(case).message}; without {', '.join(paths)} together it could be placed"
    *most, last = (f"{path} {case.asked(path)}" for path in paths)
    how_many, all_of = _NUMBERS[len(paths)]
    return (
        f"no placement of {case.needs.name} keeps {all_of} {', '.join(most)} and {last}; without these "
        f"{how_many} it could be placed"
    )


_NUMBERS = {2: ("two", "both"), 3: ("three", "all of")}


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
