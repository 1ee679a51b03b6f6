"""What a rule says to the solver and to a finished packing is the same, whatever the packing."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flare_core as flare
from flare_core.model.draft import Draft
from flare_core.model.families import broken, rules_of
from flare_core.model.objective import levels
from flare_core.model.objective.levels import Level, Stage
from flare_core.model.rule import Lazy
from flare_core.placement.order import value
from flare_core.placement.packing import Loads, Packing, Problem
from flare_core.solve.cpsat import Run
from flare_core.solve.search import search
from tests import insides
from tests.model.solving import allows, fix
from tests.placement.problems import count_places, packings, problem, problem_of, random_packing
from tests.worlds import World, intent, offer, small

SEEN: Counter[str] = Counter()


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
    _agree(_problem(world), Random(throw), "plain")


@settings(max_examples=600)
@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_packing_fits_the_model_inside_the_nodes_too(world: int, throw: int) -> None:
    """The same with linked GPUs, slots, MIG instances and gangs."""
    _agree(_inside(world), Random(throw), "inside")


def _agree(one: Problem | None, random: Random, kind: str) -> None:
    packing = None if one is None else compact(one, _fullest(one, random_packing(one, random)))
    if one is None or packing is None:
        return
    rules = rules_of(one)
    told = broken(one, packing, rules)
    SEEN[f"{kind} several"] += one.several
    if allows(one, rules, packing) is None:
        SEEN[f"{kind} broken"] += 1
        assert told
    elif not told:
        SEEN[f"{kind} kept"] += 1
    else:  # not all of a rule is in the model: the answer is looked at and cut off
        lazy = [rule for rule in rules if isinstance(rule, Lazy)]
        assert broken(one, packing, tuple(r for r in rules if r not in lazy)) == ()
        draft = Draft(one)
        cut = [type(rule).__name__ for rule in lazy if rule.cut(draft, packing)]
        assert cut
        SEEN.update(cut)
        assert broken(one, packing, tuple(r for r in lazy if type(r).__name__ not in cut)) == ()


def test_packings_of_every_kind_were_thrown() -> None:
    for kind in ("plain", "inside"):
        assert SEEN[f"{kind} kept"] >= 40, SEEN
        assert SEEN[f"{kind} broken"] >= 40, SEEN
        assert SEEN[f"{kind} several"] >= 40, SEEN
    assert SEEN["Availability"] >= 1, SEEN


def _problem(seed: int) -> Problem | None:
    return _read(small(seed % 1500))


def _inside(seed: int) -> Problem | None:
    return _read((insides.linked, insides.cut, insides.inside)[seed % 3](seed // 3 % 600))


def _read(world: World) -> Problem | None:
    try:
        one = problem_of(world)
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
    _ordered(_problem(seed), Random(seed))


@pytest.mark.parametrize("seed", range(300))
def test_levels_keep_that_order_inside_the_nodes_too(seed: int) -> None:
    """The same with linked GPUs, shares, and gangs that are slower the farther apart they are."""
    _ordered(_inside(seed), Random(seed))


def _ordered(one: Problem | None, random: Random) -> None:
    if one is None or count_places(one) > 300:
        return
    rules = rules_of(one)
    fullest = (compact(one, _fullest(one, packing)) for packing in packings(one))
    legal = [packing for packing in fullest if packing is not None and not broken(one, packing, rules)]
    for _ in range(2):
        first, second = random.choice(legal), random.choice(legal)
        for stage, fields in STAGES.items():
            a, b = (_worth(one, packing, stage) for packing in (first, second))
            wanted = [tuple(getattr(value(one, packing), f) for f in fields) for packing in (first, second)]
            assert (a < b, a == b) == (wanted[0] < wanted[1], wanted[0] == wanted[1]), (stage, first, second)


STAGES = {
    Stage.PLACED: ("placed", "tasks", "misses"),
    Stage.PRIMARY: ("primary",),
    Stage.TERMS: ("cost_ueur", "performance", "prefixes", "latency_us", "carbon_ug"),
    Stage.FEWEST: ("headroom", "left_milli", "providers", "nodes"),
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
