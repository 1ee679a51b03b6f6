"""The rule of the fabric at its edge, and what the model charges a gang for its distances."""

from random import Random
from typing import Any

import pytest
from ortools.sat.python import cp_model

import flare_core as flare
from flare_core.model.constraints.fabric import Fabric
from flare_core.model.draft import Draft
from flare_core.model.families import broken, rules_of
from flare_core.placement.packing import (
    Loads,
    Problem,
    is_off_fabric,
    nodes_of,
    prefixes_of,
    span_of,
    totals,
)
from flare_core.solve.cpsat import Run
from tests import insides
from tests.model.solving import allows, fix
from tests.model.test_agreement import _fullest, compact
from tests.placement.problems import load, problem, random_packing
from tests.placement.test_nodes import read
from tests.worlds import Json, intent, offer

GPU = "workload__resources__gpu"
INFINIBAND: dict[str, Any] = {f"{GPU}__interconnect": "infiniband"}
FAIL: dict[str, Any] = {"constraints__negotiation": {"fallback_strategy": "fail"}}


def gang(tasks: int = 2, name: str = "j", **changes: Any) -> Json:
    return intent(name, "job", tasks, **changes)


def at(name: str, path: str | None, interconnect: str | None = "infiniband", **changes: Any) -> Json:
    """Return an offer at a path with ``/`` between its elements."""
    fabric: dict[str, Any] = {"interconnect": interconnect}
    if path is not None:
        fabric["path"] = path.split("/")
    return offer(name, **{"nodes": 2, "fabric": fabric, **changes})


def on(one: Problem, *names: str) -> Loads:
    """Return a task on the next node of each named offer."""
    count: dict[str, int] = {}
    loads = []
    for name in names:
        loads.append(load(one, name, node=count.get(name, 0)))
        count[name] = count.get(name, 0) + 1
    return tuple(loads)


CASES = [
    ("two-nodes-in-one-fabric", at("a", "dc"), at("b", "dc/s"), ("a", "b"), True),
    ("two-nodes-of-one-offer", at("a", "dc"), at("b", "dc"), ("a", "a"), True),
    ("two-fabrics", at("a", "dc"), at("b", "ec"), ("a", "b"), False),
    ("ethernet-among-them", at("a", "dc"), at("b", "dc", "ethernet"), ("a", "b"), False),
    ("nobody-says-which", at("a", "dc"), at("b", "dc", None), ("a", "b"), False),
    ("nobody-says-where", at("a", "dc"), at("b", None), ("a", "b"), False),
    ("two-nodes-of-unknown-place", at("a", None), at("b", "dc"), ("a", "a"), False),
]


@pytest.mark.parametrize(
    ("first", "second", "names", "fit"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_gang_that_insists_on_infiniband_has_it(
    first: Json, second: Json, names: tuple[str, ...], fit: bool
) -> None:
    one = problem(gang(**INFINIBAND, **FAIL), first, second)
    (rule,) = Fabric.read(one)
    packing = (on(one, *names),)
    told = list(rule.audit(one, packing))
    assert told == ([] if fit else ["j: its nodes are not in one InfiniBand fabric"])
    assert (allows(one, packing=packing) is not None) is fit
    wish = problem(gang(**INFINIBAND), first, second)
    assert list(Fabric.read(wish)) == []
    assert totals(wish.asks[0], on(wish, *names)).misses == (0 if fit else 2)


def test_on_one_node_every_fabric_will_do() -> None:
    one = problem(gang(**INFINIBAND, **FAIL), at("a", None, "ethernet", gpus=2))
    packing = ((load(one, "a", 2),),)
    assert broken(one, packing, rules_of(one)) == ()
    assert allows(one, packing=packing) is not None
    assert totals(problem(gang(**INFINIBAND), at("a", None, gpus=2)).asks[0], packing[0]).misses == 0


def test_nobody_else_has_such_a_rule() -> None:
    one = problem([gang(1, "a", **INFINIBAND, **FAIL), gang(2, "b", **FAIL), intent("c")], at("a", "dc"))
    assert list(Fabric.read(one)) == []


SPANS = [
    (("a", "a"), 1, (1, 1, 1)),
    (("a", "b"), 2, (1, 1, 2)),
    (("a", "c"), 3, (1, 2, 2)),
    (("a", "d"), 4, (2, 2, 2)),
    (("a", "e"), 4, (2, 2, 2)),
    (("e", "e"), 3, (1, 2, 2)),
    (("f", "f"), 1, (1, 1, 1)),
]


@pytest.mark.parametrize(("names", "span", "prefixes"), SPANS)
def test_the_span_counts_from_the_first_element_that_is_not_shared(
    names: tuple[str, ...], span: int, prefixes: tuple[int, ...]
) -> None:
    paths = {"a": "dc/s/l1", "b": "dc/s/l2", "c": "dc/t/l1", "d": "ec/s/l1", "e": None, "f": "dc/s"}
    one = problem(gang(), *[at(name, path) for name, path in paths.items()])
    ask, loads = one.asks[0], on(one, *names)
    assert (span_of(ask, loads), prefixes_of(ask, loads)) == (span, prefixes)
    slow = sum(int(ask.found.fabric.loss[each.candidate, span]) for each in loads)
    alone = sum(int(ask.found.performance_mtflops[each.candidate]) for each in loads)
    assert totals(ask, loads).performance_mtflops == alone - slow < alone
    assert _charged(one, (loads,), 0) == (slow, sum(prefixes), 0)


def test_the_model_charges_a_gang_what_its_totals_say() -> None:
    """Of random gangs with their tasks fixed the least the model can charge is what they lose."""
    seen = 0
    for seed in range(250):
        one = read(insides.linked(seed))
        if one is None or not any(ask.needs.gang for ask in one.asks):
            continue
        packing = compact(one, _fullest(one, random_packing(one, Random(seed))))
        if packing is None or broken(one, packing, rules_of(one)):
            continue
        for i, (ask, loads) in enumerate(zip(one.asks, packing, strict=True)):
            if ask.needs.gang and nodes_of(ask, loads) > 1:
                span = span_of(ask, loads)
                slow = sum(t.tasks * int(ask.found.fabric.loss[t.candidate, span]) for t in loads)
                off = ask.needs.tasks * is_off_fabric(ask, loads)
                assert _charged(one, packing, i) == (slow, sum(prefixes_of(ask, loads)), off)
                seen += 1
    assert seen >= 12


def _charged(one: Problem, packing: tuple[Loads, ...], i: int) -> tuple[int, int, int]:
    """Return the least loss, path prefixes and tasks off their fabric that the model allows for a packing."""
    draft = Draft(one)
    for rule in rules_of(one):
        rule.post(draft)
    fix(draft, packing)
    gang, found = draft.gangs[i], one.asks[i].found
    loss = draft.total((var, int(found.fabric.loss[j, span])) for var, j, span in gang.slow)
    prefixes = draft.total((var, 1) for flags in gang.prefixes for var in flags)
    missing = draft.total([] if gang.missing is None else [(gang.missing, 1)])
    least = []
    for terms in (loss, prefixes, missing):
        answer = Run(flare.Options(), flare.Options().timer()).minimise(draft, terms, None)
        assert answer.status == cp_model.OPTIMAL
        assert answer.bound is not None
        least.append(answer.bound)
    return least[0], least[1], least[2]
