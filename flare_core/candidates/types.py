"""Nodes that could serve one intent, what a task on each would be worth, and why each other offer cannot.

An offer is several candidates where its GPUs make seats that are not as good as each other: sets of GPUs that
are linked worse, or nodes of which the well linked GPUs are in use.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flare_core.inventory.types import FloatArray, IntArray, Mask
from flare_core.requirements.types import Topic

if TYPE_CHECKING:
    from flare_core.candidates.inside import Cut
    from flare_core.candidates.tariffs import Tariffs


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """One rule and what it removed.

    Attributes
    ----------
    path, rule, topic, unit, asked
        As in `Limit`; ``asked`` as text for people.
    alone
        Offers that this rule alone would remove.
    first
        Offers whose first reason (in the order of the steps) it was.
    only
        Offers that fail this rule and no other: lifting it would make them candidates.
    """

    path: str
    rule: str
    topic: Topic
    unit: str
    asked: str
    alone: int
    first: int
    only: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """Why offers were removed; ``accepted + sum(step.first) == offers``, always.

    Attributes
    ----------
    first_reason
        For each offer the index of the first step that removed it, -1 for a candidate; shape (offers,).
    """

    offers: int
    accepted: int
    steps: tuple[FunnelStep, ...]
    first_reason: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Fabric:
    """Where the nodes of a gang's candidates hang in the fabric, and what distance costs.

    A gang has span 0 on one node; else ``1 + depth - c`` where ``c`` is how many elements of the path all
    its nodes share.

    Attributes
    ----------
    prefix
        Codes of the path's first 1, 2, … elements, shape (candidates, depth), as many as the inventory's
        longest path has; -1 where the path is unknown:
        then no two nodes share it, not even two of the same offer.
    loss
        Thousandths of a TFLOPS that one task loses in a gang of span 0, 1, …, shape (candidates, depth + 2).
    infiniband
        Whether the path is known and the fabric InfiniBand, shape (candidates,).
    """

    prefix: IntArray
    loss: IntArray
    infiniband: Mask

    @property
    def depth(self) -> int:
        """How many elements the longest path has."""
        return int(self.prefix.shape[1])


@dataclass(frozen=True, slots=True)
class Candidates:
    """Surviving offers of one intent as aligned columns, ascending by offer row (= by offer id).

    Attributes, shape (candidates,)
    -------------------------------
    rows
        Offer rows.
    spot
        Bought as spot (spot is allowed and cheaper).
    by_node
        Billed by the node: the node is paid whole and belongs to one intent.
    node_ueur
        Hourly price of the whole node as bought, micro-EUR.
    task_ueur
        Hourly price of one task, micro-EUR; by the node: the node's price (its tasks share it).
    task_total_ueur
        The same for the whole run, rounded up to the micro-euro; equals ``task_ueur`` where there is no end.
    misses
        Preferences that a task here misses.
    missed
        Bit ``k`` is set where preference ``k`` is missed.
    performance_mtflops
        Predicted throughput of one task in thousandths of a TFLOPS; unknown counts 0.
    latency_us
        Network latency + 1 ms per second of cold start, microseconds; unknown latency counts as the limit.
    carbon_ug, carbon_peak_ug
        Micro-gram CO2 per hour of one task, in the mean of its run and at most; unknown counts as the worst
        known candidate's.
    carbon_known, latency_known, performance_known
        Whether the figure is known.
    network_ms
        Network latency alone, ms; NaN where unknown.
    uptime
        Probability 0..1 that the offer is up; unknown is 1 under a default and 0 under an explicit limit.
    provider
        Code of the provider in the inventory's label column.
    domain
        Code of the failure domain (provider, region, zone): equal for the candidates that fall together.
    efficiency_ppm
        Multi-GPU efficiency of a task's GPUs, millionths.
    cut
        Index into ``cuts`` where a task takes a part of a GPU, -1 where whole ones.
    fabric
        Of gangs, how far its tasks are from each other; without columns for others.
    best
        Whether some node has no better seats than these.
    origin
        Number of the candidate before any pruning; ascending.
    tariff
        Its number in ``tariffs``.

    Node groups that hold at least one task, shape (groups,), ascending by candidate, then first node
    --------------------------------------------------------------------------------------------------
    group_candidate
        Index into the arrays above.
    group
        Index into ``inventory.groups``.
    group_nodes
        Nodes; -1 is as many as one pays for.
    group_tasks
        Tasks of this intent that one such node holds beside what is used, at least 1.
    group_room
        The same in seats of any grade.
    group_sets
        Index into ``sets``: which GPUs a task may take here; -1 any.
    group_origin
        Number of the entry before any pruning; ascending.

    cuts
        Shares of GPUs by kind of GPU.
    sets
        Bit sets of GPU numbers, see `topology.charts.Grade`.
    tariffs
        What depends on when a run begins; None where nothing does. The columns are those of a run that
        begins at once.
    """

    rows: IntArray
    spot: Mask
    by_node: Mask
    node_ueur: IntArray
    task_ueur: IntArray
    task_total_ueur: IntArray
    misses: IntArray
    missed: IntArray
    performance_mtflops: IntArray
    latency_us: IntArray
    carbon_ug: IntArray
    carbon_peak_ug: IntArray
    carbon_known: Mask
    latency_known: Mask
    performance_known: Mask
    network_ms: FloatArray
    uptime: FloatArray
    provider: IntArray
    domain: IntArray
    efficiency_ppm: IntArray
    cut: IntArray
    fabric: "Fabric"
    best: Mask
    origin: IntArray
    tariff: IntArray
    group_candidate: IntArray
    group: IntArray
    group_nodes: IntArray
    group_tasks: IntArray
    group_room: IntArray
    group_sets: IntArray
    group_origin: IntArray
    cuts: tuple["Cut | None", ...]
    sets: tuple[tuple[int, ...], ...]
    funnel: Funnel
    tariffs: "Tariffs | None" = None
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, start: int) -> "Candidates":
        """Return the candidates as they are for a run that begins `start` seconds after the plan."""
        if self.tariffs is None:
            return self
        rates = self.tariffs.at(start)._asdict()
        del rates["sold"]
        return replace(self, tariffs=None, **{name: column[self.tariff] for name, column in rates.items()})


PER_GROUP = tuple(
    name for name in Candidates.__dataclass_fields__ if name.startswith("group") and name != "group_candidate"
)
"""Columns of node groups but for ``group_candidate``."""

PER_CANDIDATE = tuple(
    name
    for name in Candidates.__dataclass_fields__
    if not name.startswith("group")
    and name not in ("fabric", "cuts", "sets", "funnel", "tariffs", "warnings")
)
"""Columns of candidates but for ``fabric``, which are several."""
