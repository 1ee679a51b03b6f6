"""The error object of an intent that is not placed.

The code is that of the constraint whose relaxation alone makes the intent placeable, in the order model,
memory, count, cost, place, anything else; else of the first of the fewest that have to give way together;
else of the constraint that rules out most. Every claim was tried.
"""

from collections.abc import Callable
from dataclasses import replace

from flare_core.errors import ErrorCode
from flare_core.explanation.case import Case
from flare_core.explanation.conflicts import Reasons, reasons
from flare_core.explanation.corrections import Remedy, remedies
from flare_core.explanation.feasible import Space
from flare_core.explanation.messages import message, no_gpu, no_room, overall, together
from flare_core.explanation.relax import COUNT, GPU, Placer, handles, without
from flare_core.explanation.suggestions import Make, suggestions
from flare_core.placement.types import Rejection
from flare_core.requirements.types import Topic

MODEL, MEMORY = f"{GPU}.model", f"{GPU}.memory"
SHARING = {f"{GPU}.shared", f"{GPU}.multi_instance"}  # says what is counted

MOST_BESIDE = 1
"""Constraints in one set up to which sets are looked for beside other intents, where each try is a plan."""


def rejection(
    case: Case,
    place: Placer,
    *,
    beside: Placer | None = None,
    make: Make | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Rejection:
    """Return why `case` is not placed.

    Parameters
    ----------
    place
        Places an intent alone on the whole inventory.
    beside
        Places an intent beside the other intents of the plan; None where it has none.
    make
        Places the changed intent as any other; without it there are no suggestions.
    stop
        Whether the time for explanations is over.
    """
    space = Space(case.needs, case.inventory, place, stop)
    if beside is not None and space.possible(()):
        left = Space(case.needs, case.inventory, beside, stop, beside=True)
        return _whole(_taken(case), case, left, reasons(left, most=MOST_BESIDE), place, make)
    found = reasons(space)
    way_out = _named(space, found)
    reason = _nothing_helps(case, space) if way_out is None else _reason(case, space, found, way_out)
    return _whole(reason, case, space, found, place, make)


def _taken(case: Case) -> Rejection:
    name = case.needs.name
    text = f"{name} would fit the inventory alone; the other intents of this plan take what it needs"
    return Rejection(ErrorCode.INSUFFICIENT_RESOURCES, text, "")


def _whole(
    reason: Rejection, case: Case, space: Space, found: Reasons, place: Placer, make: Make | None
) -> Rejection:
    """Return `reason` with conflicts, and what to do about them."""
    remedied = tuple(remedies(case, space, found.ways_out))
    cheapest = sorted(remedied, key=_effort)
    made = () if make is None else suggestions(case.needs, cheapest, make, place)
    return replace(
        reason,
        conflicts=found.conflicts or reason.conflicts,
        corrections=tuple(remedy.to_dict() for remedy in remedied),
        suggestions=made,
    )


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
    text = together(case, way_out) if more else message(case, space, found, path, topic)
    return Rejection(topic.code, text, path)


def _nothing_helps(case: Case, space: Space) -> Rejection:
    """Return the rejection of what no known set of constraints keeps from being placed."""
    if space.possible(space.paths) is not False:  # something may help, which was not settled
        return replace(overall(case), code=ErrorCode.INSUFFICIENT_RESOURCES, path="")
    bare = replace(without(space.needs, space.paths), tasks=1, max_tasks=1)
    limits = tuple(limit for limit in bare.limits if limit.rule not in ("gpus", "gpu-set"))
    no_gpus = replace(bare, gpus=0, share=None, limits=limits)
    if space.fits(bare) or not space.needs.gpus or not space.fits(no_gpus):
        return Rejection(ErrorCode.INSUFFICIENT_RESOURCES, no_room(case), "")
    missing = (path for path in (MODEL, MEMORY) if space.having((path,)) == 0)
    path = next(missing, COUNT)
    topic = {MODEL: Topic.MODEL, MEMORY: Topic.MEMORY}.get(path, Topic.COUNT)
    return Rejection(topic.code, no_gpu(case, path), path, conflicts=((COUNT,),))


def _nowhere_so_many(space: Space) -> bool:
    """Whether no node with the asked model and memory has that many GPUs free."""
    kept = (Topic.MODEL, Topic.MEMORY, Topic.COUNT)
    one = replace(space.needs, tasks=1, max_tasks=1)
    paths = {handle.path for handle in handles(one) if handle.topic not in kept} - SHARING
    bare = without(one, paths)
    return not Space(bare, space.inventory, space.place, space.stop).possible(())
