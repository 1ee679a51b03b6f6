"""A plan of one intent as the page draws it."""

from typing import Any

from flare_core.candidates.types import Funnel
from flare_core.placement.types import Plan
from flare_core.plots.insides import insides
from flare_core.plots.places import Places
from flare_core.quantities import format_rate

Json = dict[str, Any]

MOST_ROWS = 500
"""Tasks that are listed; the others are counted."""


def picture(plan: Plan, places: Places) -> Json:
    """Return what the page shows of a plan: the placement, where, on which GPUs, and what was removed."""
    funnel = plan.funnels[0]
    return {**placed(plan), "funnel": told(funnel), "places": places.told(funnel)}


def placed(plan: Plan) -> Json:
    """Return what became of the intent, and the insides of its nodes."""
    document = plan.to_dict()
    [placement] = document.pop("placements")
    made = plan.placements[0]
    made = made if made.offer is None else made.offer.placement
    shown = placement if placement["offer"] is None else placement["offer"]["placement"]
    tasks = len(shown["assignments"])
    shown["assignments"] = shown["assignments"][:MOST_ROWS]
    if placement["error"] is not None:
        # Each suggestion holds the placement that it would lead to: applying it shows that one anyway.
        placement["error"]["suggestions"] = [
            {name: value for name, value in one.items() if name != "placement"}
            for one in placement["error"]["suggestions"]
        ]
    return {
        "plan": document,
        "placement": placement,
        "tasks": tasks,
        "nodes": insides(plan, made),
        "runner_up": _runner_up(plan),
    }


def told(funnel: Funnel) -> Json:
    """Return what each constraint removed, in the order in which they were applied."""
    steps = [
        {"path": s.path, "rule": s.rule, "asked": s.asked, "alone": s.alone, "first": s.first, "only": s.only}
        for s in funnel.steps
        if s.alone
    ]
    return {
        "offers": funnel.offers,
        "fit": funnel.accepted,
        "idle": len(funnel.steps) - len(steps),
        "steps": steps,
    }


def _runner_up(plan: Plan) -> Json | None:
    found = plan.runners_up[0] if plan.runners_up else None
    if found is None:
        return None
    label = plan.inventory.label
    return {
        "offer": plan.inventory.ids[found.offer],
        "provider": label["provider"][found.offer],
        "region": label["region"][found.offer],
        "gpu_model": label["gpu_model"][found.offer],
        "spot": found.spot,
        "more": format_rate(abs(found.more_ueur)),
        "cheaper": found.more_ueur < 0,
    }
