"""Why an intent is placed where it is, or why it is not: the plan, and what it rests on."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from flare_core.engine import BRIEF_EFFORT, ask_of, moment_of, place, seen_from
from flare_core.explanation.account import Account, account
from flare_core.explanation.explanation import Explanation
from flare_core.explanation.questions import Questions
from flare_core.explanation.relax import COUNT, Unproven
from flare_core.intent.patch import patch_of, patched
from flare_core.inventory.types import Inventory
from flare_core.options import Options
from flare_core.placement.packing import Ask, Problem
from flare_core.placement.types import Outcome, Placement, Plan, Status
from flare_core.requirements.lower import lower
from flare_core.requirements.types import Requirements
from flare_core.solve.result import Search
from flare_core.solve.search import search

if TYPE_CHECKING:
    from flare_core.intent import Intent


def explain(
    intent: "Intent",
    inventory: Inventory,
    *,
    now: str | datetime,
    options: Options | None = None,
) -> Explanation:
    """Place one intent and say why it is placed there, or why it is not.

    Of a placement that is proven best it tells what each rule removed, the next best, how far prices and
    limits may move before the choice changes or nothing fits, and what each of the intent's own constraints
    costs. All of it was found by placing the intent again in a world that differs in just that; what was not
    settled within the effort is left out and named.

    Parameters
    ----------
    intent, inventory, now, options
        As for `place`. The ``time_limit`` bounds the whole; what it cuts off is named as well.

    Raises
    ------
    FlareError
        As `place` does.
    """
    options = Options() if options is None else options
    started = options.timer()
    plan = place(intent, inventory, now=now, options=options)
    needs = _settled(plan.placements[0], intent, lower(intent, now=moment_of(now)))
    return Explanation(plan, needs, _account(plan, needs, intent, inventory, options, started))


def _settled(placement: Placement, intent: "Intent", needs: Requirements) -> Requirements:
    """Return what the placement meets: what the intent asks, where limits gave way what they are now."""
    preferred = {limit.path for limit in needs.preferences}
    gave = {str(r["path"]): r["got"] for r in placement.relaxed if r["path"] not in preferred}
    return lower(patched(intent, patch_of(intent, gave)), now=needs.start) if gave else needs


def _account(
    plan: Plan, needs: Requirements, intent: "Intent", inventory: Inventory, options: Options, started: float
) -> Account:
    if plan.outcome is not Outcome.OPTIMAL or plan.placements[0].status is not Status.PLACED:
        return Account()
    brief = replace(options, on_progress=None, effort=min(options.effort, BRIEF_EFFORT))

    def ask(wanted: Requirements, world: Inventory) -> Ask:
        if options.timer() - started > options.time_limit:
            raise Unproven
        return ask_of(wanted, world, options, several=False)

    def run(problem: Problem) -> Search:
        # The placement itself deserves what it was given at first; the questions about it are many.
        return search(problem, options if problem.asks[0].needs == needs else brief, started)

    def recount(gpus: int) -> Requirements:
        return lower(patched(intent, patch_of(intent, {COUNT: gpus})), now=needs.start)

    try:
        return account(needs, Questions(seen_from(inventory, options, needs.start), ask, run), recount)
    except Unproven:
        return Account(unsettled=("what the placement rests on",))
