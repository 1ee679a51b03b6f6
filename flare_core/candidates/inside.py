"""What tasks of one intent could take of the GPUs of each node: whole ones and which, or which parts.

Asked once for each kind of GPU (`inventory.kinds`) and each set of free GPUs, not for each offer.
"""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from flare_core.candidates.pricing import WHOLE, Parts
from flare_core.inventory.kinds import GpuKind, read_kind
from flare_core.inventory.types import IntArray, Inventory, Mask
from flare_core.requirements.types import Requirements, Share
from flare_core.sharing.cards import card_of, fraction, smallest
from flare_core.sharing.nodes import tasks_on
from flare_core.sharing.states import fresh, state_of
from flare_core.sharing.types import Card, Kind, State
from flare_core.topology.charts import Chart, Wish, chart
from flare_core.topology.graph import LinkGraph, graph_of


class Cut(NamedTuple):
    """A share of a kind of GPU: `share` of `card`, which is `part` of `whole` of the GPU."""

    card: Card
    share: Kind
    part: int
    whole: int


@lru_cache(maxsize=4096)
def cut_of(kind: GpuKind, share: Share | None) -> Cut | None:
    """Return the share that a task takes of a GPU of this kind; None for whole ones, or nothing."""
    card = card_of(kind.gpu_model, kind.gpu_memory_mib, kind.strategy, kind.sharing_slots)
    if share is None or card is None or (share.instances and card.slots):
        return None
    least = smallest(
        card,
        share.memory_mib,
        share.cores,
        share.fp32_tflops,
        kind.gpu_memory_mib,
        kind.gpu_cores,
        kind.fp32_tflops,
    )
    return None if least is None else Cut(card, least, *fraction(card, least))


@lru_cache(maxsize=4096)
def is_shared(kind: GpuKind) -> bool:
    """Whether tasks that may share get a part of a GPU here, rather than whole ones."""
    slots = kind.sharing_slots or 0
    return kind.strategy == "mig" or (kind.strategy in ("time-slicing", "mps") and slots > 1)


@lru_cache(maxsize=65_536)
def linked(kind: GpuKind, *, flat: bool = False) -> LinkGraph:
    """Return how the GPUs of a node are linked; `flat`: by the label of the interconnect alone."""
    return graph_of(
        model=None if flat else kind.gpu_model,
        memory_mib=None if flat else kind.gpu_memory_mib,
        gpus=max(kind.gpu_count, 1),
        interconnect=kind.interconnect,
        interconnect_gbps=kind.interconnect_gbps,
        topology=None if flat else kind.topology,
        links=None if flat else kind.links,
    )


