"""A purchase: all the steps that can be taken now; the way back where one cannot be."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from flare_core.adapters.fluidos import deploy, names
from flare_core.adapters.fluidos.buying.ground import Ground
from flare_core.adapters.fluidos.buying.outcomes import FailedError, ImpossibleError, LostError
from flare_core.adapters.fluidos.buying.steps import BUY, RESERVE, START, STEPS, Step
from flare_core.adapters.fluidos.buying.undo import Way, undo
from flare_core.adapters.fluidos.buying.waits import Wait
from flare_core.adapters.fluidos.errors import ClusterError, TemporaryError
from flare_core.adapters.gateway.backend.port import BackendError, Phase, RefusedError, Report

_log = logging.getLogger(__name__)

SHORTEST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0


def advance(ground: Ground, *, buys: bool) -> Report:
    """Take every step that can be taken now.

    Parameters
    ----------
    buys
        Whether it is to be bought, or only to be reserved.

    Raises
    ------
    RefusedError
        The capacity cannot be had; nothing of the order is left in the cluster.
    BackendError
        The cluster does not answer.
    """
    if ground.memory.refusal is None:
        try:
            return _forward(ground, buys=buys)
        except TemporaryError as error:
            raise BackendError(error.message) from error
        except FailedError as error:
            _tell(ground, error.__cause__)
            return _report(ground, Phase.FAILED, error.message)
        except LostError as error:
            return _report(ground, Phase.LOST, error.message)
        except ImpossibleError as error:
            _note(ground, error)
            if ground.memory.started is not None:
                return _report(ground, Phase.LOST, error.message)
            ground.memory.refusal = (error.message, error.capacity)
    return _back(ground)


def _forward(ground: Ground, *, buys: bool) -> Report:
    for number, step in enumerate(STEPS):
        if step is BUY and not buys:
            return _report(ground, Phase.RESERVED, "reserved")
        if step in (RESERVE, BUY) and ground.memory.started is not None:
            continue  # they have served; what they made is looked at in the steps after them
        ground.past = number < ground.memory.reached
        waits = _taken(ground, step)
        if waits:
            return _waiting(ground, step, waits, buys=buys)
        ground.memory.reached = max(ground.memory.reached, number + 1)
    return _running(ground)


def _taken(ground: Ground, step: Step) -> Sequence[Wait]:
    try:
        return list(step.take(ground))
    except TemporaryError:
        raise
    except ClusterError as error:
        # It may be let through later, but not for ever: the step's deadline runs.
        _tell(ground, error)
        return [Wait(f"{step.name}: {error.brief}")]


def _waiting(ground: Ground, step: Step, waits: Sequence[Wait], *, buys: bool) -> Report:
    started = ground.memory.started is not None
    told = "; ".join(wait.message for wait in waits[:3])
    waited_s = ground.memory.waits_s(step.name, ground.now)
    if waited_s >= step.deadline_s(ground.settings.deadlines) and not (started and step is START):
        message = f"waited {waited_s:.0f} s in vain for {told}"
        if started:
            raise LostError(message)
        capacity = tuple(sorted({each for wait in waits for each in wait.capacity}, key=str))
        if step is START and not capacity:
            raise FailedError(message)
        raise ImpossibleError(message, capacity, sold_twice=any(wait.sold_twice for wait in waits))
    phase = Phase.RUNNING if started else Phase.STARTING if buys else Phase.RESERVED
    # The longer it has waited, the less is missed by looking again later.
    again_s = min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, waited_s / 10))
    return replace(_report(ground, phase, f"waiting for {told}"), again_s=again_s)


def _running(ground: Ground) -> Report:
    memory, progress = ground.memory, ground.progress
    memory.step, memory.since = "", None
    for seller in ground.sellers.values():
        ground.circuits.worked(seller)
    if progress is None:
        raise LostError("the workload is gone")
    memory.started = memory.started or progress.started or ground.now
    if progress.completed:
        report = _report(ground, Phase.COMPLETED, "completed")
        return replace(report, ended=progress.ended or ground.now)
    remarks = deploy.remarks(ground.order, ground.settings)
    report = _report(ground, Phase.RUNNING, "; ".join((progress.message, *remarks)))
    return replace(report, url=deploy.url(ground.order, ground.settings))


def _note(ground: Ground, error: ImpossibleError) -> None:
    """Remember who failed, and say it where the provider sold what it does not have."""
    _tell(ground, error.__cause__)
    if error.sold_twice:
        extra = {"order": ground.order.key, "offers": [offer for offer, _ in error.capacity]}
        _log.warning("sold twice", extra=extra)
    for offer in {offer for offer, _ in error.capacity}:
        if error.blame and offer in ground.sellers:
            ground.circuits.failed(ground.sellers[offer], ground.now)


def _tell(ground: Ground, error: BaseException | None) -> None:
    """Log what the cluster answered; users are told no more than that it did."""
    if isinstance(error, ClusterError):
        _log.warning("refused by the cluster", extra={"order": ground.order.key, "answer": error.message})


def _back(ground: Ground) -> Report:
    refusal = ground.memory.refusal
    if refusal is None:
        raise AssertionError("nothing is undone without a reason")
    message, capacity = refusal
    try:
        rest = undo(_way(ground))
    except ClusterError as error:
        return _report(ground, Phase.STARTING, f"{message}; undoing it: {error.brief}")
    if rest:
        return _report(ground, Phase.STARTING, f"{message}; undoing it: waiting for {rest[0]}")
    if ground.memory.owed:
        _log.warning("left over", extra={"order": ground.order.key, "leftovers": ground.memory.owed})
    raise RefusedError("; ".join((message, *ground.memory.owed)), capacity)


def _way(ground: Ground) -> Way:
    labels = names.selector(ground.order.key)
    return Way(ground.cluster, ground.settings, labels, ground.now, ground.memory)


def _report(ground: Ground, phase: Phase, message: str) -> Report:
    return Report(
        phase=phase,
        message=message,
        started=ground.memory.started,
        handle=ground.memory.handle(),
        leftovers=tuple(ground.memory.owed),
    )
