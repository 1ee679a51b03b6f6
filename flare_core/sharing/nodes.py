"""What the GPUs of one node take together, and where on them.

Wants are lowered to *needs*: so many instances of a kind, at most so many of them on one GPU. A want whose
tasks keep their shares apart puts on no GPU more shares than it has tasks; whatever keeps to that can be
dealt out, in turn, so that every task's shares lie on different GPUs. Other wants of one kind are one need.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, product
from operator import mul

from flare_core.sharing.cards import slices
from flare_core.sharing.starts import starts_of
from flare_core.sharing.states import free_slices, fresh, maximal, patterns, slot_patterns
from flare_core.sharing.types import Card, Kind, Place, State, Vector, Want

Arrangement = tuple[tuple[tuple[Place, ...], ...], ...]
"""Per want, per task: the places of its shares."""

_Stock = tuple[tuple[State, int], ...]
"""GPUs by their states: how many of each."""


@lru_cache(maxsize=2**12)
def tasks_on(card: Card, states: tuple[State, ...], kind: Kind, gpus: int, apart: bool) -> int:
    """Return how many tasks of one want a node's GPUs hold.

    Parameters
    ----------
    states
        All shareable GPUs of the node, those of which nothing is taken included.
    gpus
        Shares per task, at least 1.
    apart
        Whether the shares of one task lie on different GPUs.
    """
    rooms = [patterns(card, state, (kind,))[0][0] for state in states]
    tasks = sum(rooms) // gpus
    while apart and sum(min(room, tasks) for room in rooms) < tasks * gpus:
        tasks -= 1
    return tasks


@lru_cache(maxsize=2**12)
def fresh_needed(card: Card, partial: tuple[State, ...], fresh: int, wants: tuple[Want, ...]) -> int | None:
    """Return the fewest wholly free GPUs that the wants need beside the partly used ones.

    Parameters
    ----------
    partial
        The GPUs of which something is taken.
    fresh
        How many GPUs are wholly free.

    Returns
    -------
    int or None
        0 … `fresh`; None where the node does not hold the wants.
    """
    return _fresh_needed(card, partial, fresh, _lowered(wants)[0])


def arrange(card: Card, gpus: Mapping[int, State], wants: tuple[Want, ...]) -> Arrangement | None:
    """Return where the shares of all wants lie on one node; None where it does not hold them.

    Parameters
    ----------
    gpus
        The states of the GPUs that may be used, by their numbers.

    Notes
    -----
    The fewest wholly free GPUs, then the fewest GPUs, then the smallest numbers, as ascending lists are
    compared. From the smallest GPU on each takes as much as it can of the first kind that is wanted, then of
    the second, and so on; on a GPU the starts are those of `starts_of`.
    """
    return _arranged(card, tuple(sorted(gpus.items())), wants)


@lru_cache(maxsize=2**12)
def _arranged(card: Card, gpus: tuple[tuple[int, State], ...], wants: tuple[Want, ...]) -> Arrangement | None:
    needs, part_of = _lowered(wants)
    touched = _touched(card, gpus, needs)
    if touched is None:
        return None
    states = tuple(state for gpu, state in gpus if gpu in touched)
    places: list[list[Place]] = [[] for _ in needs.kinds]
    for gpu, state, filling in zip(touched, states, _filled(card, states, needs), strict=True):
        for need, starts in enumerate(_starts(card, state, needs, filling)):
            places[need] += ((gpu, start) for start in starts)
    return tuple(_dealt(want, places[need]) for want, need in zip(wants, part_of, strict=True))


def _dealt(want: Want, places: list[Place]) -> tuple[tuple[Place, ...], ...]:
    """Take a want's shares from the front of `places` and deal them out to its tasks."""
    taken = places[: want.gpus * want.tasks]
    del places[: len(taken)]
    if want.apart:
        return tuple(tuple(taken[task :: want.tasks]) for task in range(want.tasks))
    return tuple(tuple(taken[i : i + want.gpus]) for i in range(0, len(taken), want.gpus))


