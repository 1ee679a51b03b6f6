"""A question and an inventory in, one JSON document out: the whole data behind the page."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flare_core.adapters.explorer.picture import picture, placed, told
from flare_core.adapters.explorer.question import MOST_POINTS, Question, faults
from flare_core.engine import answer as answered
from flare_core.engine import place, problem_of
from flare_core.errors import CancelledError, FlareError, InternalError
from flare_core.frontier.pareto import pareto
from flare_core.intent import Intent, read_intent
from flare_core.intent.patch import patched
from flare_core.inventory.types import Inventory
from flare_core.options import Options
from flare_core.placement.types import Outcome
from flare_core.plots.places import Places
from flare_core.solve.search import search
from flare_core.why import explain

Json = dict[str, Any]

QUICK_EFFORT = 0.2
"""Effort of a placement that follows a slider; the plan that comes after it has the usual one."""


@dataclass(frozen=True, slots=True)
class World:
    """The offers as the page sees them, and how is searched among them."""

    inventory: Inventory
    places: Places
    options: Options

    @classmethod
    def of(cls, inventory: Inventory, options: Options) -> "World":
        """Return the world of an inventory."""
        return cls(inventory, Places.of(inventory), options)


def answer(question: Question, world: World, present: datetime) -> Json:
    """Return what the page is told.

    Parameters
    ----------
    present
        The moment from which is planned, where the question names none.

    Returns
    -------
    dict
        ``ask`` and ``errors``: what is wrong with the intent, each with the JSON path of its field; where
        there is none, what was asked for as well.

    Raises
    ------
    InternalError, CancelledError
        As `place` does.
    """
    document: Json = {"ask": question.ask, "errors": []}
    try:
        intent = read_intent(question.intent.encode("utf-8", "surrogatepass"))
        weights = None if question.weights is None else question.weights.model_dump()
        options = replace(world.options, weights=weights)
        now = present if question.now is None else question.now
        return document | _ANSWERS[question.ask](question, intent, world, now, options)
    except (InternalError, CancelledError):
        raise
    except FlareError as error:
        return document | {"errors": faults(error)}


def _quick(_: Question, intent: Intent, world: World, now: str | datetime, options: Options) -> Json:
    """Place without saying why not, and how many replicas more there would be room for.

    Both take longer than to place. Room for replicas is one of the last ties, so that the placement is hardly
    ever another one; ``open`` says that it may be.
    """
    options = replace(options, effort=min(options.effort, QUICK_EFFORT))
    scales = intent.workload.scaling.auto_scale
    if scales:
        intent = patched(intent, {"workload": {"scaling": {"auto_scale": False}}})
    started = options.timer()
    problem = problem_of((intent,), world.inventory, now=now, options=options)
    found = search(problem, options, started)
    if found.outcome is Outcome.INFEASIBLE:
        funnel = problem.asks[0].found.funnel
        return {"refused": True, "open": True, "funnel": told(funnel), "places": world.places.told(funnel)}
    plan = answered((intent,), problem, found, world.inventory, options, started)
    return {
        "refused": False,
        "open": scales or plan.outcome is not Outcome.OPTIMAL,
        **picture(plan, world.places),
    }


def _plan(_: Question, intent: Intent, world: World, now: str | datetime, options: Options) -> Json:
    return picture(place(intent, world.inventory, now=now, options=options), world.places)


def _why(_: Question, intent: Intent, world: World, now: str | datetime, options: Options) -> Json:
    found = explain(intent, world.inventory, now=now, options=options).to_dict()
    return {name: found[name] for name in ("unit", "runner_up", "prices", "constraints", "unsettled")}


def _front(question: Question, intent: Intent, world: World, now: str | datetime, options: Options) -> Json:
    front = pareto(
        intent, world.inventory, now=now, terms=question.terms, options=options, most_points=MOST_POINTS
    )
    return {
        "terms": list(front.terms),
        "units": dict(front.units),
        "complete": front.complete,
        "points": [
            {"terms": dict(point.terms), "assumed": list(point.assumed), **placed(point.plan)}
            for point in front.points
        ],
    }


_Answerer = Callable[[Question, Intent, World, "str | datetime", Options], Json]

_ANSWERS: dict[str, _Answerer] = {"quick": _quick, "plan": _plan, "why": _why, "front": _front}
