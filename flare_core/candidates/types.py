"""Nodes that could serve one intent, what a task on each would be worth, and why each other offer cannot."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flare_core.inventory.types import FloatArray, IntArray, Mask
from flare_core.requirements.types import Topic


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
    carbon_ug
        Micro-gram CO2 per hour of one task; unknown counts as the worst known candidate's.
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
    carbon_known: Mask
    latency_known: Mask
    performance_known: Mask
    network_ms: FloatArray
    uptime: FloatArray
    provider: IntArray
    domain: IntArray
    group_candidate: IntArray
    group: IntArray
    group_nodes: IntArray
    group_tasks: IntArray
    funnel: Funnel
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)
