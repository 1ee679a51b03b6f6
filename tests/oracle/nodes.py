"""One node by exhaustion: every way to seat tasks on its GPUs, whole ones and shares."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Any, NamedTuple

from flare_core import quantities as q
from tests.oracle.cards import Instances, Share, profile_table, sharing, takes

Json = Mapping[str, Any]
Seat = tuple[int, ...]
"""The GPUs of one task, ascending; one twice where two instances lie on it."""
Seats = tuple[tuple[Seat, ...], ...]
"""The seats of each want."""


class Inside(NamedTuple):
    """What of a node's GPUs is free: whole ones, thousandths of others, and the instances there."""

    free: tuple[int, ...]
    milli: tuple[tuple[int, int], ...] = ()
    mig: tuple[tuple[int, str, int], ...] = ()


@dataclass(frozen=True)
class Want:
    """What one task takes: so many GPUs, whole or a share of each, on different ones or not."""

    gpus: int
    share: Share | None = None
    apart: bool = True


class Node:
    """The GPUs of one node of an offer."""

    def __init__(self, offer: Json, inside: Inside) -> None:
        self.mode = sharing(offer)
        self.free = frozenset(inside.free)
        self.slots: dict[int, int] = {}
        self.there: dict[int, Instances] = {}
        self.whole = 0
        gpu = offer["gpu"] or {}
        if self.mode == "slots":
            self.whole = gpu["sharing_slots"]
            self.slots = {g: milli * self.whole // 1000 for g, milli in inside.milli}
        elif self.mode == "mig":
            memory = None if (m := gpu.get("memory")) is None else q.parse_memory_mib(m, q.Rounding.DOWN)
            self.table = profile_table(gpu["model"], memory)
            for g, profile, start in inside.mig:
                self.there[g] = (*self.there.get(g, ()), (profile, start))
        self.partial = frozenset(self.slots) | frozenset(self.there)
        self.free_milli = 1000 * len(inside.free) + self._partial_milli()

    def _partial_milli(self) -> int:
        if self.mode == "slots":
            return sum(1000 * slots // self.whole for slots in self.slots.values())
        if self.mode == "mig":
            compute = max((p.compute_slices for p in self.table.values()), default=1)
            used = [sum(self.table[p].compute_slices for p, _ in there) for there in self.there.values()]
            return sum(1000 * (compute - u) // compute for u in used)
        return 0  # where no parts are sold, what is left of a GPU serves nobody

    def seatings(
        self, wants: Sequence[tuple[Want, int]], allowed: Callable[[int, Seat], bool]
    ) -> Iterator[Seats]:
        """Yield every way to seat so many tasks of each want; tasks of one want are alike."""
        yield from self._next(wants, allowed, frozenset(), {})

    def _next(
        self,
        wants: Sequence[tuple[Want, int]],
        allowed: Callable[[int, Seat], bool],
        whole: frozenset[int],
        held: Mapping[int, tuple[Share, ...]],
        done: Seats = (),
    ) -> Iterator[Seats]:
        if len(done) == len(wants):
            yield done
            return
        want, tasks = wants[len(done)]
        for seats, now_whole, now_held in self._tasks(
            want, tasks, lambda seat: allowed(len(done), seat), whole, held, ()
        ):
            yield from self._next(wants, allowed, now_whole, now_held, (*done, seats))

    def _tasks(
        self,
        want: Want,
        tasks: int,
        allowed: Callable[[Seat], bool],
        whole: frozenset[int],
        held: Mapping[int, tuple[Share, ...]],
        seats: tuple[Seat, ...],
    ) -> Iterator[tuple[tuple[Seat, ...], frozenset[int], Mapping[int, tuple[Share, ...]]]]:
        if len(seats) == tasks:
            yield seats, whole, held
            return
        for seat in self._seats(want, whole, held):
            if (seats and seat < seats[-1]) or not allowed(seat):
                continue
            if want.share is None:
                yield from self._tasks(want, tasks, allowed, whole | set(seat), held, (*seats, seat))
                continue
            more = dict(held)
            for gpu in seat:
                more[gpu] = (*more.get(gpu, ()), want.share)
            if all(self._takes(gpu, more[gpu]) for gpu in seat):
                yield from self._tasks(want, tasks, allowed, whole, more, (*seats, seat))

    def _seats(
        self, want: Want, whole: frozenset[int], held: Mapping[int, tuple[Share, ...]]
    ) -> Iterator[Seat]:
        if want.share is None:
            yield from combinations(sorted(self.free - whole - held.keys()), want.gpus)
            return
        open_to = sorted((self.free - whole) | self.partial)
        yield from (combinations if want.apart else combinations_with_replacement)(open_to, want.gpus)

    def _takes(self, gpu: int, shares: tuple[Share, ...]) -> bool:
        if self.mode == "slots":
            return sum(s.taken for s in shares) <= self.slots.get(gpu, self.whole)
        return takes(self.table, self.there.get(gpu, ()), tuple(s.profile or "" for s in shares))
