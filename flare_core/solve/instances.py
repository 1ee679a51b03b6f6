"""Many shares on few GPUs, proven: which GPU takes how many of which kind.

GPUs that can take the same are alike, and what one can take is one of few *patterns* (`sharing.states`). So
the model counts: ``n[c, p]`` GPUs of class ``c`` take pattern ``p``;

    sum over p of  n[c, p]  <=  GPUs of class c
    sum over c, p of  p[k] n[c, p]  >=  what is wanted of kind k
    minimise  fresh GPUs, then GPUs

Patterns may hold more than is wanted; what is too much is left out. The size of the model depends on the
number of classes, not on that of GPUs or shares. Start slots follow GPU by GPU: patterns fit by construction.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import mul
from typing import NamedTuple

from ortools.sat.python import cp_model

from flare_core.sharing.cards import slices
from flare_core.sharing.starts import starts_of
from flare_core.sharing.states import fits, free_milli, fresh, patterns, taken
from flare_core.sharing.types import Card, Kind, Place, State, Vector
from flare_core.solve.cpsat import SOUND

EFFORT = 5.0
"""Deterministic time after which each of the two searches is cut."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU: what it is, and what is taken of it."""

    card: Card
    state: State

    @property
    def is_fresh(self) -> bool:
        """Whether nothing is on it."""
        return self.state == fresh(self.card)


@dataclass(frozen=True, slots=True)
class Packed:
    """Where every share lies.

    Attributes
    ----------
    places
        By kind, in the order in which they were asked for: the GPU, by its place in the list, and the start
        slice of every share.
    opened, touched
        GPUs that were fresh before; GPUs, these included.
    proven
        Whether no packing opens fewer, and none that opens as few touches fewer.
    """

    places: tuple[tuple[Place, ...], ...]
    opened: int
    touched: int
    proven: bool = False


def pack(
    gpus: Sequence[Gpu], kinds: tuple[Kind, ...], demand: Vector, effort: float = EFFORT
) -> Packed | None:
    """Return the packing that opens the fewest fresh GPUs, and of these one that touches the fewest GPUs.

    Parameters
    ----------
    kinds, demand
        Different kinds, and how many of each. A GPU that has no such profile takes none of it.
    effort
        Deterministic time of each of the two searches, at most. An answer that is cut is not proven, but no
        worse than `first_fit` and `best_fit`.

    Returns
    -------
    Packed or None
        None where the shares do not all fit, or where that is open after `effort`.
    """
    simple = (first_fit(gpus, kinds, demand), best_fit(gpus, kinds, demand))
    start = min(filter(None, simple), key=_worth, default=None)
    found = _search(_classes(gpus, kinds, demand), demand, effort, start)
    if found is None:
        return start
    fillings, proven = found
    packed = _packed(gpus, kinds, demand, fillings, proven)
    return packed if start is None or _worth(packed) <= _worth(start) else start


def first_fit(gpus: Sequence[Gpu], kinds: tuple[Kind, ...], demand: Vector) -> Packed | None:
    """Put one share after the other, largest first, on the first GPU that takes it; those in use come first.

    None where one finds no GPU, which does not mean that all could not fit.
    """
    return _one_by_one(gpus, kinds, demand, lambda gpu: 0)


def best_fit(gpus: Sequence[Gpu], kinds: tuple[Kind, ...], demand: Vector) -> Packed | None:
    """Put one share after the other, largest first, on the fullest GPU that takes it; a fresh one comes last.

    None where one finds no GPU, which does not mean that all could not fit.
    """
    return _one_by_one(gpus, kinds, demand, lambda gpu: free_milli(gpu.card, gpu.state))


def _worth(packed: Packed) -> tuple[int, int]:
    return packed.opened, packed.touched


# --- the search --------------------------------------------------------------------------------------


class _Class(NamedTuple):
    """GPUs that take the same: what they take, whether they are fresh, and their places in the list."""

    patterns: tuple[Vector, ...]
    is_fresh: bool
    members: tuple[int, ...]


def _classes(gpus: Sequence[Gpu], kinds: tuple[Kind, ...], demand: Vector) -> tuple[_Class, ...]:
    members: dict[tuple[tuple[Vector, ...], bool], list[int]] = {}
    for g, gpu in enumerate(gpus):
        takes = _patterns(gpu, kinds, demand)
        if any(chain(*takes)):
            members.setdefault((takes, gpu.is_fresh), []).append(g)
    return tuple(_Class(takes, is_fresh, tuple(some)) for (takes, is_fresh), some in sorted(members.items()))


def _patterns(gpu: Gpu, kinds: tuple[Kind, ...], demand: Vector) -> tuple[Vector, ...]:
    """Return the maximal vectors over all kinds, of which the card may lack some."""
    has = [k for k, kind in enumerate(kinds) if gpu.card.has(kind)]
    found = patterns(gpu.card, gpu.state, tuple(kinds[k] for k in has), tuple(demand[k] for k in has))
    counts = (dict(zip(has, each, strict=True)) for each in found)
    return tuple(tuple(each.get(k, 0) for k in range(len(kinds))) for each in counts)


class _Column(NamedTuple):
    """A pattern of a class: how many of its GPUs take it."""

    of: _Class
    pattern: Vector
    number: cp_model.IntVar


