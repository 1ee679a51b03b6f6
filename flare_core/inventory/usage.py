"""What of an offer's nodes is used already, and the groups of equal nodes that follow from it.

An offer says ``used`` (so many GPUs, cores, so much memory), or ``node_states`` (what is free, node by node),
or nothing. ``used`` fills the first nodes GPU by GPU. A node whose GPUs are partly used has given up the same
part of its cores and memory; where ``used`` says more than that, the rest is taken from the first nodes, up
to all they have. Free cores and memory are rounded down. An entry of ``node_states`` may say until when: what
it says to be used comes free then.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from flare_core.errors import found_expected
from flare_core.inventory.types import ELASTIC, UNKNOWN, IntArray, Mask, NodeGroups

MILLI = 1000
"""Thousandths in a whole GPU."""

Pairs = tuple[tuple[int, int], ...]
Instances = tuple[tuple[int, str, int], ...]


class UsageError(ValueError):
    """More is used than there is, or two statements contradict each other."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.path = path
        self.message = message


@dataclass(frozen=True, slots=True)
class NodeState:
    """What is free on one node.

    Attributes
    ----------
    node
        Number of the node, from 0.
    free_gpus
        Indices of wholly free GPUs; None is every GPU that ``milli`` and ``mig`` do not name.
    milli
        ``((gpu, free thousandths), …)`` of partly used GPUs.
    mig
        ``((gpu, profile, start), …)`` of the MIG instances in use.
    cpu_milli, memory_mib
        What is free; None is in proportion to the free GPUs (a partly used one counts its thousandths, one
        with MIG instances nothing).
    until
        When what is not free comes free, seconds since the epoch; None where nobody knows.
    """

    node: int
    free_gpus: tuple[int, ...] | None = None
    milli: Pairs = ()
    mig: Instances = ()
    cpu_milli: int | None = None
    memory_mib: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What one offer says to be used; false when nothing is. ``states`` decide where both are given."""

    gpus: int = 0
    cpu_milli: int = 0
    memory_mib: int = 0
    states: tuple[NodeState, ...] = ()

    def __bool__(self) -> bool:
        return self != Usage()


@dataclass(frozen=True, slots=True)
class NodeKind:
    """The nodes of one offer: how many, and what each has; -1 is elastic or unknown."""

    nodes: int
    gpus: int
    cpu_milli: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class _Free:
    """What is free on one node. Equal nodes make a group."""

    gpus: tuple[int, ...]
    milli: Pairs
    mig: Instances
    cpu_milli: int
    memory_mib: int
    until: int | None = None


@dataclass(frozen=True, slots=True)
class _Details:
    """What the columns of `NodeGroups` cannot say, by group."""

    nodes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    gpus: dict[int, tuple[int, ...]] = field(default_factory=dict)
    milli: dict[int, Mapping[int, int]] = field(default_factory=dict)
    mig: dict[int, Instances] = field(default_factory=dict)
    until: dict[int, int] = field(default_factory=dict)

    def note(self, group: int, free: _Free, nodes: tuple[int, ...], gpus: int) -> None:
        if nodes != tuple(range(len(nodes))):
            self.nodes[group] = nodes
        if len(free.gpus) < gpus:
            self.gpus[group] = free.gpus
        if free.milli:
            self.milli[group] = dict(free.milli)
        if free.mig:
            self.mig[group] = free.mig
        if free.until is not None:
            self.until[group] = free.until


def check_usage(usage: Usage, kind: NodeKind) -> None:
    """Check that an offer's nodes can be used as it says.

    Raises
    ------
    UsageError
        If they cannot; its path is the offer's: ``used.gpus``, ``node_states.0.cpu``.
    """
    _used_nodes(usage, kind)


def node_groups(
    nodes: IntArray, gpus: IntArray, cpu_milli: IntArray, memory_mib: IntArray, usage: Mapping[int, Usage]
) -> NodeGroups:
    """Group the equal nodes of every offer.

    Parameters
    ----------
    nodes, gpus, cpu_milli, memory_mib
        What the offers say, shape (offers,).
    usage
        What is used, by row; rows without are wholly free. Every entry has passed `check_usage`.
    """
    columns = (nodes, gpus, cpu_milli, memory_mib)
    kinds = {row: NodeKind(*(int(column[row]) for column in columns)) for row in sorted(usage)}
    states = {row: _by_state(usage[row], kind) for row, kind in kinds.items()}
    size = np.ones(len(nodes), np.int64)
    for row, groups in states.items():
        size[row] = len(groups)
    first = np.cumsum(size) - size
    offer = np.repeat(np.arange(len(size), dtype=np.int64), size)
    count, free_gpus, free_cpu, free_memory = (np.repeat(column, size) for column in columns)
    fresh: Mask = np.ones(len(offer), np.bool_)
    details = _Details()
    for row, groups in states.items():
        for g, (free, members) in enumerate(groups.items(), int(first[row])):
            fresh[g] = free == _fresh(kinds[row])
            count[g], free_gpus[g] = len(members), len(free.gpus)
            free_cpu[g], free_memory[g] = free.cpu_milli, free.memory_mib
            details.note(g, free, tuple(members), kinds[row].gpus)
    arrays = (offer, count, free_gpus, free_cpu, free_memory)
    for array in (*arrays, fresh):
        array.setflags(write=False)
    return NodeGroups(*arrays, fresh, details.nodes, details.gpus, details.milli, details.mig, details.until)


def _by_state(usage: Usage, kind: NodeKind) -> dict[_Free, list[int]]:
    """Return the nodes of an offer by what is free on them, ordered by first node."""
    used, fresh = _used_nodes(usage, kind), _fresh(kind)
    members: dict[_Free, list[int]] = {}
    for node in range(kind.nodes):
        members.setdefault(used.get(node, fresh), []).append(node)
    return members


def _fresh(kind: NodeKind) -> _Free:
    return _Free(tuple(range(kind.gpus)), (), (), kind.cpu_milli, kind.memory_mib)


def _used_nodes(usage: Usage, kind: NodeKind) -> dict[int, _Free]:
    """Return what is free on the nodes that an offer speaks of."""
    if kind.nodes == ELASTIC:
        path = "node_states" if usage.states else "used"
        raise UsageError(path, "found use of an elastic offer, expected a number of `nodes` to be used")
    if not usage.states:
        return _filled(usage, kind)
    states: dict[int, _Free] = {}
    for i, state in enumerate(usage.states):
        if state.node in states or not 0 <= state.node < kind.nodes:
            expected = f"each node below {kind.nodes} at most once"
            raise UsageError(f"node_states.{i}.node", found_expected(state.node, expected))
        free = _stated(state, kind, f"node_states.{i}")
        # Where nothing is used, nothing comes free.
        states[state.node] = free if replace(free, until=None) != _fresh(kind) else _fresh(kind)
    _agree(usage.gpus, kind.gpus, states.values())
    return states


def _filled(usage: Usage, kind: NodeKind) -> dict[int, _Free]:
    """Fill the first nodes GPU by GPU."""
    total = kind.nodes * kind.gpus
    if usage.gpus > total:
        raise UsageError("used.gpus", found_expected(usage.gpus, f"at most the {total} there are"))
    gpus = [min(kind.gpus, max(0, usage.gpus - node * kind.gpus)) for node in range(kind.nodes)]
    cpu = _left(kind.cpu_milli, gpus, kind.gpus, usage.cpu_milli, "used.cpu")
    memory = _left(kind.memory_mib, gpus, kind.gpus, usage.memory_mib, "used.memory")
    return {
        node: _Free(tuple(range(taken, kind.gpus)), (), (), cpu[node], memory[node])
        for node, taken in enumerate(gpus)
    }


def _left(each: int, taken_gpus: Sequence[int], gpus: int, stated: int, path: str) -> list[int]:
    """Return what each node has left: its part for the free GPUs, less what is stated beyond that."""
    if each == UNKNOWN:
        return [UNKNOWN] * len(taken_gpus)
    left = [each * (gpus - taken) // gpus if gpus else each for taken in taken_gpus]
    rest = max(0, stated - (each * len(left) - sum(left)))
    for node, free in enumerate(left):
        more = min(rest, free)
        left[node], rest = free - more, rest - more
    if rest:
        raise UsageError(path, "found more in use than the nodes have, expected at most that")
    return left


def _stated(state: NodeState, kind: NodeKind, path: str) -> _Free:
    """Return what one entry of ``node_states`` leaves free."""
    partly, divided = dict(state.milli), {gpu for gpu, _, _ in state.mig}
    named = partly.keys() | divided
    free = state.free_gpus
    if free is None:
        free = tuple(gpu for gpu in range(kind.gpus) if gpu not in named)
    _check_gpus(free, partly, divided, kind.gpus, path)
    whole = tuple(sorted({*free, *(gpu for gpu, milli in state.milli if milli == MILLI)}))
    milli = tuple(sorted((gpu, milli) for gpu, milli in state.milli if 0 < milli < MILLI))
    part = (MILLI * len(whole) + sum(m for _, m in milli), MILLI * kind.gpus) if kind.gpus else (1, 1)
    cpu = _part(state.cpu_milli, kind.cpu_milli, part, f"{path}.cpu")
    memory = _part(state.memory_mib, kind.memory_mib, part, f"{path}.memory")
    return _Free(whole, milli, tuple(sorted(state.mig)), cpu, memory, state.until)


def _check_gpus(
    free: tuple[int, ...], partly: Mapping[int, int], divided: set[int], gpus: int, path: str
) -> None:
    """Check that every GPU exists and is spoken of in one way."""
    named = [*free, *partly, *divided]
    if any(not 0 <= gpu < gpus for gpu in named):
        raise UsageError(path, found_expected(max(named), f"GPU indices below the node's {gpus}"))
    if len(set(named)) < len(named):
        raise UsageError(path, "found a GPU named twice, expected it in one of free_gpus, gpu_milli and mig")
    if any(not 0 <= milli <= MILLI for milli in partly.values()):
        raise UsageError(
            f"{path}.gpu_milli", "found a share out of range, expected free thousandths, 0 to 1000"
        )


def _part(stated: int | None, each: int, part: tuple[int, int], path: str) -> int:
    """Return what is stated to be free, else the part that goes with the free GPUs."""
    if stated is None:
        return UNKNOWN if each == UNKNOWN else each * part[0] // part[1]
    if each != UNKNOWN and stated > each:
        raise UsageError(path, "found more free than the node has, expected at most that")
    return stated


def _agree(stated: int, gpus: int, states: Iterable[_Free]) -> None:
    """Check ``used.gpus`` against ``node_states``: partly used GPUs may be counted or not."""
    nodes = list(states)
    touched = sum(gpus - len(free.gpus) for free in nodes)
    partly = sum(len(free.milli) + len({gpu for gpu, _, _ in free.mig}) for free in nodes)
    if stated and not touched - partly <= stated <= touched:
        expected = f"{touched}, as node_states say, or no used.gpus beside them"
        raise UsageError("used.gpus", found_expected(stated, expected))
