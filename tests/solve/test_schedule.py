"""Several jobs that wait for each other, against every plan on a grid of half hours."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import combinations_with_replacement
from random import Random
from typing import NamedTuple

import pytest

import flare_core as flare
from benchmarks import times
from benchmarks.scenarios import NOW as THEN
from flare_core.engine import problem_of
from flare_core.inventory.held import Held
from flare_core.inventory.usage import NodeState
from flare_core.placement.build import held
from flare_core.placement.packing import Ask, Load, Loads, Problem, totals
from flare_core.solve.search import search
from flare_core.solve.timetable import Timetable, jobs_of
from flare_core.solve.volumes import measure
from flare_core.verify import verify
from tests.worlds import NOW, OBJECTIVES, Json, intent, offer, world

HALF_S = 1800
LAST = 8
"""Half hours within which everything is done."""

Worth = tuple[int, ...]


class Way(NamedTuple):
    """How an intent could be placed: what that is worth, when it runs, and what it takes of which node."""

    worth: Worth
    start: int
    end: int
    takes: tuple[tuple[int, int, int], ...]


def some(rng: Random) -> tuple[list[Json], list[Json], dict[str, float]]:
    gangs, number = rng.random() < 0.2, rng.randint(2, 4)
    intents = []
    for k in range(number):
        kind = "service" if rng.random() < 0.08 else "job"
        tasks = 2 if gangs and rng.random() < 0.4 else 1
        one = intent(f"j{k}", kind, tasks, rng.randint(1, 2), objective=rng.choice(OBJECTIVES))
        if kind == "job":
            one["workload"]["job"]["timeout"] = rng.choice(("30m", "1h", "1h30m", "2h"))
            until = datetime.fromisoformat(NOW) + timedelta(seconds=rng.randint(3, LAST) * HALF_S)
            one["constraints"] = {"deadline": until.isoformat()}
        intents.append(one)
    offers = [_offer(rng, f"o{k}", gangs or number == 4) for k in range(rng.randint(1, 3))]
    weights = {one["workload"]["name"]: rng.choice((1, 1, 2, 0.5)) for one in intents}
    return intents, offers, weights if rng.random() < 0.3 else {}


def _offer(rng: Random, name: str, few: bool) -> Json:
    billing, nodes = rng.choice(("gpu", "gpu", "node")), 1 if few else rng.randint(1, 2)
    one = offer(name, rng.randint(1, 4), rng.randint(1, 2), nodes, price__billing=billing)
    one["performance"]["latency_ms"] = rng.choice((5, 10, 20))
    one["energy"]["carbon_intensity"] = rng.choice((100, 200, 300))
    one["cpu"] = rng.choice(("1", "2", "8"))
    if rng.random() < 0.4:
        opens = rng.choice(("10:30", "11:00", "12:00"))
        one["availability"] = {"window_start": opens, "window_end": rng.choice(("13:00", "16:00"))}
    return one


def opening(document: Json) -> tuple[int, int]:
    """When an offer is open, in half hours after the plan."""
    said = document.get("availability")
    if said is None:
        return 0, 10**6
    first, last = (
        2 * int(said[edge][:2]) + int(said[edge][3:]) // 30 - 20 for edge in ("window_start", "window_end")
    )
    return first, last


def ways(ask: Ask, problem: Problem, offers: dict[str, Json]) -> Iterator[Way]:
    """Every way to place one intent: its tasks on any nodes, from any half hour on."""
    found, needs = ask.found, ask.needs
    nodes = [
        (g, j, v)
        for g, j in enumerate(found.group_candidate.tolist())
        for v in range(int(found.group_nodes[g]))
    ]
    cores = (needs.cpu_milli or 0) // 1000
    for chosen in combinations_with_replacement(nodes, needs.tasks):
        on = Counter(chosen)
        loads: Loads = tuple(sorted(Load(j, g, v, t) for (g, j, v), t in on.items()))
        named = [problem.inventory.ids[int(found.rows[j])] for _, j, _ in on]
        takes = tuple(
            (_key(name, v), t * needs.gpus, t * cores)
            for name, ((_, _, v), t) in zip(named, on.items(), strict=True)
        )
        if any(t > int(found.group_tasks[g]) for (g, _, _), t in on.items()):
            continue
        for start in _starts(ask, [offers[name] for name in named]):
            moved = tuple(load._replace(start=start * HALF_S) for load in loads)
            end = 10**6 if needs.length_s is None else start + needs.length_s // HALF_S
            yield Way(_worth(ask, moved), start, end, takes)


@cache
def _key(name: str, node: int) -> int:
    return 10 * int(name[1:]) + node


def _starts(ask: Ask, documents: list[Json]) -> range:
    needs = ask.needs
    if needs.length_s is None:
        return range(1)
    assert needs.deadline is not None
    edges = [opening(document) for document in documents]
    until = min(
        int((needs.deadline - needs.start).total_seconds()) // HALF_S, *(last for _, last in edges), 10**6
    )
    return range(max(first for first, _ in edges), until - needs.length_s // HALF_S + 1)


def _worth(ask: Ask, loads: Loads) -> Worth:
    sums = totals(ask, loads)
    terms = (sums.cost_ueur, -sums.performance_mtflops, sums.latency_us, sums.carbon_ug)
    return (-ask.priority, sums.misses, sums.primary, *terms, sums.last_start)


def best(listed: list[list[Way]], offers: dict[str, Json]) -> Worth:
    """What the best of all plans is worth; the sum of what is least bounds what is still to come."""
    none = tuple(0 for _ in next(way for own in listed for way in own).worth)
    options = [sorted([Way(none, 0, 0, ()), *own]) for own in listed]
    rest = [none]
    for own in reversed(options):
        rest.append(_sum(rest[-1], own[0].worth))
    rest.reverse()
    found = [none]

    def look(k: int, worth: Worth, chosen: list[Way]) -> None:
        if k == len(options):
            found[0] = min(found[0], worth)
            return
        for way in options[k]:
            if _sum(_sum(worth, way.worth), rest[k + 1]) >= found[0]:
                return  # those after it are worth less
            if fits([*chosen, way], offers):
                look(k + 1, _sum(worth, way.worth), [*chosen, way])

    look(0, none, [])
    return found[0]


def _sum(a: Worth, b: Worth) -> Worth:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def fits(chosen: list[Way], offers: dict[str, Json]) -> bool:
    """Whether no node holds more at any moment than it has."""
    *_, new = chosen
    for key, _, _ in new.takes:
        document = offers[f"o{key // 10}"]
        for moment in {way.start for way in chosen if new.start <= way.start < new.end} | {new.start}:
            here = [
                take
                for way in chosen
                if way.start <= moment < way.end
                for take in way.takes
                if take[0] == key
            ]
            if document["price"]["billing"] == "node" and len(here) > 1:
                return False
            if sum(gpus for _, gpus, _ in here) > document["gpu"]["count"]:
                return False
            if sum(cores for _, _, cores in here) > int(document["cpu"]):
                return False
    return True


def least_of(problem: Problem, offers: list[Json]) -> tuple[Worth | None, bool]:
    """What the best plan is worth, and whether some have to wait: nobody does where all can begin at once."""
    named = {str(one["id"]): one for one in offers}
    listed = [list(ways(ask, problem, named)) for ask in problem.asks]
    if not any(listed):
        return None, False
    everyone = -sum(ask.priority for ask, own in zip(problem.asks, listed, strict=True) if own)
    now = [[way for way in own if way.start == 0] for own in listed]
    if any(now):
        at_once = best(now, named)
        if at_once[0] == everyone:
            return at_once, False
    return best(listed, named), True


def compared(name: str, seeds: range) -> Counter[str]:
    """Count the plans in which somebody waits, those that are proven, and those as good of the others."""
    counted: Counter[str] = Counter()
    for seed in seeds:
        intents, offers, weights = some(Random(f"{name} {seed}"))
        read = [flare.read_intent(one) for one in intents]
        options = flare.Options(priorities=weights)
        inventory = flare.read_inventory({"version": 1, "offers": offers})
        problem = problem_of(read, inventory, now=NOW, options=options)
        least, waits = least_of(problem, offers)
        if least is None:
            continue
        found = search(problem, options, options.timer())
        here = tuple(0 for _ in least)
        for ask, loads in zip(problem.asks, found.packing, strict=True):
            here = _sum(here, _worth(ask, loads)) if loads else here
        proven = found.outcome is flare.Outcome.OPTIMAL
        settled = proven and not any("ties" in text for text in found.warnings)
        assert here >= least, (seed, here, least)
        assert not proven or here[:3] == least[:3], (seed, here, least)
        assert not settled or here == least, (seed, here, least)
        assert found.bound is None or here[0] > least[0] or found.bound <= least[2], (seed, found.bound)
        if seed % 10 == 0:
            assert not verify(flare.place(read, inventory, now=NOW, options=options), read, inventory), seed
        counted["waits"] += waits
        counted["proven"] += waits and proven
        counted["settled"] += waits and settled
        counted["as good"] += waits and not proven and here[:3] == least[:3]
    return counted


def test_jobs_that_wait_are_placed_as_in_the_best_of_all_plans() -> None:
    found = compared("some", range(120))
    assert found["waits"] > 60
    assert found["proven"] > 40
    assert found["proven"] + found["as good"] > 0.9 * found["waits"]


@pytest.mark.t1
def test_jobs_that_wait_are_placed_as_in_the_best_of_all_plans_in_two_thousand_worlds() -> None:
    found = compared("every", range(2000))
    assert found["waits"] > 1000
    assert found["proven"] > 0.65 * found["waits"]
    assert found["proven"] + found["as good"] > 0.9 * found["waits"]


# --- who waits, and for what -----------------------------------------------------------------------


def started(plan: flare.Plan) -> dict[str, tuple[str, str]]:
    """Where each job runs, and from when on."""
    return {
        one["intent"]: (one["assignments"][0]["offer"], one["start_time"][11:16])
        for one in plan.to_dict()["placements"]
        if one["assignments"]
    }


def jobs(number: int, **changes: object) -> list[Json]:
    return [intent(f"j{k}", "job", 1, 1, workload__job__timeout="1h", **changes) for k in range(number)]


def test_who_has_time_waits_for_the_cheap_place_and_who_gave_no_deadline_takes_the_first() -> None:
    offers = offer("cheap", 1), offer("dear", 5)
    soon = started(world(jobs(3), *offers).place())
    assert sorted(soon.values()) == [("cheap", "10:00"), ("cheap", "11:00"), ("dear", "10:00")]
    patient = world(jobs(3, constraints__deadline="2026-01-15T18:00:00Z"), *offers).place()
    assert sorted(started(patient).values()) == [("cheap", "10:00"), ("cheap", "11:00"), ("cheap", "12:00")]
    assert patient.outcome is flare.Outcome.OPTIMAL


def test_the_short_ones_go_first_where_nothing_else_counts() -> None:
    lasts = ("2h", "30m", "1h")
    asked = [
        intent(f"j{k}", "job", workload__job__timeout=last, constraints__deadline="2026-01-15T18:00:00Z")
        for k, last in enumerate(lasts)
    ]
    found = started(world(asked, offer("o")).place())
    assert found == {"j1": ("o", "10:00"), "j2": ("o", "10:30"), "j0": ("o", "11:30")}


def test_who_weighs_more_is_placed_where_not_all_can_be() -> None:
    two = jobs(2, constraints__deadline="2026-01-15T11:30:00Z")
    plan = world(two, offer("o"), priorities={"j1": 2}).place()
    assert started(plan) == {"j1": ("o", "10:00")}
    assert plan.outcome is flare.Outcome.OPTIMAL


def test_a_gang_waits_until_its_nodes_are_free_together() -> None:
    gang = intent("gang", "job", 2, 2, workload__job__timeout="1h")
    blocking = intent(
        "a", "job", 1, 1, workload__job__timeout="30m", constraints__deadline="2026-01-15T10:30:00Z"
    )
    found = started(world([gang, blocking], offer("o", 1, 2, 2)).place())
    assert found == {"a": ("o", "10:00"), "gang": ("o", "10:30")}


def test_nobody_sits_on_what_a_service_has() -> None:
    plan = world([intent("s", gpus=1), *jobs(2)], offer("o", 1, 2)).place()
    assert sorted(start for _, start in started(plan).values()) == ["10:00", "10:00", "11:00"]


def test_a_hundred_jobs_on_twenty_offers_are_proven() -> None:
    _, intents, inventory = times.queue()
    plan = flare.place(intents, inventory, now=THEN)
    assert (plan.outcome, plan.gap) == (flare.Outcome.OPTIMAL, 0)
    again = flare.place(tuple(reversed(intents)), inventory, now=THEN)
    shown = {one["intent"]: one for one in plan.to_dict()["placements"]}
    assert {one["intent"]: one for one in again.to_dict()["placements"]} == shown


def test_where_no_time_is_left_everybody_is_placed_quickly() -> None:
    _, intents, inventory = times.queue()
    plan = flare.place(intents, inventory, now=THEN, options=flare.Options(time_limit=1e-3))
    assert all(one.status is flare.Status.PLACED for one in plan.placements)
    assert plan.outcome is flare.Outcome.FEASIBLE


# --- the parts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("intervals", "step", "seconds"),
    [
        ([(0, 10), (0, 7), (12, 20)], 4, 8 + 8),
        ([(0, 10), (3, 15)], 4, 15),  # a run could begin at 3
        ([(0, 10), (10, 15)], 4, 15),
        ([(2, 3)], 4, 0),
        ([], 3, 0),
    ],
)
def test_what_is_left_over_cannot_be_used(intervals: list[tuple[int, int]], step: int, seconds: int) -> None:
    assert measure(intervals, step) == seconds


def test_a_timetable_that_remembers_finds_what_one_that_looks_does() -> None:
    _, intents, inventory = times.queue()
    problem = problem_of(intents, inventory, now=THEN, options=flare.Options())
    listed, table = jobs_of(problem), Timetable(inventory)
    Random(0).shuffle(listed)
    for job in listed:
        place = job.places[0]
        fresh = Timetable(inventory, table.runs, table.fresh)
        spot = table.earliest(job, place, place.begins[-1][1] - 1)
        assert spot == fresh.earliest(job, place, place.begins[-1][1] - 1)
        if spot is not None:
            table.put(job, spot)
    assert sum(map(len, table.runs.values())) > 50


def test_a_gpu_that_is_cut_is_held_once_and_what_is_said_to_be_left_is_left() -> None:
    inventory = flare.read_inventory({"version": 1, "offers": [offer("o", 1, 4)]})
    cut = [
        Held(0, 0, (1,), 500, start=0, end=100, slots=1),
        Held(0, 0, (1,), 500, start=50, end=200, slots=1),
    ]
    table = Timetable.beside(inventory, [*cut, Held(0, 0, (2, 3), 1000, start=0, end=None)])
    gpus = {moment: _gpus_at(table, moment) for moment in (0, 60, 150, 250)}
    assert gpus == {0: 3, 60: 3, 150: 3, 250: 2}
    left = NodeState(0, (0,), cpu_milli=4000, memory_mib=0)
    said = Timetable.beside(inventory, [Held(0, 0, end=100, left=left)])
    [run] = said.runs[0, 0]
    assert (run.takes, run.end) == ((3, 28000, 128 * 1024), 100)


def _gpus_at(table: Timetable, moment: int) -> int:
    on = [run for run in table.runs[0, 0] if run.start <= moment and (run.end is None or moment < run.end)]
    return sum(run.takes[0] for run in on)


def test_a_job_waits_for_what_comes_free_and_the_next_for_it() -> None:
    busy = offer("o", 1, 2, node_states=[{"node": 0, "free_gpus": [0], "until": "2026-01-15T11:00:00Z"}])
    two = [intent(f"j{k}", "job", 1, 2, workload__job__timeout="1h") for k in range(2)]
    short = intent("s", "job", 1, 1, workload__job__timeout="30m")
    found = started(world([*two, short], busy).place())
    assert sorted(start for _, start in found.values()) == ["10:00", "11:00", "12:00"]
    assert found["s"] == ("o", "10:00")


def test_nobody_waits_who_could_begin_earlier_where_it_is() -> None:
    waited = 0
    for seed in range(40):
        intents, offers, weights = some(Random(f"left {seed}"))
        inventory = flare.read_inventory({"version": 1, "offers": offers})
        options = flare.Options(priorities=weights)
        read = [flare.read_intent(one) for one in intents]
        problem = problem_of(read, inventory, now=NOW, options=options)
        packing = search(problem, options, options.timer()).packing
        for job in jobs_of(problem):
            loads = packing[job.i]
            others = tuple(() if i == job.i else own for i, own in enumerate(packing))
            table = Timetable.beside(inventory, held(problem, others))
            for place in job.places:
                if loads and place.group == loads[0].group:
                    spot = table.earliest(job, place, place.begins[-1][1] - 1)
                    assert spot is not None
                    assert spot.start == loads[0].start, (seed, job.i)
                    waited += spot.start > 0
    assert waited > 20


def test_a_node_billed_whole_is_bought_anew_by_the_next_in_its_own_way() -> None:
    both = offer("o", 4, price__billing="node", price__spot_hourly="1 EUR/hour")
    cheap = intent("a", "job", 1, 1, workload__job__timeout="1h", constraints__preemptible=True)
    plan = world([cheap, intent("b", "job", 1, 1, workload__job__timeout="1h")], both).place()
    assert sorted(plan.assignments.spot.tolist()) == [False, True]
    assert sorted(start for _, start in started(plan).values()) == ["10:00", "11:00"]
