"""What a rule says to the solver and to a finished packing is the same, whatever the packing."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flare_core as flare
from flare_core.model.constraints.availability import Availability
from flare_core.model.draft import Draft
from flare_core.model.families import broken, rules_of
from flare_core.model.objective import levels
from flare_core.model.objective.levels import Level, Stage
from flare_core.placement.order import value
from flare_core.placement.packing import Loads, Packing, Problem
from flare_core.solve.cpsat import Run
from flare_core.solve.search import search
from tests.model.solving import allows, fix
from tests.placement.problems import count_places, packings, problem, problem_of, random_packing
from tests.worlds import intent, offer, small

SEEN = {"kept": 0, "broken": 0, "availability": 0, "several": 0}


def compact(one: Problem, packing: Packing) -> Packing | None:
    """Number the nodes of a packing as the model does: used ones first, each group on its own.

    None where it opens more nodes than the model has, which no better packing does.
    """
    draft = Draft(one)
    numbers: dict[int, dict[int, int]] = {}
    renumbered: list[Loads] = []
    for ask, loads in zip(one.asks, packing, strict=True):
        own = []
        for load in loads:
            group = int(ask.found.group[load.group])
            nodes = numbers.setdefault(group, {})
            own.append(load._replace(node=nodes.setdefault(load.node, len(nodes))))
            if len(nodes) > draft.shared.get(group, 10**6):
                return None
        renumbered.append(tuple(own))
    return tuple(renumbered)


@settings(max_examples=400)
@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_packing_fits_the_model_where_no_audit_complains(world: int, throw: int) -> None:
    """Thrown at random, a packing is allowed by the solver exactly if the audits let it pass.

    Of a group whose nodes are not shared the model counts nodes, so there the fullest way to fill them
    speaks for all.
    """
    one = _problem(world)
    packing = None if one is None else compact(one, _fullest(one, random_packing(one, Random(throw))))
    if one is None or packing is None:
        return
    rules = rules_of(one)
    told = broken(one, packing, rules)
    solver = allows(one, rules, packing)
    SEEN["several"] += one.several
    if not told:
        SEEN["kept"] += 1
        assert solver is not None
    elif solver is None:
        SEEN["broken"] += 1
    else:  # unequal uptimes are no matter of a table: the answer is looked at and cut off
        SEEN["availability"] += 1
        joint = [rule for rule in rules if isinstance(rule, Availability)]
        assert broken(one, packing, tuple(r for r in rules if r not in joint)) == ()
        draft = Draft(one)
        assert any([rule.cut(draft, packing) for rule in joint])


def test_packings_of_every_kind_were_thrown() -> None:
    assert SEEN["kept"] >= 40
    assert SEEN["broken"] >= 40
    assert SEEN["several"] >= 40
    assert SEEN["availability"] >= 1


def _problem(seed: int) -> Problem | None:
    try:
        one = problem_of(small(seed % 1500))
    except flare.FlareError:  # a contradiction that the dice threw
        return None
    return one if all(len(ask.found) for ask in one.asks) else None


def _fullest(one: Problem, packing: Packing) -> Packing:
    """Fill the nodes that the model counts as full as they go; leave the others as they are."""
    shared = Draft(one).shared
    result: list[Loads] = []
    used: dict[int, int] = {}
    for ask, loads in zip(one.asks, packing, strict=True):
        own = [load for load in loads if int(ask.found.group[load.group]) in shared]
        for g in sorted({load.group for load in loads} - {load.group for load in own}):
            left, group = sum(load.tasks for load in loads if load.group == g), int(ask.found.group[g])
            each = int(ask.found.group_tasks[g])
            here = next(load for load in loads if load.group == g)
            while left > 0:
                node = used[group] = used.get(group, -1) + 1
                own.append(here._replace(node=node, tasks=min(left, each)))
                left -= each
        result.append(tuple(own))
    return tuple(result)


# --- the order of plans as levels -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_merged_levels_are_the_levels_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one = _problem(seed)
    if one is None:
        return
    merged = value(one, search(one, flare.Options(), _now()).packing)
    monkeypatch.setattr(levels, "MERGED", 1)
    assert value(one, search(one, flare.Options(), _now()).packing) == merged


def test_levels_are_merged_where_their_bounds_allow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    one = problem([intent("a", tasks=2), intent("b")], offer("o", gpus=2), offer("p", provider="p2"))
    together = [level.name for level in levels.levels(Draft(one), Stage.FEWEST)]
    monkeypatch.setattr(levels, "MERGED", 1)
    apart = [level.name for level in levels.levels(Draft(one), Stage.FEWEST)]
    assert together == ["left+providers+nodes"]
    assert apart == ["left", "providers", "nodes"]


@pytest.mark.parametrize("seed", range(0, 200, 2))
def test_levels_put_packings_in_the_order_of_their_values(seed: int) -> None:
    """Of two packings the solver's levels prefer the one that `value` prefers, at the same level."""
    one = _problem(seed)
    if one is None or count_places(one) > 300:
        return
    rules = rules_of(one)
    fullest = (compact(one, _fullest(one, packing)) for packing in packings(one))
    legal = [packing for packing in fullest if packing is not None and not broken(one, packing, rules)]
    random = Random(seed)
    for _ in range(2):
        first, second = random.choice(legal), random.choice(legal)
        for stage, fields in STAGES.items():
            a, b = (_worth(one, packing, stage) for packing in (first, second))
            wanted = [tuple(getattr(value(one, packing), f) for f in fields) for packing in (first, second)]
            assert (a < b, a == b) == (wanted[0] < wanted[1], wanted[0] == wanted[1]), (stage, first, second)


STAGES = {
    Stage.PLACED: ("placed", "tasks", "misses"),
    Stage.PRIMARY: ("primary",),
    Stage.TERMS: ("cost_ueur", "performance", "latency_us", "carbon_ug"),
    Stage.OFFERS: ("offers",),
}


def _worth(one: Problem, packing: Packing, stage: Stage) -> tuple[int, ...]:
    """Return the least values of a stage's levels, one fixed after the other, with the packing fixed."""
    draft = Draft(one)
    for rule in rules_of(one):
        rule.post(draft)
    steps: list[Level] = list(levels.levels(draft, stage))
    fix(draft, packing)
    run, worth = Run(flare.Options(), _now()), []
    for level in steps:
        answer = run.minimise(draft, level.terms, None)
        assert answer.proven
        assert answer.bound is not None
        draft.model.add(level.terms.expr() == answer.bound)
        worth.append(answer.bound)
    return tuple(worth)


def _now() -> float:
    return flare.Options().timer()