@dataclass(eq=False)
class Inside:
    """One intent's look into the nodes of an inventory."""

    inventory: Inventory
    needs: Requirements
    _charts: dict[tuple[int, int], Chart] = field(default_factory=dict)

    @cached_property
    def kinds(self) -> tuple[GpuKind, ...]:
        """The kinds of GPUs, by the codes of the label."""
        return tuple(map(read_kind, self.inventory.label["gpu_kind"].values))

    @cached_property
    def cuts(self) -> tuple[Cut | None, ...]:
        """The share that a task takes, by kind; None where it takes whole GPUs or nothing."""
        return tuple(cut_of(kind, self.needs.share) for kind in self.kinds)

    @property
    def wish(self) -> Wish:
        """What is asked of the GPUs of one task among each other."""
        linking = self.needs.linking
        return Wish(
            self.needs.gpus,
            linking.least_class,
            linking.topology,
            linking.efficiency_ppm,
            self.needs.hard_wishes,
        )

    @cached_property
    def cuts_some(self) -> bool:
        """Whether a task takes a share of any kind."""
        return any(cut is not None for cut in self.cuts)

    def codes(self, offers: IntArray) -> IntArray:
        """Return the codes of the kinds of some offers; -1 without GPUs."""
        return self.inventory.label["gpu_kind"].codes[offers].astype(np.int64)

    def parts(self, offers: IntArray) -> Parts:
        """Return what part of its GPUs a task takes on some offers."""
        if not self.cuts_some:
            return WHOLE
        table = [(1, 1) if cut is None else (cut.part, cut.whole) for cut in self.cuts]
        parts = np.array([*table, (1, 1)], np.int64)[self.codes(offers)]
        return Parts(parts[:, 0], parts[:, 1])

    def cut(self, offers: IntArray) -> IntArray:
        """Return the codes of the kinds that are cut for the task; -1 where it takes whole GPUs."""
        is_cut = np.array([*(cut is not None for cut in self.cuts), False])
        codes = self.codes(offers)
        return np.where(is_cut[codes], codes, -1)

    @cached_property
    def unshared(self) -> Mask:
        """The offers on which no task of the intent can be: it asks for a share that they do not have."""
        asked = self.needs.share
        assert asked is not None
        lacking = [
            cut is None and (asked.instances or is_shared(kind))
            for kind, cut in zip(self.kinds, self.cuts, strict=True)
        ]
        return np.array([*lacking, asked.instances], np.bool_)[self.inventory.label["gpu_kind"].codes]

    @cached_property
    def tasks(self) -> IntArray:
        """How many tasks the GPUs of each node group hold by number alone, shape (groups,)."""
        groups, needs = self.inventory.groups, self.needs
        whole: IntArray = np.maximum(groups.free_gpus, 0) // needs.gpus
        if not self.cuts_some:
            return whole
        codes = self.codes(groups.offer)
        for code, cut in enumerate(self.cuts):
            if cut is None:
                continue
            mine = np.flatnonzero(codes == code)
            free, inverse = np.unique(groups.free_gpus[mine], return_inverse=True)
            held = [self._held(cut, (fresh(cut.card),) * int(number)) for number in free.tolist()]
            whole[mine] = np.array(held, np.int64)[inverse]
        for group in sorted({*groups.milli, *groups.mig}):
            cut = self.cuts[int(codes[group])] if codes[group] >= 0 else None
            if cut is not None:
                states = (fresh(cut.card),) * int(groups.free_gpus[group])
                partial = tuple(partly_free(self.inventory, group, cut.card).values())
                whole[group] = self._held(cut, states + partial)
        return whole

    def _held(self, cut: Cut, states: tuple[State, ...]) -> int:
        share = self.needs.share
        assert share is not None
        return tasks_on(cut.card, states, cut.share, self.needs.gpus, share.apart)

    def chart(self, code: int, free: int) -> Chart:
        """Return the sets that a task could take of the GPUs in the bit set `free` of a kind's node."""
        found = self._charts.get((code, free))
        if found is None:
            kind = self.kinds[code]
            cut = self.cuts[code] is not None
            if cut:  # instances of one task may lie on fewer GPUs than it has of them
                kind = kind._replace(gpu_count=max(kind.gpu_count, self.needs.gpus))
                free = (1 << kind.gpu_count) - 1
            graph = linked(kind, flat=cut)
            rating, stated = kind.rating_tflops, kind.multi_gpu_efficiency
            found = chart(graph, free, self.wish, rating, stated)
            self._charts[code, free] = found
        return found

    def grants(self, code: int, wish: Wish) -> bool:
        """Whether any set of a kind's GPUs, free or not, grants `wish`."""
        kind = self.kinds[code]
        few = kind.gpu_count < wish.k
        kind = kind._replace(gpu_count=max(kind.gpu_count, wish.k))
        graph = linked(kind, flat=few or self.cuts[code] is not None)
        found = chart(graph, (1 << kind.gpu_count) - 1, wish, kind.rating_tflops, kind.multi_gpu_efficiency)
        return found.most > 0

    def charted(self, groups: IntArray) -> tuple[IntArray, tuple[Chart, ...]]:
        """Return the chart of each of some node groups, as indices into distinct charts.

        All groups belong to offers with GPUs.
        """
        owners = self.inventory.groups.offer[groups]
        keys = self.codes(owners)
        pairs = {(code, (1 << kind.gpu_count) - 1): code for code, kind in enumerate(self.kinds)}
        partly = self.inventory.groups.gpus
        told_apart = np.array([self._told_apart(code) for code in range(len(self.kinds))], np.bool_)
        if partly and told_apart.any():
            for at in np.flatnonzero(told_apart[keys]).tolist():
                group = int(groups[at])
                if group in partly:
                    keys[at] = pairs.setdefault((int(keys[at]), self.free(group)), len(pairs))
        used, keys = np.unique(keys, return_inverse=True)
        listed = list(pairs)
        return keys, tuple(self.chart(*listed[key]) for key in used.tolist())

    def _told_apart(self, code: int) -> bool:
        return self.cuts[code] is None and not linked(self.kinds[code]).uniform

    def free(self, group: int) -> int:
        """Return the wholly free GPUs of a node of a group, as a bit set."""
        count = int(self.inventory.whole["gpu_count"][self.inventory.groups.offer[group]])
        return sum(1 << i for i in self.inventory.groups.free_indices(group, count))


def partly_free(inventory: Inventory, group: int, card: Card) -> dict[int, State]:
    """Return the state of the GPUs of a node that are neither wholly free nor wholly taken."""
    groups = inventory.groups
    instances: dict[int, list[tuple[str, int]]] = {}
    for gpu, profile, start in groups.mig.get(group, ()):
        instances.setdefault(gpu, []).append((profile, start))
    milli = groups.milli.get(group, {})
    return {
        gpu: state_of(card, milli.get(gpu), tuple(instances.get(gpu, ())))
        for gpu in sorted({*instances, *milli})
    }
