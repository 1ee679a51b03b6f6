"""Which tasks run on which virtual node, and what they ask of it.

Each virtual node that was bought for an order gets objects of its own, a `Group`: a pod is bound to the very
node it was planned on, and a volume of Liqo can be mounted from that node only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from flare_core.adapters.fluidos import names
from flare_core.quantities import format_cpu, format_memory, parse_moment

if TYPE_CHECKING:
    from flare_core.intent.types import Intent

_GPU_RESOURCES: Final = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu", "intel": "gpu.intel.com/i915"}
"""What pods ask the vendors' device plugins for."""


class Ordered(names.Ordered, Protocol):
    """An order, as far as a deployment reads it; `flare_core.adapters.gateway.backend.Order` is one."""

    @property
    def intent(self) -> "Intent": ...
    @property
    def placement(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Group:
    """Tasks of one order on one virtual node.

    Attributes
    ----------
    number
        Position among the groups of the order.
    node
        Name of the virtual node; empty where it was not bought yet.
    node_key
        The node of the plan, see `names.node_key`.
    tasks
        How many tasks.
    at_once
        How many of them run at any moment, at most.
    gpu
        GPU resource and units of one task; None without.
    length_s
        From the first task's start to the last one's end, seconds; None is without end.
    """

    number: int
    node: str
    node_key: str
    tasks: int
    at_once: int
    gpu: tuple[str, int] | None
    length_s: int | None


def groups(
    order: Ordered, nodes: Mapping[str, str] | None = None, slots: Mapping[str, int] | None = None
) -> tuple[Group, ...]:
    """Return the groups of an order, by the number of their first task.

    Parameters
    ----------
    nodes
        Names of virtual nodes by `names.node_key`.
    slots
        Slots of one GPU by offer, where an offer shares its GPUs by time-slicing or MPS: a device plugin
        counts slots.

    Raises
    ------
    KeyError
        If `nodes` lacks a node of the plan.
    """
    seats: dict[tuple[str, tuple[str, int] | None], list[Mapping[str, Any]]] = {}
    for seat in sorted(order.placement["assignments"], key=lambda seat: int(seat["task"])):
        key = names.node_key(seat["offer"], seat["node"])
        seats.setdefault((key, gpu_of(seat, slots or {})), []).append(seat)
    return tuple(
        Group(
            number=number,
            node="" if nodes is None else nodes[key],
            node_key=key,
            tasks=len(own),
            at_once=_at_once(own),
            gpu=gpu,
            length_s=_length_s(own),
        )
        for number, ((key, gpu), own) in enumerate(seats.items())
    )


def gpu_of(seat: Mapping[str, Any], slots: Mapping[str, int]) -> tuple[str, int] | None:
    """Return the resource and the units that one task asks for.

    A MIG instance is a resource of its own, in NVIDIA's "mixed" strategy; of a GPU that is shared in slots
    one unit is one slot, and a whole such GPU all of its slots.
    """
    count = len(seat["gpus"])
    if not count:
        return None
    if seat["mig_profile"] is not None:
        return f"nvidia.com/mig-{seat['mig_profile'].replace('+', '.')}", count
    vendor = str(seat["gpu_model"]).partition("-")[0]
    resource = _GPU_RESOURCES.get(vendor, f"{vendor}.com/gpu")
    of_one = slots.get(seat["offer"], 1)
    if seat["gpu_milli"] is not None:
        of_one = max(1, round(seat["gpu_milli"] * of_one / 1000))
    return resource, of_one * count


def task_resources(order: Ordered, group: Group) -> dict[str, str]:
    """Return what one task asks for, by resource; requests and limits are the same."""
    wanted = order.intent.workload.resources
    temporary = sum(v.size for v in order.intent.workload.storage.volumes if v.type == "temporary")
    asked: dict[str, str] = {}
    if wanted.cpu:
        asked["cpu"] = format_cpu(wanted.cpu)
    if wanted.memory:
        asked["memory"] = format_memory(wanted.memory)
    if temporary:
        asked["ephemeral-storage"] = format_memory(temporary)
    if group.gpu is not None:
        asked[group.gpu[0]] = str(group.gpu[1])
    return asked


def demand(order: Ordered, *, slots: Mapping[str, int] | None = None) -> dict[str, dict[str, str]]:
    """Return what has to be bought: by node of the plan, what its tasks ask for at any one time.

    ``storage`` is what persistent volumes take, which stay when their task has ended.
    """
    wanted = order.intent.workload
    temporary = sum(v.size for v in wanted.storage.volumes if v.type == "temporary")
    lasting = sum(v.size for v in wanted.storage.volumes if v.type == "persistent")
    totals: dict[str, dict[str, int]] = {}
    for group in groups(order, slots=slots):
        total = totals.setdefault(group.node_key, {})
        for name, amount in (
            ("cpu", (wanted.resources.cpu or 0) * group.at_once),
            ("memory", (wanted.resources.memory or 0) * group.at_once),
            ("pods", group.at_once),
            ("ephemeral-storage", temporary * group.at_once),
            ("storage", lasting * group.tasks),
            *([(group.gpu[0], group.gpu[1] * group.at_once)] if group.gpu else []),
        ):
            total[name] = total.get(name, 0) + amount
    return {key: _written(total) for key, total in totals.items()}


def _written(total: Mapping[str, int]) -> dict[str, str]:
    write: dict[str, Callable[[int], str]] = {"cpu": format_cpu}
    write |= dict.fromkeys(("memory", "ephemeral-storage", "storage"), format_memory)
    return {name: write.get(name, str)(amount) for name, amount in total.items() if amount}


def _at_once(seats: Sequence[Mapping[str, Any]]) -> int:
    """Return how many run at the same time, at most: an end comes before a start at the same moment."""
    changes: list[tuple[float, int]] = []
    for seat in seats:
        changes.append((parse_moment(seat["start_time"]).timestamp(), 1))
        if seat["end_time"] is not None:
            changes.append((parse_moment(seat["end_time"]).timestamp(), -1))
    running = most = 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


def _length_s(seats: Sequence[Mapping[str, Any]]) -> int | None:
    ends = [seat["end_time"] for seat in seats]
    if None in ends:
        return None
    start = min(parse_moment(seat["start_time"]) for seat in seats)
    return max(1, round((max(parse_moment(end) for end in ends) - start).total_seconds()))
