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
from flare_core.explanation.messages import message, overall, together
from flare_core.explanation.relax import COUNT, Placer, handles, without
from flare_core.explanation.suggestions import Make, suggestions
from flare_core.placement.types import Rejection
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
    reason = overall(case) if way_out is None else _reason(case, space, found, way_out)
    remedied = tuple(remedies(case, space, found.ways_out))
    cheapest = sorted(remedied, key=_effort)
    made = () if make is None else suggestions(case.needs, cheapest, make, space.place)
    return replace(
        reason,
        conflicts=found.conflicts or _no_gpu(space),
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


def _no_gpu(space: Space) -> tuple[tuple[str, ...], ...]:
    """Return the count of GPUs where not even one is to be had, but room for a task without any."""
    if not space.needs.gpus or space.possible(space.paths) is not False:
        return ()
    bare = without(space.needs, space.paths)
    limits = tuple(limit for limit in bare.limits if limit.rule not in ("gpus", "gpu-set"))
    free = replace(space, needs=replace(bare, gpus=0, share=None, limits=limits))
    return ((COUNT,),) if free.possible(()) else ()


def _nowhere_so_many(space: Space) -> bool:
    """Whether no node with the asked model and memory has that many GPUs free."""
    kept = (Topic.MODEL, Topic.MEMORY, Topic.COUNT)
    one = replace(space.needs, tasks=1, max_tasks=1)
    bare = without(one, [handle.path for handle in handles(one) if handle.topic not in kept])
    return not Space(bare, space.inventory, space.place, space.stop).possible(())