def _search(
    classes: tuple[_Class, ...], demand: Vector, effort: float, start: Packed | None
) -> tuple[Mapping[int, Vector], bool] | None:
    """Return what each GPU takes, by its place in the list, and whether that is proven to be best."""
    model, columns = _model(classes, demand)
    if not columns:
        return None if any(demand) else ({}, True)
    hint = None if start is None else _hint(columns, start)
    best, proven = None, True
    # One after the other: in a weighted sum of both the bound of the relaxation, rounded up, proves little.
    for costs in ([int(column.of.is_fresh) for column in columns], [1] * len(columns)):
        found, optimal = _minimised(model, columns, costs, best or hint, effort)
        best, proven = found or best, proven and optimal
        if best is None:
            return None
        numbers = [column.number for column in columns]
        model.add(cp_model.LinearExpr.weighted_sum(numbers, costs) <= sum(map(mul, costs, best)))
    return _by_gpu(columns, best or ()), proven


def _model(classes: tuple[_Class, ...], demand: Vector) -> tuple[cp_model.CpModel, list[_Column]]:
    model = cp_model.CpModel()
    columns: list[_Column] = []
    for each in classes:
        most = len(each.members)
        own = [_Column(each, pattern, model.new_int_var(0, most, "")) for pattern in each.patterns]
        model.add(cp_model.LinearExpr.sum([column.number for column in own]) <= most)
        columns += own
    numbers = [column.number for column in columns]
    for k, wanted in enumerate(demand if columns else ()):
        model.add(cp_model.LinearExpr.weighted_sum(numbers, [c.pattern[k] for c in columns]) >= wanted)
    return model, columns


def _minimised(
    model: cp_model.CpModel, columns: list[_Column], costs: list[int], hint: list[int] | None, effort: float
) -> tuple[list[int] | None, bool]:
    """Return the best values found, and whether nothing remains to be searched."""
    numbers = [column.number for column in columns]
    model.clear_hints()  # type: ignore[no-untyped-call]  # ortools leaves it without types
    for number, value in zip(numbers, hint or (), strict=False):
        model.add_hint(number, value)
    model.minimize(cp_model.LinearExpr.weighted_sum(numbers, costs))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_deterministic_time = effort
    solver.parameters.catch_sigint_signal = False  # signals belong to the program, not to a library
    for name, setting in SOUND.items():
        setattr(solver.parameters, name, setting)
    status = solver.solve(model)
    solved = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return [solver.value(n) for n in numbers] if solved else None, status == cp_model.OPTIMAL


def _hint(columns: Sequence[_Column], start: Packed) -> list[int]:
    """Count a packing by patterns: of each GPU the first that holds what lies on it."""
    on: dict[int, Counter[int]] = {}
    for k, places in enumerate(start.places):
        for gpu, _ in places:
            on.setdefault(gpu, Counter())[k] += 1
    left = set(on)
    values = []
    for each, pattern, _ in columns:
        held = [g for g in each.members if g in left and all(pattern[k] >= n for k, n in on[g].items())]
        left -= set(held)
        values.append(len(held))
    return values


def _by_gpu(columns: Sequence[_Column], values: Sequence[int]) -> dict[int, Vector]:
    """Give the patterns to the GPUs of their class, in order."""
    used: Counter[tuple[int, ...]] = Counter()
    fillings: dict[int, Vector] = {}
    for (each, pattern, _), value in zip(columns, values, strict=True):
        first = used[each.members]
        fillings.update(dict.fromkeys(each.members[first : first + value], pattern))
        used[each.members] += value
    return fillings


# --- places ------------------------------------------------------------------------------------------


def _packed(
    gpus: Sequence[Gpu], kinds: tuple[Kind, ...], demand: Vector, fillings: Mapping[int, Vector], proven: bool
) -> Packed:
    """Place what is wanted, GPU by GPU in their order."""
    places: list[list[Place]] = [[] for _ in kinds]
    for g in sorted(fillings):
        counts = tuple(
            min(n, most - len(there)) for n, most, there in zip(fillings[g], demand, places, strict=True)
        )
        here = [(k, n) for k, n in enumerate(counts) if n]
        chosen = starts_of(
            gpus[g].card, gpus[g].state, tuple(kinds[k] for k, _ in here), tuple(n for _, n in here)
        )
        for (k, _), starts in zip(here, chosen, strict=True):
            places[k] += ((g, start) for start in starts)
    return _summed(gpus, places, proven)


def _summed(gpus: Sequence[Gpu], places: Iterable[Iterable[Place]], proven: bool = False) -> Packed:
    listed = tuple(map(tuple, places))
    touched = {gpu for gpu, _ in chain(*listed)}
    return Packed(listed, sum(gpus[g].is_fresh for g in touched), len(touched), proven)


def _one_by_one(
    gpus: Sequence[Gpu], kinds: tuple[Kind, ...], demand: Vector, room: Callable[[Gpu], int]
) -> Packed | None:
    """Put each share on the GPU in use with the least `room` that takes it, else on a fresh one."""
    now = list(gpus)
    places: list[list[Place]] = [[] for _ in kinds]
    for k in sorted(range(len(kinds)), key=lambda k: -_size(gpus, kinds[k])):
        one = (kinds[k],)
        for _ in range(demand[k]):
            able = [
                g
                for g, gpu in enumerate(now)
                if gpu.card.has(one[0]) and fits(gpu.card, gpu.state, one, (1,))
            ]
            if not able:
                return None
            g = min(able, key=lambda g: (now[g].is_fresh, room(now[g]), g))
            [[start]] = starts_of(now[g].card, now[g].state, one, (1,))
            places[k].append((g, start))
            now[g] = Gpu(now[g].card, taken(now[g].card, now[g].state, one[0], start))
    return _summed(gpus, places)


def _size(gpus: Sequence[Gpu], kind: Kind) -> float:
    """Return the largest part of a GPU's slices that a share takes."""
    return max(
        (sum(slices(gpu.card, kind)) / sum(gpu.card.slices) for gpu in gpus if gpu.card.has(kind)), default=0
    )
