"""Which GPUs the tasks on one node get.

Tasks with whole GPUs first: of the ways to seat them, the one that leaves the free GPUs best connected, then
the one with the smallest numbers. Shares next, on as few GPUs as they need (see `sharing.nodes.arrange`).
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, islice

from flare_core.candidates.inside import linked, partly_free
from flare_core.errors import InternalError
from flare_core.inventory.kinds import read_kind
from flare_core.inventory.types import Inventory
from flare_core.placement.nodes import Guest, free_set
from flare_core.sharing.nodes import arrange
from flare_core.sharing.states import fresh
from flare_core.topology.charts import Claim, choices
from flare_core.topology.graph import LinkGraph
from flare_core.topology.rate import tree_rate

MOST_FAMILIES = 5_000
"""Ways to seat the tasks of a node that are compared for what they leave."""

Gpus = tuple[int, ...]


def seat(inventory: Inventory, group: int, guests: Sequence[Guest]) -> list[tuple[Gpus, ...]]:
    """Return the GPUs of each task of each guest; a guest's tasks ascend by their GPUs.

    Raises
    ------
    InternalError
        Where they do not fit, which `placement.nodes.gpus_hold` tells beforehand.
    """
    result: list[tuple[Gpus, ...]] = [((),) * guest.tasks for guest in guests]
    free = free_set(inventory, group)
    whole = [at for at, guest in enumerate(guests) if guest.ask.needs.gpus and guest.cut is None]
    claims = [Claim(guests[at].ask.needs.gpus, guests[at].tasks, guests[at].sets) for at in whole]
    text = inventory.label["gpu_kind"][int(inventory.groups.offer[group])]
    if claims and text is not None:
        chosen = _whole(linked(read_kind(text)), free, claims)
        for at, sets in zip(whole, chosen, strict=True):
            result[at] = tuple(sorted(_gpus(mask) for mask in sets))
            free &= ~sum(sets)
    for at, shares in _shares(inventory, group, guests, free):
        result[at] = tuple(sorted(shares))
    return result


def _gpus(mask: int) -> Gpus:
    return tuple(i for i in range(mask.bit_length()) if mask >> i & 1)


def _whole(graph: LinkGraph, free: int, claims: Sequence[Claim]) -> list[tuple[int, ...]]:
    """Return disjoint sets for the tasks of each claim."""
    if graph.ports:
        return _lowest(free, claims)
    ways = islice(_families(free, claims), MOST_FAMILIES)
    best = min(
        ways,
        key=lambda family: (
            -_connected(graph, free & ~sum(sum(own) for own in family)),
            [[_gpus(mask) for mask in own] for own in family],
        ),
        default=None,
    )
    if best is None:
        raise InternalError("the tasks on a node do not find the GPUs that they want")
    return best


def _connected(graph: LinkGraph, left: int) -> float:
    return tree_rate(graph, left) if left.bit_count() > 1 else 0.0


def _lowest(free: int, claims: Sequence[Claim]) -> list[tuple[int, ...]]:
    numbers = iter(_gpus(free))
    return [
        tuple(sum(1 << gpu for gpu in islice(numbers, claim.k)) for _ in range(claim.tasks))
        for claim in claims
    ]


def _families(free: int, claims: Sequence[Claim]) -> Iterator[list[tuple[int, ...]]]:
    """Yield the ways to seat all claims; those that name their sets choose first."""
    order = sorted(range(len(claims)), key=lambda at: (not claims[at].sets, at))
    for family in _seated(free, [claims[at] for at in order]):
        by_claim = dict(zip(order, family, strict=True))
        yield [by_claim[at] for at in range(len(claims))]


def _seated(free: int, claims: Sequence[Claim]) -> Iterator[list[tuple[int, ...]]]:
    if not claims:
        yield []
        return
    first = claims[0]
    sets = first.sets or tuple(
        sorted(sum(1 << gpu for gpu in some) for some in combinations(_gpus(free), first.k))
    )
    for own, left in choices(free, sets, first.tasks):
        for others in _seated(left, claims[1:]):
            yield [own, *others]


def _shares(
    inventory: Inventory, group: int, guests: Sequence[Guest], free: int
) -> Iterator[tuple[int, list[Gpus]]]:
    """Yield (guest, GPUs of each of its tasks) for those that take shares."""
    sharing = [(at, want) for at, guest in enumerate(guests) if (want := guest.want) is not None]
    cut = next((guest.cut for guest in guests if guest.cut is not None), None)
    if cut is None:
        return
    states = partly_free(inventory, group, cut.card) | {gpu: fresh(cut.card) for gpu in _gpus(free)}
    found = arrange(cut.card, dict(sorted(states.items())), tuple(want for _, want in sharing))
    if found is None:
        raise InternalError("the shares on a node do not fit")
    for (at, _), tasks in zip(sharing, found, strict=True):
        yield at, [tuple(sorted(gpu for gpu, _ in places)) for places in tasks]
