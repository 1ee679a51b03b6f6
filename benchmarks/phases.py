"""The steps of a placement as verbs: each prepares one call on a world, ready to be timed again and again."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import NamedTuple

import flare_core as flare
from benchmarks.scenarios import NOW, World
from flare_core.candidates import screen as screening
from flare_core.candidates.funnel import tally
from flare_core.candidates.screens import BY_RULE
from flare_core.candidates.view import View
from flare_core.placement.packing import Ask, Packing, Problem
from flare_core.placement.score import score
from flare_core.requirements.lower import lower
from flare_core.requirements.types import Requirements
from flare_core.solve import lexicographic
from flare_core.solve import search as road
from flare_core.solve.cpsat import Run
from flare_core.solve.greedy import greedy
from flare_core.solve.prune import prune, tighten
from flare_core.solve.result import Search

Call = Callable[[], object]
OPTIONS = flare.Options(time_limit=60.0, effort=60.0)


class Loaded(NamedTuple):
    """A world that was read."""

    intents: tuple[flare.Intent, ...]
    inventory: flare.Inventory


def load(world: World) -> Loaded:
    """Read a world."""
    offers = flare.read_inventory({"version": 1, "offers": world.offers})
    return Loaded(tuple(flare.read_intent(intent) for intent in world.intents), offers)


def needs_of(loaded: Loaded) -> list[Requirements]:
    """Return what the intents need, in the order of their names."""
    now = datetime.fromisoformat(NOW)
    return sorted((lower(intent, now=now) for intent in loaded.intents), key=lambda needs: needs.name)


def problem_of(loaded: Loaded) -> Problem:
    """Return the problem that `place` would solve."""
    several = len(loaded.intents) > 1

    def ask(needs: Requirements) -> Ask:
        found = screening.screen(needs, loaded.inventory, alone=not several)
        return Ask(needs, found, score(needs, found, OPTIONS.balance(), scaled=several), 10**6)

    return Problem(tuple(map(ask, needs_of(loaded))), loaded.inventory)


# --- the verbs --------------------------------------------------------------------------------------


def read(world: World) -> Call:
    """Read the documents."""
    return partial(load, world)


def screen(loaded: Loaded) -> Call:
    """Judge every offer for every intent, and count why the others were removed."""
    needs = needs_of(loaded)
    return lambda: [screening.screen(each, loaded.inventory) for each in needs]


def count(loaded: Loaded) -> Call:
    """Count why offers were removed; a part of `screen`."""
    [needs] = needs_of(loaded)
    view = View.of(loaded.inventory, needs)
    fails = [BY_RULE[limit.rule].fails(view, limit) for limit in needs.limits]
    return lambda: tally(needs.limits, fails, len(loaded.inventory))


def choose(loaded: Loaded) -> Call:
    """Score and choose among what the screens left, and prove it."""
    problem = problem_of(loaded)
    several = problem.several

    def search() -> Search:
        scores = [score(ask.needs, ask.found, OPTIONS.balance(), scaled=several) for ask in problem.asks]
        asks = (Ask(a.needs, a.found, s, a.priority) for a, s in zip(problem.asks, scores, strict=True))
        return solve_all(Problem(tuple(asks), problem.inventory))

    return search


def solve(loaded: Loaded) -> Call:
    """Prove the objective by CP-SAT, ties not yet settled."""
    problem = problem_of(loaded)
    return lambda: solve_first(problem)


def verify(loaded: Loaded) -> Call:
    """Check a finished plan."""
    plan = flare.place(loaded.intents, loaded.inventory, now=NOW, options=OPTIONS)
    return lambda: flare.verify(plan, loaded.intents, loaded.inventory)


def place(loaded: Loaded) -> Call:
    """Do it all: screens, choice, proof, check, funnel."""
    return lambda: flare.place(loaded.intents, loaded.inventory, now=NOW, options=OPTIONS)


def front(loaded: Loaded) -> Callable[[], flare.Front]:
    """List the front of cost and carbon of a single intent."""
    [intent] = loaded.intents
    return lambda: flare.pareto(intent, loaded.inventory, now=NOW, options=OPTIONS)


# --- the parts of a search --------------------------------------------------------------------------


def pruned(problem: Problem) -> tuple[Problem, Packing]:
    """Return what pruning leaves of a problem, and a first packing."""
    smaller = prune(problem)
    return tighten(smaller, greedy(smaller))


def solve_first(problem: Problem) -> Search:
    """Prove the objective by CP-SAT, from the screened candidates on."""
    smaller, packing = pruned(problem)
    run = Run(OPTIONS, OPTIONS.timer())
    return lexicographic.search(smaller, packing, run, ties=False)


def solve_all(problem: Problem) -> Search:
    """Search with all ties settled."""
    return road.search(problem, OPTIONS, OPTIONS.timer())


PHASES: tuple[tuple[str, Callable[[Loaded], Call]], ...] = (
    ("screen", screen),
    ("choose", choose),
    ("solve", solve),
    ("verify", verify),
    ("place", place),
)
"""Phases of every scenario, by their verbs; `read` comes before them."""
