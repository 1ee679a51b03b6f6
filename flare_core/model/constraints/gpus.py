"""GPUs of nodes that stand one by one: shares fit onto GPUs, and tasks that want certain sets find them.

Shares are placed by *patterns*: a pattern is how many shares of each kind one GPU takes at once beside what
is in use there (with the start slots that MIG's placement table allows, see `sharing.states.patterns`), and
only maximal ones are needed. With ``y[v, q, P]`` GPUs in state ``q`` that take pattern ``P``, and ``k[i]``
shares of a task::

    sum over i with kind s of k[i] * at[i, g, v]  <=  sum over q, P of P[s] * y[v, q, P]
    sum over P of y[v, q, P]  <=  GPUs in state q
    sum over P of y[v, fresh, P] + whole GPUs taken  <=  wholly free GPUs

Which numbers of tasks find disjoint sets of linked GPUs is a property of the node alone: the minimal numbers
that do not are listed and each excluded by a clause. What is left (shares of one task on different GPUs) is
checked on each answer and excluded by the same kind of clause.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import Self

from flare_core.candidates.inside import partly_free
from flare_core.model.draft import Draft, Var
from flare_core.placement.ledger import Ledger
from flare_core.placement.nodes import Guest, free_set, gpus_hold
from flare_core.placement.packing import Packing, Problem
from flare_core.sharing.states import fresh, patterns
from flare_core.sharing.types import Card, Kind, State
from flare_core.topology.charts import Claim, can_seat

MOST_VECTORS = 4096
"""Numbers of tasks on a node that are tried beforehand; beyond, answers are checked one by one."""


Crowd = list[tuple[Guest, Var]]
"""Who is on a node, and the variable that counts his tasks there."""


@dataclass(frozen=True, slots=True)
class Gpus:
    """Everyone on a node gets the GPUs, or the parts of GPUs, that he is to have."""

    path = ""
    unit = "GPU"

    @classmethod
    def read(cls, problem: Problem) -> Iterator[Self]:
        """Yield the rule where tasks of several intents, or of several grades, meet on GPUs."""
        if problem.several or any(ask.found.sets for ask in problem.asks):
            yield cls()

    def post(self, draft: Draft) -> None:
        """State it to the solver."""
        for group in sorted(draft.contested):
            for v in range(draft.shared[group]):
                crowd = [(guest, draft.at[i, g, v]) for guest, (i, g) in _guests(draft, group)]
                self.post_crowd(draft, group, crowd)

    def post_crowd(self, draft: Draft, group: int, crowd: Crowd) -> None:
        """State to the solver that a node's GPUs hold so many tasks of each guest."""
        self._post_shares(draft, group, crowd)
        self._post_sets(draft, group, crowd)

    def _post_shares(self, draft: Draft, group: int, crowd: Crowd) -> None:
        inventory = draft.problem.inventory
        cut = next((guest.cut for guest, _ in crowd if guest.cut is not None), None)
        if cut is None:
            return
        draft.loose |= any(want.apart and want.gpus > 1 for guest, _ in crowd if (want := guest.want))
        wanted: dict[Kind, list[tuple[Var, int]]] = {}
        for guest, at in crowd:
            if guest.cut is not None:
                wanted.setdefault(guest.cut.share, []).append((at, guest.ask.needs.gpus))
        most = {kind: draft.total(pairs).most for kind, pairs in sorted(wanted.items(), key=str)}
        room: dict[Kind, list[tuple[Var, int]]] = {kind: [] for kind in most}
        states = Counter(partly_free(inventory, group, cut.card).values())
        states[fresh(cut.card)] += max(0, int(inventory.groups.free_gpus[group]))
        for state, number in states.items():
            taken = self._post_state(draft, (cut.card, state, number), most, room)
            if state == fresh(cut.card):
                whole = [(at, guest.ask.needs.gpus) for guest, at in crowd if guest.cut is None]
                draft.at_most(self, draft.total([*whole, *((var, 1) for var in taken)]), number)
        for kind, pairs in wanted.items():
            had = [(var, -count) for var, count in room[kind]]
            draft.at_most(self, draft.total([*pairs, *had]), 0)

    def _post_state(
        self,
        draft: Draft,
        gpus: tuple[Card, State, int],
        most: dict[Kind, int],
        room: dict[Kind, list[tuple[Var, int]]],
    ) -> list[Var]:
        """Return how many GPUs in one state take each pattern, and add to `room` what they hold."""
        card, state, number = gpus
        kinds = tuple(room)
        chosen: list[Var] = []
        for pattern in patterns(card, state, kinds, tuple(most.values())) if number else ():
            if any(pattern):
                var = draft.count(number, f"pattern[{state},{pattern}]")
                chosen.append(var)
                for kind, count in zip(kinds, pattern, strict=True):
                    if count:
                        room[kind].append((var, count))
        draft.at_most(self, draft.total((var, 1) for var in chosen), number)
        return chosen

    def _post_sets(self, draft: Draft, group: int, crowd: Crowd) -> None:
        """Exclude the numbers of tasks that find no disjoint sets."""
        choosing = [(guest, at) for guest, at in crowd if guest.sets]
        most = tuple(draft.bounds[at.index][1] for _, at in choosing)
        if len(choosing) < 2 and not any(guest.any_grade for guest, _ in choosing):
            return
        claims = tuple(Claim(guest.ask.needs.gpus, 0, guest.sets) for guest, _ in choosing)
        draft.loose |= prod(tasks + 1 for tasks in most) > MOST_VECTORS
        for vector in _least_unseated(free_set(draft.problem.inventory, group), claims, most):
            ways_out = [
                draft.fewer(at, tasks) for (_, at), tasks in zip(choosing, vector, strict=True) if tasks
            ]
            draft.lines.setdefault(self, []).append(draft.model.add_bool_or(ways_out))

    def _forbid(self, draft: Draft, group: int, at: dict[tuple[int, int], int]) -> None:
        """Exclude on every node of a group that all of `at` lie there, each at least so often."""
        for v in range(draft.shared[group]):
            ways_out = [draft.fewer(draft.at[i, g, v], tasks) for (i, g), tasks in at.items()]
            draft.lines.setdefault(self, []).append(draft.model.add_bool_or(ways_out))

    def cut(self, draft: Draft, packing: Packing) -> bool:
        """Exclude what the GPUs of a node do not hold; return whether there was such a node."""
        ledger = Ledger.of(draft.problem, packing)
        found = False
        for (group, _), guests in ledger.guests.items():
            if group in draft.contested and not gpus_hold(draft.problem.inventory, group, guests.values()):
                self._forbid(draft, group, {user: guest.tasks for user, guest in guests.items()})
                found = True
        return found

    def audit(self, problem: Problem, packing: Packing) -> Iterator[str]:
        """Yield the nodes whose GPUs do not hold their tasks."""
        for (group, v), guests in Ledger.of(problem, packing).guests.items():
            if not gpus_hold(problem.inventory, group, guests.values()):
                yield f"the GPUs of node {v} of group {group} do not hold the tasks there"


def _guests(draft: Draft, group: int) -> list[tuple[Guest, tuple[int, int]]]:
    """Return the users of a group as guests of a node, and their numbers."""
    users = [user for user in draft.users[group] if draft.problem.asks[user[0]].needs.gpus]
    return [(Guest(draft.problem.asks[i], g, 1), (i, g)) for i, g in users]


@lru_cache(maxsize=4096)
def _least_unseated(
    free: int, claims: tuple[Claim, ...], most: tuple[int, ...]
) -> tuple[tuple[int, ...], ...]:
    """Return the minimal numbers of tasks that find no disjoint sets; none where too many to try."""
    if prod(tasks + 1 for tasks in most) > MOST_VECTORS:
        return ()
    found: list[tuple[int, ...]] = []
    vectors = product(*(range(tasks + 1) for tasks in most))
    for vector in sorted(vectors, key=lambda v: (sum(v), v)):
        if any(all(a >= b for a, b in zip(vector, known, strict=True)) for known in found):
            continue
        asked = tuple(
            claim._replace(tasks=tasks) for claim, tasks in zip(claims, vector, strict=True) if tasks
        )
        if asked and not can_seat(free, asked):
            found.append(vector)
    return tuple(found)
