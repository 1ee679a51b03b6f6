"""What of an intent can be given up, and what is then still asked.

A *handle* is one of the intent's own constraints by its JSON path; one path may be several limits and figures
of the `Requirements`. The shape of the workload (its type, tasks and timeout) is given and is no handle. What
follows from several constraints together (everything on the same node, one set of GPUs with all that is
asked of its links) and what nobody asked (a price that can be believed, offers that are open during the run)
stays in force and is judged for what is left. A count of GPUs gives way down to one.

Giving up one constraint can make another demand: without ``shared`` a task takes whole GPUs, without an
interconnect the shape is asked of NVLink. `loosened` therefore returns both readings, so that giving up more
never allows less.

A deadline can be dropped where it is not the length of the work itself; work then begins when it can.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from types import MappingProxyType
from typing import NamedTuple

from flare_core.placement.packing import Ask, Loads, Totals
from flare_core.requirements.lower import DEFAULT_LENGTH_S
from flare_core.requirements.types import Limit, Linking, Requirements, Share, Topic, Workload

GPU = "workload.resources.gpu"
COUNT = f"{GPU}.count"
SPOT = "constraints.preemptible"
BACKGROUND = ("", "workload.resources", GPU)
"""Paths of rules that are never given up: they follow from others."""

_TOPICS = tuple(Topic)
_OF_SETS = ("interconnect", "topology", "efficiency", "gpu-set")


class Handle(NamedTuple):
    """A constraint that can be given up; handles are ordered by precedence of topics, then path."""

    rank: int
    path: str

    @property
    def topic(self) -> Topic:
        """What it is about."""
        return _TOPICS[self.rank]


@dataclass(frozen=True, slots=True)
class Solved:
    """One intent placed alone, as cheaply as possible."""

    ask: Ask
    loads: Loads
    totals: Totals


class Unproven(Exception):
    """Neither a placement was found nor that there is none."""


Placer = Callable[[Requirements], Solved | None]
"""Places an intent alone; None where that is impossible, `Unproven` where that is not known."""


def handles(needs: Requirements) -> tuple[Handle, ...]:
    """Return what of `needs` can be given up, defaults that nobody wrote included."""
    topics = {limit.path: limit.topic for limit in needs.limits if limit.path not in BACKGROUND}
    if needs.availability is not None:
        topics["sla.availability"] = Topic.OTHER
    if needs.infiniband and needs.hard_wishes:
        topics[f"{GPU}.interconnect"] = Topic.OTHER
    if needs.spot:
        topics.pop(SPOT, None)
    if needs.gpus < 2:
        topics.pop(COUNT, None)
    return tuple(sorted(Handle(_TOPICS.index(topic), path) for path, topic in topics.items()))


def without(needs: Requirements, paths: Collection[str]) -> Requirements:
    """Return `needs` without the constraints at `paths`; a count of GPUs is lowered to one."""
    gone = frozenset(paths)
    kept = replace(needs, limits=tuple(_left(needs.limits, gone)))
    for path in sorted(gone & _FIGURES.keys()):
        kept = _FIGURES[path](kept)
    return kept


def loosened(needs: Requirements, paths: Collection[str]) -> tuple[Requirements, ...]:
    """Return every reading of `needs` in which the constraints at `paths` need not hold.

    An intent is possible without `paths` where one of the readings is. There is one, but where giving up
    a constraint demands something else instead.
    """
    gone = frozenset(paths)
    either = sorted(gone & _demanding(needs, gone))
    readings = []
    for keep in product((False, True), repeat=len(either)):
        kept = {path for path, stays in zip(either, keep, strict=True) if stays}
        readings.append(without(needs, gone - kept))
    return tuple(readings)


def _demanding(needs: Requirements, gone: frozenset[str]) -> frozenset[str]:
    """Return what stands for something stricter where it is given up."""
    shares = {f"{GPU}.shared", f"{GPU}.multi_instance"} if needs.share else set()
    shaped = needs.hard_wishes and needs.linking.topology and not {COUNT, f"{GPU}.topology"} & gone
    return frozenset({*shares, f"{GPU}.interconnect"} if shaped else shares)


def _left(limits: tuple[Limit, ...], gone: frozenset[str]) -> Iterator[Limit]:
    for limit in limits:
        if limit.path == COUNT and COUNT in gone:
            yield replace(limit, path="", asked=1)
        elif not (limit.path in gone or (COUNT in gone and limit.rule in _OF_SETS)):
            yield limit


def _one_gpu(needs: Requirements) -> Requirements:
    kept = tuple(limit for limit in needs.preferences if limit.rule not in _OF_SETS)
    return replace(needs, gpus=min(1, needs.gpus), linking=Linking(), preferences=kept)


def _on_time(needs: Requirements) -> Requirements:
    """Drop the deadline; where it was the length, the default is the length."""
    free = replace(needs, deadline=None, patient=False)
    if needs.workload is Workload.SERVICE:
        limits = tuple(limit for limit in needs.limits if limit.path != "constraints.max_total_cost")
        return replace(free, end=None, max_total_ueur=None, limits=limits)
    return free if needs.length_s else replace(free, end=needs.start + timedelta(seconds=DEFAULT_LENGTH_S))


def _share(needs: Requirements, change: Callable[[Share], Share]) -> Requirements:
    return needs if needs.share is None else replace(needs, share=change(needs.share))


def _any_network(needs: Requirements) -> Requirements:
    if not needs.hard_wishes:  # a preference stays one
        return needs
    return replace(needs, linking=replace(needs.linking, least_class=0), infiniband=False)


def _any_shape(needs: Requirements) -> Requirements:
    return replace(needs, linking=replace(needs.linking, topology="")) if needs.hard_wishes else needs


def _any_efficiency(needs: Requirements) -> Requirements:
    return replace(needs, linking=replace(needs.linking, efficiency_ppm=0))


_FIGURES: Mapping[str, Callable[[Requirements], Requirements]] = MappingProxyType(
    {
        "constraints.max_hourly_cost": lambda needs: replace(needs, max_hourly_ueur=None),
        "constraints.max_total_cost": lambda needs: replace(needs, max_total_ueur=None),
        "constraints.energy.max_carbon_footprint": lambda needs: replace(needs, max_carbon_ug=None),
        "constraints.deadline": _on_time,
        "constraints.availability": lambda needs: replace(needs, needed=None),
        SPOT: lambda needs: replace(needs, spot=True),
        "sla.availability": lambda needs: replace(needs, availability=None),
        "workload.resources.cpu": lambda needs: replace(needs, cpu_milli=None),
        "workload.resources.memory": lambda needs: replace(needs, memory_mib=None),
        "workload.storage.volumes": lambda needs: replace(needs, storage_mib=None),
        COUNT: _one_gpu,
        f"{GPU}.memory": lambda needs: _share(needs, lambda share: replace(share, memory_mib=None)),
        f"{GPU}.cores": lambda needs: _share(needs, lambda share: replace(share, cores=None)),
        f"{GPU}.fp32_tflops": lambda needs: _share(needs, lambda share: replace(share, fp32_tflops=None)),
        f"{GPU}.shared": lambda needs: replace(needs, share=None),
        f"{GPU}.multi_instance": lambda needs: replace(needs, share=None),
        f"{GPU}.interconnect": _any_network,
        f"{GPU}.topology": _any_shape,
        f"{GPU}.multi_gpu_efficiency": _any_efficiency,
    }
)
"""What else of the requirements belongs to a constraint."""