@dataclass(frozen=True, slots=True)
class _Needs:
    """So many (`amounts`) of `kinds`, at most `caps` of them on one GPU."""

    kinds: tuple[Kind, ...]
    amounts: Vector
    caps: Vector

    def less(self, filling: Vector, times: int = 1) -> "_Needs":
        left = tuple(amount - times * n for amount, n in zip(self.amounts, filling, strict=True))
        return _Needs(self.kinds, left, self.caps)

    @property
    def bounds(self) -> Vector:
        """The most of each that one GPU is asked to take."""
        return tuple(map(min, self.amounts, self.caps))


def _lowered(wants: tuple[Want, ...]) -> tuple[_Needs, tuple[int, ...]]:
    """Return the needs, and for each want which one it is part of."""
    index: dict[tuple[Kind, int | None], int] = {}
    part_of = tuple(
        index.setdefault((want.kind, w if want.apart and want.gpus > 1 else None), len(index))
        for w, want in enumerate(wants)
    )
    amounts, caps = [0] * len(index), [0] * len(index)
    for need, want in zip(part_of, wants, strict=True):
        shares = want.gpus * want.tasks
        amounts[need] += shares
        caps[need] += want.tasks if want.apart else shares
    return _Needs(tuple(kind for kind, _ in index), tuple(amounts), tuple(caps)), part_of


def _stock(states: Iterable[State], fresh: State, number: int) -> _Stock:
    """Return GPUs by their states, so many fresh ones last."""
    alike = sorted(Counter(states).items(), key=repr)
    return (*alike, (fresh, number)) if number else tuple(alike)


def _fresh_needed(card: Card, partial: Sequence[State], most: int, needs: _Needs) -> int | None:
    new = fresh(card)
    needed = bisect_left(range(most + 1), True, key=lambda n: _covers(card, _stock(partial, new, n), needs))
    return needed if needed <= most else None


def _touched(card: Card, gpus: tuple[tuple[int, State], ...], needs: _Needs) -> tuple[int, ...] | None:
    """Return the GPUs that are used, ascending."""
    new = fresh(card)
    free = [gpu for gpu, state in gpus if state == new]
    partial = [
        (gpu, state)
        for gpu, state in gpus
        if state != new and any(_most(card, state, needs.kinds, needs.bounds))
    ]
    states = [state for _, state in partial]
    whole = _fresh_needed(card, states, len(free), needs)
    if whole is None:
        return None
    for size in range(len(partial) + 1):
        for chosen in _subsets(states, size):
            if _covers(card, _stock((states[i] for i in chosen), new, whole), needs):
                return tuple(sorted([*(partial[i][0] for i in chosen), *free[:whole]]))
    raise AssertionError("all GPUs together hold what they hold")


def _subsets(states: list[State], size: int) -> Iterator[tuple[int, ...]]:
    """Yield sets of so many GPUs by their places in `states`, as ascending lists are compared.

    Of GPUs that are alike only the first ones: others do the same and have larger numbers.
    """

    def extend(first: int, left: int, skipped: frozenset[State]) -> Iterator[tuple[int, ...]]:
        if not left:
            yield ()
            return
        for i in range(first, len(states) - left + 1):
            if states[i] not in skipped:
                for rest in extend(i + 1, left - 1, skipped):
                    yield (i, *rest)
                skipped |= {states[i]}

    return extend(0, size, frozenset())


def _filled(card: Card, states: tuple[State, ...], needs: _Needs) -> Iterator[Vector]:
    """Yield what each GPU takes: the first as much of the first need as it can, and so on."""
    rest = Counter(states)
    for state in states:
        rest[state] -= 1
        stock = _stock(rest.elements(), state, 0)
        filling = next(f for f in _fillings(card, state, needs) if _covers(card, stock, needs.less(f)))
        needs = needs.less(filling)
        yield filling


