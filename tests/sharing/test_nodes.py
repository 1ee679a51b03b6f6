"""What the GPUs of one node take together, beside trying everything."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations, combinations_with_replacement, product
from random import Random
from typing import NamedTuple

import pytest

from flare_core.sharing.cards import card_of
from flare_core.sharing.nodes import Arrangement, arrange, fresh_needed, tasks_on
from flare_core.sharing.states import fresh, state_of
from flare_core.sharing.types import Card, Kind, State, Want
from tests.sharing import vendor

PARTS = {
    "nvidia-a100-sxm4-40gb": ("nvidia-a100", 40),
    "nvidia-a100-sxm4-80gb": ("nvidia-a100", 80),
    "nvidia-h100-sxm5-80gb": ("nvidia-h100", 80),
    "nvidia-h200-sxm5-141gb": ("nvidia-h200", 141),
    "nvidia-a30-24gb": ("nvidia-a30", 24),
}


class Node(NamedTuple):
    """A node, its GPUs as the vendor's table sees them, and what is wanted."""

    card: Card
    sku: str  # "" for slots
    there: dict[int, tuple[vendor.Instance, ...]]
    gpus: dict[int, State]
    wants: tuple[Want, ...]

    def holds(self, gpu: int, kinds: tuple[Kind, ...]) -> bool:
        """Whether one GPU takes so many shares, by the table or by adding up."""
        state = self.gpus[gpu]
        if isinstance(state, int):
            return sum(kind for kind in kinds if isinstance(kind, int)) <= state
        return vendor.holds(self.sku, self.there[gpu], tuple(sorted(map(str, kinds))))

    def is_fresh(self, gpu: int) -> bool:
        return self.gpus[gpu] == fresh(self.card)


def drawn(seed: int, *, gpus: int, wants: int, tasks: int, fill: int = 4) -> Node:
    random = Random(seed)
    if seed % 4 == 0:
        return drawn_slots(random, gpus=gpus, wants=wants, tasks=tasks)
    sku = random.choice(sorted(PARTS))
    model, gib = PARTS[sku]
    card = card_of(model, gib * 1024, "mig", None)
    assert card is not None
    numbers = sorted(random.sample(range(10), random.randint(1, gpus)))
    there = {gpu: vendor.half_filled(sku, random, random.randint(0, fill)) for gpu in numbers}
    states = {gpu: state_of(card, None, instances) for gpu, instances in there.items()}
    plain = [cut.name for cut in card.cuts if cut.plain]
    return Node(card, sku, there, states, tuple(some_wants(random, plain, wants, tasks)))


def drawn_slots(random: Random, *, gpus: int, wants: int, tasks: int) -> Node:
    slots = random.choice((2, 3, 4, 10))
    numbers = sorted(random.sample(range(10), random.randint(1, gpus)))
    states: dict[int, State] = {gpu: random.choice((slots, random.randint(0, slots))) for gpu in numbers}
    kinds = range(1, slots + 1)
    return Node(Card(slots), "", {}, states, tuple(some_wants(random, kinds, wants, tasks)))


def some_wants(random: Random, kinds: Sequence[Kind], wants: int, tasks: int) -> Iterator[Want]:
    for _ in range(random.randint(1, wants)):
        kind = random.choice(kinds)
        yield Want(kind, random.choice((1, 1, 2)), random.randint(1, tasks), random.random() < 0.5)


# --- everything tried --------------------------------------------------------------------------------

Rows = tuple[tuple[int, ...], ...]  # the GPUs of each task, the wants one after the other


def every(node: Node) -> Iterator[Rows]:
    """Every choice of GPUs for every task that no GPU is too small for."""
    tasks = [want for want in node.wants for _ in range(want.tasks)]
    numbers = sorted(node.gpus)

    def extend(rows: Rows) -> Iterator[Rows]:
        if len(rows) == len(tasks):
            yield rows
            return
        want = tasks[len(rows)]
        alike = rows and tasks[len(rows) - 1] is want  # tasks of one want are interchangeable
        ways = combinations if want.apart else combinations_with_replacement
        for row in ways(numbers, want.gpus):
            if not (alike and row < rows[-1]) and all(fits(node, tasks, (*rows, row), gpu) for gpu in row):
                yield from extend((*rows, row))

    return extend(())


