"""What an intent means: base units, defaults applied, every "any" gone.

Past this room there are no strings with units and no question of what was written out and what was
not: a limit says for itself whether an unknown value passes it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flare_core.errors import ErrorCode
from flare_core.inventory.calendar import Calendar


class Workload(StrEnum):
    """What runs."""

    SERVICE = "service"
    JOB = "job"
    BATCH = "batch"


class Objective(StrEnum):
    """What the user wants most."""

    COST = "Cost_Minimization"
    PERFORMANCE = "Performance_Maximization"
    LATENCY = "Latency_Minimization"
    BALANCED = "Balanced_Optimization"
    ENERGY = "Energy_Efficiency"


class Topic(StrEnum):
    """What a constraint is about: decides the error code, in this order of precedence."""

    MODEL = "model"
    MEMORY = "memory"
    COUNT = "count"
    COST = "cost"
    PLACE = "place"
    OTHER = "other"

    @property
    def code(self) -> ErrorCode:
        """Return the public error code of a rejection for this reason."""
        return _CODES[self]


_CODES = {
    Topic.MODEL: ErrorCode.GPU_MODEL_UNAVAILABLE,
    Topic.MEMORY: ErrorCode.GPU_MEMORY_INSUFFICIENT,
    Topic.COUNT: ErrorCode.GPU_COUNT_INSUFFICIENT,
    Topic.COST: ErrorCode.COST_LIMIT_EXCEEDED,
    Topic.PLACE: ErrorCode.REGION_UNAVAILABLE,
    Topic.OTHER: ErrorCode.INSUFFICIENT_RESOURCES,
}


@dataclass(frozen=True, slots=True)
class Share:
    """What part of a GPU is asked for, on offers that sell parts.

    Attributes
    ----------
    memory_mib, cores, fp32_tflops
        What one share has to cover; None is not asked. TFLOPS choose a MIG profile alone.
    instances
        MIG instances and nothing else (``multi_instance``); else whole GPUs where an offer does not share.
    apart
        The shares of one task lie on different GPUs.
    """

    memory_mib: int | None
    cores: int | None
    fp32_tflops: float | None
    instances: bool
    apart: bool


@dataclass(frozen=True, slots=True)
class Linking:
    """What is asked of the GPUs of one task among each other; 0 and "" ask for nothing.

    Attributes
    ----------
    least_class
        Class of links, see `topology.graph.LinkClass`.
    topology
        ``all-to-all``, ``ring``, ``mesh`` or ``nvswitch``, of links of ``least_class`` (NVLink's if none).
    efficiency_ppm
        Least predicted efficiency, millionths; always a condition.
    """

    least_class: int = 0
    topology: str = ""
    efficiency_ppm: int = 0


@dataclass(frozen=True, slots=True)
class Requirements:
    """What one intent asks of offers and of its placement as a whole.

    Limits on single offers are in ``limits`` (values that the screens understand); what couples tasks
    stands here.

    Attributes
    ----------
    name
        The workload's name, unique in a plan.
    tasks
        Tasks to place, at least 1.
    any_tasks
        ``completion_policy: "Any"``: as many of ``tasks`` as fit, at least one.
    max_tasks
        Replicas up to which headroom is reported; equals ``tasks`` without ``auto_scale``.
    gpus
        GPUs of one task; 0 is a CPU-only task.
    cpu_milli, memory_mib, storage_mib
        What one task needs beside; None is not asked (and an unknown capacity then does not matter).
    start, end
        When every task runs that starts at once; ``end`` None is a service without end.
    deadline
        By when every task has to end, None where nobody said.
    needed
        When the capacity is needed, None where nobody said: then that is the run of a job, and a service
        takes an offer's maintenance and opening hours as they are.
    length_s
        ``end - start`` in seconds, None without end.
    spot
        Whether spot capacity may be used.
    share
        The part of a GPU that a task may sit on; None asks for whole ones.
    linking
        How the GPUs of one task are linked.
    gang
        Several tasks that start together and talk to each other.
    infiniband
        A gang on several nodes should lie in one InfiniBand fabric.
    hard_wishes
        Whether preferences are conditions (fallback "fail").
    max_hourly_ueur, max_total_ueur, max_carbon_ug
        Budgets over the whole placement: micro-EUR per hour, micro-EUR, micro-gram CO2 per hour.
    availability
        Wanted probability (0..1) that a service of several tasks is up; None where single offers decide.
    availability_explicit
        Whether it was written out: then an offer of unknown uptime counts as never up.
    latency_limit_ms
        The limit in force; an unknown latency counts as this in objectives.
    warnings
        What was assumed in lowering (a length that nobody stated, …).
    patient
        Whether a job may begin later for a cheaper or greener hour: it has a deadline up to which it may.
    checkpoints
        Whether work goes on from the last checkpoint after an interruption.
    retries
        How often a task is started again.
    """

    name: str
    workload: Workload
    objective: Objective
    tasks: int
    any_tasks: bool
    max_tasks: int
    auto_scale: bool
    gpus: int
    cpu_milli: int | None
    memory_mib: int | None
    storage_mib: int | None
    start: datetime
    end: datetime | None
    deadline: datetime | None
    needed: Calendar | None
    spot: bool
    share: Share | None
    linking: Linking
    gang: bool
    infiniband: bool
    hard_wishes: bool
    max_hourly_ueur: int | None
    max_total_ueur: int | None
    max_carbon_ug: int | None
    availability: float | None
    availability_explicit: bool
    latency_limit_ms: float
    limits: tuple["Limit", ...]
    preferences: tuple["Limit", ...]
    warnings: tuple[str, ...] = ()
    patient: bool = False
    checkpoints: bool = False
    retries: int = 0

    @property
    def length_s(self) -> int | None:
        """Seconds from start to end."""
        return None if self.end is None else int((self.end - self.start).total_seconds())

    @property
    def costs_in_total(self) -> bool:
        """Whether the cost term counts EUR in total (jobs, batches) or per hour (services)."""
        return self.workload is not Workload.SERVICE


@dataclass(frozen=True, slots=True)
class Limit:
    """One constraint that can be judged for one offer alone.

    Attributes
    ----------
    path
        JSON path in the intent.
    rule
        How the screen judges it: the name of a screen in ``candidates.screens``.
    column
        Column of the inventory that is looked at.
    asked
        The wanted value in the column's base unit; a tuple of names for membership.
    unknown_passes
        Default limits let an unknown value pass, explicit ones do not.
    topic
        What it is about, for the error code.
    unit
        Unit in which it can be relaxed ("MiB", "GPU", "EUR/hour", …); "" where it can only be dropped.
    """

    path: str
    rule: str
    column: str
    asked: int | float | str | bool | tuple[str, ...]
    unknown_passes: bool
    topic: Topic
    unit: str
