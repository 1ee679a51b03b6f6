"""Gangs against trying everything, against CP-SAT, and in worlds that show one thing each."""

from itertools import combinations, product

import numpy as np
import pytest

from benchmarks.gangs import Fleet, by_cpsat, fleet, fleets
from flare_core.inventory.types import IntArray
from flare_core.topology import fullest, gangs
from flare_core.topology.gangs import Gang, closest
from flare_core.topology.heaviest import Heaviest, heaviest
from flare_core.topology.prefixes import Rows

Levels = tuple[int, ...]


def place(room: list[int], paths: list[list[int]], tasks: int, nodes: list[int] | None = None) -> Gang:
    gang = closest(np.array(room), np.array(nodes or [1] * len(room)), np.array(paths), tasks)
    assert gang is not None
    return gang


# --- worlds that show one thing ---------------------------------------------------------------------


def test_one_spine_comes_before_fewer_leaves_and_fewer_nodes() -> None:
    gang = place([8, 8, 4, 4, 4, 4], [[0, 1, 2, 2, 2, 2], [0, 1, 2, 3, 4, 5]], tasks=16)
    assert gang.used == (1, 4, 4)
    assert gang.tasks.tolist() == [0, 0, 4, 4, 4, 4]


def test_one_leaf_comes_before_fewer_nodes() -> None:
    assert place([8, 8, 4, 4, 4, 4], [[0] * 6, [0, 1, 2, 2, 2, 2]], tasks=16).used == (1, 1, 4)


def test_the_spine_with_the_fewest_leaves_wins_not_the_largest() -> None:
    """Largest first takes the first spine, where no two leaves have room."""
    gang = place([5, 5, 5, 5, 8, 8], [[0, 0, 0, 0, 1, 1], [0, 1, 2, 3, 4, 5]], tasks=16)
    assert gang.used == (1, 2, 2)
    assert gang.tasks.tolist() == [0, 0, 0, 0, 8, 8]


def test_the_leaves_with_the_fewest_nodes_win_not_the_largest() -> None:
    """Both leaves hold the gang; the one with more room needs more nodes."""
    assert place([4, 4, 4, 4, 8, 4], [[0, 0, 0, 0, 1, 1]], tasks=12).used == (1, 2)


def test_two_spines_are_chosen_for_their_leaves_together() -> None:
    """The largest two spines need four leaves, the second and the third one only three."""
    room, spines = [6, 6, 6, 10, 5, 10, 4], [0, 0, 0, 1, 1, 2, 2]
    assert sum(room[:3]) > sum(room[3:5]) > sum(room[5:])
    gang = place(room, [spines, list(range(7))], tasks=25)
    assert gang.used == (2, 3, 3)
    assert gang.tasks.tolist() == [0, 0, 0, 10, 5, 10, 0]


def test_what_is_left_over_is_left_on_one_of_the_emptiest_nodes() -> None:
    gang = place([8, 3], [[0, 0]], tasks=10, nodes=[1, 5])
    assert (gang.tasks.tolist(), gang.nodes.tolist(), gang.used) == ([8, 2], [1, 1], (1, 2))


def test_nodes_without_a_path_share_nothing_below_what_is_known() -> None:
    """Two nodes of one group, alike but for what is known of their path."""
    known = place([4, 0], [[0, 0], [0, 0]], tasks=8, nodes=[2, 1])
    unknown = place([4, 0], [[0, 0], [-1, 0]], tasks=8, nodes=[2, 1])
    assert (known.used, unknown.used) == ((1, 1, 2), (1, 2, 2))


def test_below_an_unknown_prefix_nothing_is_known() -> None:
    assert place([4], [[0], [-1], [7]], tasks=8, nodes=[2]).used == (1, 2, 2, 2)


def test_elastic_groups_have_as_many_nodes_as_it_takes() -> None:
    gang = place([2, 8], [[0, 1]], tasks=100, nodes=[-1, 12])
    assert (gang.used, gang.nodes.tolist()) == ((1, 50), [50, 0])


def test_many_kinds_of_nodes_in_one_leaf_are_no_trouble() -> None:
    room = list(range(1, 101))
    gang = place(room, [[0] * 100], tasks=sum(room[40:]))
    assert (gang.used, gang.proven) == ((1, 60), (True, True))


@pytest.mark.parametrize(("tasks", "fits"), [(8, True), (9, False)], ids=["just-fits", "one-too-many"])
def test_a_gang_without_room_is_not_placed(tasks: int, fits: bool) -> None:
    gang = closest(np.array([3, 2, 0]), np.array([2, 1, 9]), np.array([[0, 1, 2]]), tasks)
    assert (gang is not None) == fits


# --- everything tried -------------------------------------------------------------------------------