@lru_cache(maxsize=2**16)
def _covers(card: Card, stock: _Stock, needs: _Needs) -> bool:
    """Whether these GPUs can take all needs."""
    wanted = sum(amount > 0 for amount in needs.amounts)
    if not wanted or not _may_cover(card, stock, needs):
        return not wanted
    if wanted == 1:
        return True  # then the bound is exact
    (state, alike), rest = stock[0], stock[1:]
    sizes = [sum(slices(card, kind)) for kind in needs.kinds]
    heaviest = sorted(_fillings(card, state, needs), key=lambda filling: -sum(map(mul, filling, sizes)))
    runs = ((filling, _repeats(alike, needs, filling)) for filling in heaviest)
    # As often as it goes at once: among many GPUs that are alike this mostly is a way, and of few steps.
    steps = chain(((filling, times) for filling, times in runs if times > 1), ((f, 1) for f in heaviest))
    return any(
        _covers(card, ((state, alike - times), *rest) if times < alike else rest, needs.less(filling, times))
        for filling, times in steps
    )


def _repeats(alike: int, needs: _Needs, filling: Vector) -> int:
    """Return how many of so many GPUs that are alike can take this and be needed for it."""
    wanted = (amount // n for amount, n in zip(needs.amounts, filling, strict=True) if n)
    return min((alike, *wanted))


def _may_cover(card: Card, stock: _Stock, needs: _Needs) -> bool:
    """Whether each need alone has room, and whether all have slices enough."""
    rooms = [(_most(card, state, needs.kinds, needs.bounds), number) for state, number in stock]
    if any(amount > sum(room[i] * n for room, n in rooms) for i, amount in enumerate(needs.amounts)):
        return False
    sizes = [slices(card, kind) for kind in needs.kinds]
    free = [(free_slices(card, state), number) for state, number in stock]
    return all(
        sum(amount * size[i] for amount, size in zip(needs.amounts, sizes, strict=True))
        <= sum(there[i] * n for there, n in free)
        for i in (0, 1)
    )


@lru_cache(maxsize=2**14)
def _most(card: Card, state: State, kinds: tuple[Kind, ...], bounds: Vector) -> Vector:
    """Return how many of each kind one GPU takes alone."""
    alone = (patterns(card, state, (kind,))[0][0] for kind in kinds)
    return tuple(map(min, alone, bounds))


def _fillings(card: Card, state: State, needs: _Needs) -> tuple[Vector, ...]:
    """Return what one GPU can take of the needs: all maximal vectors, in descending order."""
    return _bounded(card, state, needs.kinds, needs.bounds)


@lru_cache(maxsize=2**14)
def _bounded(card: Card, state: State, kinds: tuple[Kind, ...], bounds: Vector) -> tuple[Vector, ...]:
    if isinstance(state, int):
        return tuple(slot_patterns(state, tuple(map(int, kinds)), bounds))
    different = tuple(dict.fromkeys(kind for kind, bound in zip(kinds, bounds, strict=True) if bound))
    parts = [[i for i, kind in enumerate(kinds) if kind == other and bounds[i]] for other in different]
    found: set[Vector] = set()
    totals = tuple(sum(bounds[i] for i in part) for part in parts)
    for pattern in patterns(card, state, different, totals):
        splits = (_splits(most, [bounds[i] for i in part]) for most, part in zip(pattern, parts, strict=True))
        for split in product(*splits):
            counts = dict(zip(chain(*parts), chain(*split), strict=True))
            found.add(tuple(counts.get(i, 0) for i in range(len(kinds))))
    return tuple(sorted(maximal(found), reverse=True))


def _splits(most: int, bounds: Sequence[int]) -> Iterator[Vector]:
    """Yield the maximal ways to share `most` among needs of one kind."""
    if not bounds:
        yield ()
        return
    for first in range(min(most, bounds[0]), max(0, min(bounds[0], most - sum(bounds[1:]))) - 1, -1):
        for rest in _splits(most - first, bounds[1:]):
            yield (first, *rest)


def _starts(card: Card, state: State, needs: _Needs, filling: Vector) -> list[Vector]:
    """Return where the instances of each need begin; those of one kind in the order of the needs."""
    kinds = tuple(dict.fromkeys(needs.kinds))
    counts = tuple(
        sum(n for kind, n in zip(needs.kinds, filling, strict=True) if kind == other) for other in kinds
    )
    starts = dict(zip(kinds, map(list, starts_of(card, state, kinds, counts)), strict=True))
    return [
        tuple(starts[kind].pop(0) for _ in range(n)) for kind, n in zip(needs.kinds, filling, strict=True)
    ]
