"""The message of a refusal: what is in the way, with the figures."""

from collections.abc import Iterator, Sequence
from itertools import islice

from flare_core.catalog.gpus import near
from flare_core.errors import ErrorCode
from flare_core.explanation.case import Case
from flare_core.explanation.conflicts import Reasons
from flare_core.explanation.feasible import Space
from flare_core.explanation.relax import COUNT, SPOT, Unproven
from flare_core.placement.types import Rejection
from flare_core.quantities import format_eur, format_rate
from flare_core.requirements.types import Topic

NEAR = 3
"""Near names that are told."""


def message(case: Case, space: Space, found: Reasons, path: str, topic: Topic) -> str:
    """Return the message for one constraint that is in the way alone."""
    name, asked, offers = case.needs.name, case.asked(path), len(case.inventory)
    if topic is Topic.COST:
        return f"{path} is {asked}; {_price(space, path, 'it')}"
    if path == "constraints.deadline":
        return f"the deadline {asked} is past or too soon: {name} cannot end by then"
    if case.funnel.accepted:
        asked_too = _and(case, [path, *_others(found, path)])
        return (
            f"{case.funnel.accepted} of {offers} offers could serve a task of {name}, but not all "
            f"{case.needs.tasks} at once with {asked_too}; without {path} {name} could be placed"
        )
    step = case.step(path)
    having = 0 if step is None else offers - step.alone
    told = f"{having} of {offers} offers have {path} {asked}"
    if topic is Topic.MODEL and not having:
        near_names = ", ".join(islice(_near(case, str(asked)), NEAR))
        return f"No {asked} GPUs available: {told}{f'; near: {near_names}' if near_names else ''}"
    start = f"No {asked} GPUs available as asked: " if topic is Topic.MODEL else ""
    beside = _beside(space, found, path)
    if beside is not None:
        there = f"{beside} {case.asked(beside)}"
        start = f"No {asked} GPUs available with {there}: " if topic is Topic.MODEL else ""
        return f"{start}{told}, and 0 of them {there}; without {path} {name} could be placed"
    rest = _more(case, space, found, path) if having else ""
    return f"{start}{told}{rest}; without {path} {name} could be placed"


def _more(case: Case, space: Space, found: Reasons, path: str) -> str:
    """Return what else is asked of the offers that have what is asked at `path`, and its price."""
    others = _others(found, path)
    if not others:
        return ", and none of them meets everything else"
    told = f", and no placement on them also keeps {_and(case, others)}"
    dear = [each for each in others if each in _BUDGETS and (each,) in found.ways_out]
    return f"{told} ({_price(space, dear[0], dear[0])})" if dear else told


def _others(found: Reasons, path: str) -> list[str]:
    """Return what is in conflict with `path`, in the smallest such conflict."""
    conflict = next((paths for paths in found.conflicts if path in paths), ())
    return [each for each in conflict if each not in (path, SPOT)]


_BUDGETS = ("constraints.max_hourly_cost", "constraints.max_total_cost")


def _and(case: Case, paths: Sequence[str]) -> str:
    *most, last = (f"{path} {case.asked(path)}" for path in paths)
    return f"{', '.join(most)} and {last}" if most else last


def _near(case: Case, model: str) -> Iterator[str]:
    """Yield models of the inventory whose names are near `model`."""
    offered = set(case.inventory.label["gpu_model"].values)
    yield from (name for name in near(model, len(offered) + 9) if name in offered and name != model)


def _price(space: Space, path: str, it: str) -> str:
    name, hourly = space.needs.name, path.endswith("hourly_cost")
    try:
        solved = space.cheapest({path})
    except Unproven:
        solved = None
    if solved is None:
        return f"without {it} {name} could be placed"
    sums = solved.totals
    shown = format_rate(sums.hourly_ueur) if hourly else format_eur(sums.total_ueur)
    return f"the cheapest placement of {name} without {it} costs {shown}"


def _beside(space: Space, found: Reasons, path: str) -> str | None:
    """Return the constraint that no offer meets together with `path`, where there is such a pair."""
    for pair in found.conflicts:
        if len(pair) == 2 and path in pair and space.having(pair) == 0:
            return pair[1 - pair.index(path)]
    return None


def together(case: Case, paths: tuple[str, ...]) -> str:
    """Return the message for constraints that are in the way together."""
    if len(paths) not in _NUMBERS:
        return f"{overall(case).message}; without {', '.join(paths)} together it could be placed"
    how_many, all_of = _NUMBERS[len(paths)]
    return (
        f"no placement of {case.needs.name} keeps {all_of} {_and(case, paths)}; without these {how_many} it "
        "could be placed"
    )


_NUMBERS = {2: ("two", "both"), 3: ("three", "all of")}


def no_gpu(case: Case, path: str) -> str:
    """Return the message where not even one GPU is to be had, whatever else gives way."""
    told = f"no node of {len(case.inventory)} offers has a GPU free for {case.needs.name}"
    if path == COUNT:
        return f"{told}, whatever else gives way"
    return f"No {case.asked(path)} GPUs available: no offer has {path} {case.asked(path)}, and {told}"


def no_room(case: Case) -> str:
    """Return the message where nothing that could give way helps."""
    needs, funnel = case.needs, case.funnel
    if funnel.accepted or not funnel.offers:
        return overall(case).message
    tasks = "its task" if needs.tasks == 1 else f"its {needs.tasks} tasks at once"
    always = max((step for step in funnel.steps if not step.path), key=lambda s: s.alone, default=None)
    told = f"none of {funnel.offers} offers has room for {tasks}, even without any constraint of {needs.name}"
    if always is None or not always.alone:
        return told
    return f"{told}; {always.alone} of them do not have {always.asked} ({always.rule})"


def overall(case: Case) -> Rejection:
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