def small(seed: int) -> tuple[IntArray, IntArray, IntArray, int]:
    """A world of at most a dozen nodes: up to three depths, some paths unknown."""
    rng = np.random.default_rng(seed)
    depths, groups = int(rng.integers(1, 4)), int(rng.integers(1, 9))
    paths = [rng.integers(0, rng.integers(1, 4), groups)]
    while len(paths) < depths:
        paths.append(paths[-1] * 3 + rng.integers(0, 3, groups))
    codes = np.array(paths)
    for group in np.flatnonzero(rng.random(groups) < rng.choice([0, 0.4])):
        codes[rng.integers(0, depths) :, group] = -1
    nodes = rng.integers(0, 3, groups)
    nodes[np.cumsum(nodes) > 12] = 0
    return rng.integers(0, 6, groups), nodes, codes, int(rng.integers(1, 12))


def best_of_all(room: IntArray, nodes: IntArray, paths: IntArray, tasks: int) -> Levels | None:
    """The least levels over all sets of nodes with room for the gang."""
    each = [(g, k) for g in range(len(room)) for k in range(nodes[g])]
    known = np.logical_and.accumulate(paths >= 0, axis=0)

    def levels(chosen: tuple[tuple[int, int], ...]) -> Levels:
        prefixes = [
            {(int(path[g]), None) if sure[g] else (g, k) for g, k in chosen}
            for path, sure in zip(paths, known, strict=True)
        ]
        return (*map(len, prefixes), len(chosen))

    sets = (s for size in range(1, len(each) + 1) for s in combinations(each, size))
    return min((levels(s) for s in sets if sum(int(room[g]) for g, _ in s) >= tasks), default=None)


def check(gang: Gang, room: IntArray, nodes: IntArray, paths: IntArray, tasks: int) -> None:
    """The counts are what they say."""
    assert int(gang.tasks.sum()) == tasks
    assert ((gang.tasks <= gang.nodes * room) & (gang.tasks >= gang.nodes)).all()
    assert ((gang.nodes <= nodes) | (nodes < 0)).all()
    assert int(gang.nodes.sum()) == gang.used[-1]
    known = np.logical_and.accumulate(paths >= 0, axis=0)
    for depth, path in enumerate(paths):
        on, alone = (gang.nodes > 0) & known[depth], gang.nodes[~known[depth]]
        assert gang.used[depth] == len(np.unique(path[on])) + int(alone.sum())


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_no_set_of_nodes_is_closer(start: int) -> None:
    for seed in range(start, start + 100):
        world = small(seed)
        expected, gang = best_of_all(*world), closest(*world)
        assert (gang is None) == (expected is None), seed
        if gang is not None:
            check(gang, *world)
            assert (gang.used, all(gang.proven)) == (expected, True), seed


def test_what_is_called_proven_is_proven_when_time_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """With neither knapsacks nor search, answers may be worse, but never claim to be better than they are."""
    monkeypatch.setattr(fullest, "MOST_SETS", 0)
    monkeypatch.setattr(fullest, "MOST_STEPS", 2)
    monkeypatch.setattr(gangs, "heaviest", lambda *_: None)
    monkeypatch.setattr(fullest, "heaviest", lambda *_: None)
    unproven = 0
    for seed in range(400):
        world = small(seed)
        expected, gang = best_of_all(*world), closest(*world)
        assert (gang is None) == (expected is None), seed
        if gang is None or expected is None:
            continue
        check(gang, *world)
        unproven += not all(gang.proven)
        assert gang.used >= expected, seed
        for level, proven in enumerate(gang.proven):
            assert not proven or gang.used[: level + 1] == expected[: level + 1], seed
    assert unproven > 1