def fits(node: Node, tasks: list[Want], rows: Rows, gpu: int) -> bool:
    return node.holds(
        gpu, tuple(w.kind for w, row in zip(tasks, rows, strict=False) for g in row if g == gpu)
    )


def measure(node: Node, rows: Rows) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
    """What the best arrangement has least of: fresh GPUs, GPUs, their numbers.

    Then, from the smallest GPU on, it has most of the first kind that is wanted, then of the next.
    """
    touched = sorted({gpu for row in rows for gpu in row})
    need = [  # the parts that are filled one after the other
        (want.kind, index if want.apart and want.gpus > 1 else None) for index, want in enumerate(node.wants)
    ]
    of_task = [need[index] for index, want in enumerate(node.wants) for _ in range(want.tasks)]
    on = Counter((gpu, n) for n, row in zip(of_task, rows, strict=True) for gpu in row)
    filled = tuple(-on[gpu, n] for gpu in touched for n in dict.fromkeys(need))
    return sum(map(node.is_fresh, touched)), len(touched), tuple(touched), filled


def rows_of(found: Arrangement) -> Rows:
    return tuple(tuple(gpu for gpu, _ in task) for tasks in found for task in tasks)


def check(node: Node, found: Arrangement) -> None:
    """Find nothing wrong with an arrangement, by the vendor's table alone."""
    new: dict[int, list[tuple[Kind, int]]] = {gpu: [] for gpu in node.gpus}
    assert len(found) == len(node.wants)
    for want, tasks in zip(node.wants, found, strict=True):
        assert len(tasks) == want.tasks
        for task in tasks:
            assert len(task) == want.gpus
            assert not want.apart or len({gpu for gpu, _ in task}) == want.gpus
            for gpu, start in task:
                new[gpu].append((want.kind, start))
    for gpu, placed in new.items():
        if node.sku:
            instances = [(kind, start) for kind, start in placed if isinstance(kind, str)]
            assert vendor.allows(node.sku, [*node.there[gpu], *instances])
        else:
            assert node.holds(gpu, tuple(kind for kind, _ in placed))
            assert all(start == 0 for _, start in placed)


@pytest.mark.parametrize("seed", range(600))
def test_an_arrangement_is_the_best_of_all(seed: int) -> None:
    node = drawn(seed, gpus=3, wants=3, tasks=2)
    found = arrange(node.card, node.gpus, node.wants)
    best = min((measure(node, rows) for rows in every(node)), default=None)
    assert (found and measure(node, rows_of(found))) == best
    if found:
        check(node, found)
    partial = tuple(state for gpu, state in node.gpus.items() if not node.is_fresh(gpu))
    whole = len(node.gpus) - len(partial)
    assert fresh_needed(node.card, partial, whole, node.wants) == (best and best[0])


@cache
def random_nodes() -> tuple[tuple[Node, Arrangement | None], ...]:
    nodes = (drawn(seed, gpus=8, wants=4, tasks=3, fill=3) for seed in range(8_000))
    return tuple((node, arrange(node.card, node.gpus, node.wants)) for node in nodes)


def test_whatever_is_arranged_is_what_the_vendor_allows() -> None:
    arranged = [(node, found) for node, found in random_nodes() if found is not None]
    assert sum(node.sku != "" for node, _ in arranged) >= 2_000
    for node, found in arranged:
        check(node, found)


def test_fresh_gpus_are_needed_only_where_the_rest_does_not_hold_all() -> None:
    for node, found in random_nodes():
        partial = tuple(state for gpu, state in node.gpus.items() if not node.is_fresh(gpu))
        needed = fresh_needed(node.card, partial, len(node.gpus) - len(partial), node.wants)
        assert needed == (found and sum(map(node.is_fresh, {g for row in rows_of(found) for g in row})))


@pytest.mark.parametrize("seed", range(300))
def test_as_many_tasks_fit_as_can_be_arranged(seed: int) -> None:
    node = drawn(seed, gpus=3, wants=1, tasks=1)
    [want] = node.wants
    found = tasks_on(node.card, tuple(node.gpus.values()), want.kind, want.gpus, want.apart)

    def can(tasks: int) -> bool:
        many = (Want(want.kind, want.gpus, tasks, want.apart),)
        return arrange(node.card, node.gpus, many) is not None

    assert not can(found + 1)
    assert found == 0 or can(found)
    if found < 5:
        assert (
            next(every(node._replace(wants=(Want(want.kind, want.gpus, found + 1, want.apart),))), None)
            is None
        )


@pytest.mark.parametrize("seed", range(100))
def test_the_order_of_the_gpus_and_of_equal_states_does_not_matter(seed: int) -> None:
    node = drawn(seed, gpus=5, wants=4, tasks=3)
    backwards = dict(reversed(node.gpus.items()))
    assert arrange(node.card, backwards, node.wants) == arrange(node.card, node.gpus, node.wants)


def a100() -> Card:
    card = card_of("nvidia-a100", 40 * 1024, "mig", None)
    assert card is not None
    return card


def test_the_larger_instance_makes_way() -> None:
    wants = (Want("3g.20gb", 1, 1, False), Want("1g.5gb", 1, 4, False))
    assert arrange(a100(), {0: ()}, wants) == ((((0, 4),),), (((0, 0),), ((0, 1),), ((0, 2),), ((0, 3),)))


def test_instances_of_one_task_share_a_gpu_unless_they_must_not() -> None:
    together, apart = Want("1g.5gb", 2, 1, False), Want("1g.5gb", 2, 1, True)
    assert arrange(a100(), {3: (), 5: ()}, (together,)) == ((((3, 4), (3, 5)),),)
    assert arrange(a100(), {3: (), 5: ()}, (apart,)) == ((((3, 6), (5, 6)),),)
    assert arrange(a100(), {3: ()}, (apart,)) is None


def test_partly_used_gpus_are_filled_before_a_fresh_one_is_cut() -> None:
    gpus: dict[int, State] = {0: (), 1: (("4g.20gb", 0),), 2: (("3g.20gb", 0),)}
    found = arrange(a100(), gpus, (Want("3g.20gb", 1, 2, False),))
    assert found == ((((1, 4),), ((2, 4),)),)
    assert fresh_needed(a100(), (gpus[1], gpus[2]), 1, (Want("3g.20gb", 1, 3, False),)) == 1
    assert fresh_needed(a100(), (gpus[1], gpus[2]), 1, (Want("3g.20gb", 1, 5, False),)) is None


def test_hundreds_of_gpus_are_filled_alike() -> None:
    gpus: dict[int, State] = dict.fromkeys(range(1_500), ())
    wants = (
        Want("3g.20gb", 1, 1_000, False),
        Want("4g.20gb", 1, 1_000, False),
        Want("7g.40gb", 1, 500, False),
    )
    found = arrange(a100(), gpus, wants)
    assert found is not None
    check(Node(a100(), "nvidia-a100-sxm4-40gb", dict.fromkeys(gpus, ()), gpus, wants), found)
    assert arrange(a100(), gpus, (*wants, Want("1g.5gb", 1, 1, False))) is None


def test_nothing_wanted_takes_nothing() -> None:
    assert arrange(a100(), {}, ()) == ()
    assert arrange(a100(), {0: ()}, (Want("1g.5gb", 1, 0, False),)) == ((),)
    assert fresh_needed(a100(), (), 0, ()) == 0


@pytest.mark.parametrize(("a", "b", "c"), list(product(range(3), repeat=3)))
def test_two_wants_of_one_kind_are_kept_apart_each_for_itself(a: int, b: int, c: int) -> None:
    """Shares of different tasks may meet on a GPU, those of one task may not."""
    gpus: dict[int, State] = {0: 1 + a, 1: 1 + b, 2: 1 + c}
    wants = (Want(1, 2, 2, True), Want(1, 3, 1, True))
    node = Node(Card(4), "", {}, gpus, wants)
    assert (arrange(node.card, gpus, wants) is None) == (next(every(node), None) is None)