def test_the_order_of_groups_does_not_matter_to_how_close_a_gang_is() -> None:
    rng = np.random.default_rng(0)
    room, nodes = rng.integers(0, 9, 200), rng.integers(1, 4, 200)
    leaves = rng.integers(0, 40, 200)
    paths = np.array([leaves // 8, leaves])
    expected = closest(room, nodes, paths, 150)
    assert expected is not None
    for _ in range(20):
        order = rng.permutation(200)
        gang = closest(room[order], nodes[order], paths[:, order], 150)
        assert gang is not None
        assert (gang.used, gang.bounds) == (expected.used, expected.bounds)


# --- the steps towards few nodes --------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(200))
def test_a_search_finds_leaves_where_there_are_any(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parents, _ = tree(seed, more=6)
    size = len(parents[-1])
    limits = tuple(int(rng.integers(1, min(len(parent), 4) + 1)) for parent in parents)
    above = np.array([np.arange(size)])
    for parent in parents[:0:-1]:
        above = np.r_[parent[above[:1]], above]
    excess = rng.integers(0, 9, (2, size))
    needed = rng.integers(4, 8, 2) * limits[-1]
    found = fullest.Search.of(above, excess, needed, limits).run()
    sets = (s for k in range(1, limits[-1] + 1) for s in combinations(range(size), k))

    def enough(leaves: tuple[int, ...]) -> bool:
        touched = [len(np.unique(up[list(leaves)])) for up in above]
        return bool((excess[:, leaves].sum(axis=1) >= needed).all() and (np.array(touched) <= limits).all())

    assert found is not None
    assert enough(tuple(found.tolist())) if len(found) else not any(map(enough, sets))


def test_exchanges_keep_the_limits_and_save_nodes() -> None:
    saved = 0
    for world in fleets(nodes=2_000, seeds=2):
        rows = Rows.of(world.room, np.ones_like(world.room), world.paths, world.tasks)
        spines = np.argsort(-rows.total(0, rows.room))[:4]
        leaves = np.flatnonzero(np.isin(rows.parents[1], spines))[:16]
        if int(rows.total(1, rows.room)[leaves].sum()) < world.tasks:
            continue
        choice = fullest.Leaves.of(rows, world.tasks, (4, 16), leaves)
        better = choice._exchanged(leaves)
        assert len(np.unique(better)) == len(leaves)
        assert len(np.unique(rows.parents[1][better])) <= 4
        assert int(rows.total(1, rows.room)[better].sum()) >= world.tasks
        assert choice.nodes(better) <= choice.nodes(leaves)
        saved += choice.nodes(leaves) - choice.nodes(better)
    assert saved > 0


# --- the table below it -----------------------------------------------------------------------------


def tree(seed: int, more: int = 4) -> tuple[list[IntArray], IntArray]:
    """A small tree by its parents, every vertex with a leaf below it, and what the leaves weigh."""
    rng = np.random.default_rng(seed)
    parents, size = [], 1
    for _ in range(int(rng.integers(1, 4))):
        added = rng.integers(0, size, int(rng.integers(0, more)))
        parents.append(rng.permutation(np.r_[np.arange(size), added]))
        size += len(added)
    return parents, rng.integers(0, 9, size)


def under(parents: list[IntArray], leaves: tuple[int, ...]) -> list[set[int]]:
    """The vertices above some leaves, by depth."""
    touched = [set(leaves)]
    for parent in parents[:0:-1]:
        touched.append({int(parent[vertex]) for vertex in touched[-1]})
    return touched[::-1]


@pytest.mark.parametrize("seed", range(60))
def test_no_set_of_leaves_is_heavier(seed: int) -> None:
    parents, weight = tree(seed)
    limits = [len(parent) for parent in parents]
    table = heaviest(parents, weight, limits, weight)
    assert table is not None
    sets = [s for size in range(len(weight) + 1) for s in combinations(range(len(weight)), size)]
    by_size = [(int(weight[list(s)].sum()), under(parents, s)) for s in sets]
    for at in product(*(range(limit + 1) for limit in limits)):
        within = [(w, t) for w, t in by_size if all(len(v) <= m for v, m in zip(t, at, strict=True))]
        assert table.best[(0, *at)] == max(w for w, _ in within)
        check_table(table, parents, weight, at, within)


def check_table(
    table: Heaviest,
    parents: list[IntArray],
    weight: IntArray,
    at: Levels,
    within: list[tuple[int, list[set[int]]]],
) -> None:
    picked = tuple(table.pick(0, at))
    assert len(set(picked)) == len(picked)
    assert int(weight[list(picked)].sum()) == table.best[(0, *at)]
    assert all(len(v) <= m for v, m in zip(under(parents, picked), at, strict=True))
    if min(at):
        through = table.through(at)
        for vertex in range(len(parents[0])):
            assert through[vertex] >= max(w for w, touched in within if vertex in touched[0] or not w)


def test_a_table_that_costs_too_much_is_not_filled() -> None:
    parents, weight = tree(3)
    assert heaviest(parents, weight, [2] * len(parents), weight, effort=5) is None


# --- CP-SAT -----------------------------------------------------------------------------------------


def compare(world: Fleet, seconds: float) -> int:
    """Never worse than CP-SAT, equal where it proves, and never proven where it finds better."""
    gang, solved = world.closest(), by_cpsat(world, seconds)
    assert solved is not None
    check(gang, world.room, np.ones_like(world.room), world.paths, world.tasks)
    assert gang.used <= solved.used, world.name
    assert gang.used[: solved.proven] == solved.used[: solved.proven], world.name
    return solved.proven


@pytest.mark.parametrize("seed", range(6))
def test_a_solver_finds_nothing_closer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    leaf, spine = int(rng.integers(2, 7)), int(rng.integers(2, 6))
    world = fleet(120, leaf, spine, seed, gpus=int(rng.integers(20, 120)), each=int(rng.integers(1, 4)))
    assert compare(world, 2.0) >= 2


def test_gangs_of_the_benchmarks_are_proven() -> None:
    for world in fleets(nodes=2_000, seeds=1):
        assert all(world.closest().proven), world.name


@pytest.mark.t1
@pytest.mark.parametrize("world", tuple(fleets()), ids=lambda world: world.name)
def test_a_solver_finds_nothing_closer_in_ten_seconds(world: Fleet) -> None:
    compare(world, 10.0)
