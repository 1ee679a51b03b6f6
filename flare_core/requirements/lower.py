"""From an intent to what it asks: one small function for each section.

Past this module no field is left to be looked at: each is a `Limit` on single offers, a figure of the
`Requirements`, a term of `negotiation`, or carried to the deployment unchanged. `FIELD_FATES` in `fates`
tells which.

Limits stand in the order in which the funnel names reasons: the model, the memory and the number of the
GPUs, then the rest of the resources, what the offer is, what it costs, and when it is there.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from flare_core.errors import ErrorCode, IntentError, found_expected
from flare_core.inventory.calendar import DAYS, Calendar, Maintenance
from flare_core.quantities import format_duration, format_moment
from flare_core.requirements.types import (
    Limit,
    Linking,
    Objective,
    Requirements,
    Share,
    Topic,
    Workload,
)
from flare_core.topology.graph import LinkClass

if TYPE_CHECKING:
    from flare_core.intent.constraints import Constraints, Energy
    from flare_core.intent.types import Intent
    from flare_core.intent.workload import Gpu

DEFAULT_LENGTH_S = 3600
"""Length of a task for which neither a timeout nor a deadline is given."""

_LATEST = datetime(2201, 1, 1, tzinfo=UTC)
"""Moments beyond are not written."""

_GPU = "workload.resources.gpu"


def lower(intent: "Intent", *, now: datetime) -> Requirements:
    """Return what `intent` means, in base units, with every default applied.

    Parameters
    ----------
    intent
        As read.
    now
        The moment from which the placement is made, aware: work starts then.

    Raises
    ------
    IntentError
        For a timeout that ends after the year 2200.
    """
    workload, asked, sla = intent.workload, intent.constraints, intent.sla
    kind, resources = Workload(workload.type), workload.resources
    joint = kind is Workload.SERVICE and workload.tasks > 1 and sla.availability > 0
    end, assumed = _end(intent, now)
    scaled = kind is Workload.SERVICE and workload.scaling.auto_scale
    wishes = tuple(_wishes(intent))
    hard = asked.negotiation is not None and asked.negotiation.fallback_strategy == "fail"
    return Requirements(
        name=workload.name,
        workload=kind,
        objective=Objective(intent.objective),
        tasks=workload.tasks,
        any_tasks=kind is not Workload.SERVICE and workload.job.completion_policy == "Any",
        max_tasks=workload.scaling.max_replicas if scaled else workload.tasks,
        auto_scale=scaled,
        gpus=resources.gpus,
        cpu_milli=resources.cpu or None,
        memory_mib=resources.memory or None,
        storage_mib=workload.storage.size_mib or None,
        start=now,
        end=end,
        deadline=_deadline(intent),
        needed=_needed(intent),
        spot=asked.preemptible or (resources.gpu is not None and resources.gpu.interruptible),
        share=_share(resources.gpu),
        linking=_linking(resources.gpu),
        hard_wishes=hard,
        gang=kind is Workload.JOB and workload.tasks > 1,
        max_hourly_ueur=asked.max_hourly_cost,
        max_total_ueur=asked.max_total_cost,
        max_carbon_ug=_cap_ug(asked.energy),
        availability=sla.availability / 100 if joint else None,
        availability_explicit="availability" in sla.model_fields_set,
        latency_limit_ms=asked.max_latency_ms,
        infiniband=any(wish.rule == "fabric" for wish in wishes),
        limits=(*_limits(intent, _for_sets(wishes) if hard else ()), *_time(intent, now, end)),
        preferences=() if hard else wishes,
        warnings=assumed,
        checkpoints=sla.backup_strategy == "checkpoint",
        retries=workload.job.max_retries,
        patient=_is_patient(intent),
    )


def _is_patient(intent: "Intent") -> bool:
    waits = intent.workload.type != "service" and intent.constraints.deadline is not None
    return waits and intent.objective in (Objective.COST, Objective.ENERGY)


def _limits(intent: "Intent", wishes: tuple[Limit, ...]) -> Iterator[Limit]:
    asked = intent.constraints
    yield from _gpus(intent)
    yield from wishes
    yield from _gpu_sets(intent)
    yield from _host(intent)
    yield from _place(asked)
    yield from _performance(asked)
    yield from _sla(intent)
    yield from _energy(asked.energy)
    yield from _trust(asked)
    yield from _money(asked)


# --- limits on single offers ---------------------------------------------------------------------


def _gpus(intent: "Intent") -> Iterator[Limit]:
    gpu = intent.workload.resources.gpu
    if gpu is None or not gpu.count:
        return
    yield from _name(f"{_GPU}.model", "gpu_model", gpu.model, Topic.MODEL)
    yield from _least(f"{_GPU}.memory", "gpu_memory_mib", gpu.memory, "MiB", topic=Topic.MEMORY)
    yield Limit(f"{_GPU}.count", "gpus", "free_gpus", gpu.count, False, Topic.COUNT, "GPU")
    yield from _least(f"{_GPU}.cores", "gpu_cores", gpu.cores, "cores")
    yield from _least(f"{_GPU}.clock_speed", "gpu_clock_mhz", gpu.clock_speed, "MHz")
    yield from _least(
        f"{_GPU}.compute_capability", "compute_capability", gpu.compute_capability, "capability"
    )
    yield from _name(f"{_GPU}.architecture", "architecture", gpu.architecture)
    yield from _name(f"{_GPU}.tier", "tier", gpu.tier)
    yield from _least(f"{_GPU}.fp32_tflops", "fp32_tflops", gpu.fp32_tflops, "TFLOPS")
    yield from _flag(f"{_GPU}.dedicated", "dedicated", gpu.dedicated)
    if gpu.multi_instance:
        yield Limit(f"{_GPU}.multi_instance", "share", "sharing_strategy", "mig", False, Topic.OTHER, "")
    elif gpu.shared:
        yield Limit(f"{_GPU}.shared", "share", "sharing_strategy", "any", True, Topic.OTHER, "")


def _share(gpu: "Gpu | None") -> Share | None:
    if gpu is None or not gpu.count or not (gpu.shared or gpu.multi_instance):
        return None
    return Share(
        memory_mib=gpu.memory or None,
        cores=gpu.cores or None,
        fp32_tflops=(gpu.fp32_tflops or None) if gpu.multi_instance else None,
        instances=gpu.multi_instance,
        apart=gpu.shared,
    )


_CLASSES = {"nvswitch": LinkClass.NVSWITCH, "nvlink": LinkClass.NVLINK, "pcie": LinkClass.PCIE}


def _linking(gpu: "Gpu | None") -> Linking:
    if gpu is None or gpu.count < 2:
        return Linking()
    return Linking(
        least_class=_CLASSES.get(gpu.interconnect, 0),
        topology="" if gpu.topology == "any" else gpu.topology,
        efficiency_ppm=round((gpu.multi_gpu_efficiency or 0) * 1e6),
    )


def _wishes(intent: "Intent") -> Iterator[Limit]:
    """Yield what is asked of links, which is a preference unless "fail" is said."""
    gpu = intent.workload.resources.gpu
    if gpu is None or not gpu.count:
        return
    path = f"{_GPU}.interconnect"
    if gpu.interconnect == "infiniband":
        if intent.workload.type == "job" and intent.workload.tasks > 1:
            yield Limit(path, "fabric", "fabric_interconnect", "infiniband", False, Topic.OTHER, "")
    elif gpu.interconnect != "any" and gpu.count > 1:
        yield Limit(path, "interconnect", "interconnect", gpu.interconnect, False, Topic.OTHER, "")
    if gpu.topology != "any" and gpu.count > 1:
        yield Limit(f"{_GPU}.topology", "topology", "topology", gpu.topology, False, Topic.OTHER, "")


def _for_sets(wishes: tuple[Limit, ...]) -> tuple[Limit, ...]:
    """Return the wishes that single offers can fail; a fabric is a question to the whole gang."""
    return tuple(wish for wish in wishes if wish.rule != "fabric")


def _gpu_sets(intent: "Intent") -> Iterator[Limit]:
    """Yield the least efficiency, and that one set of GPUs has everything that is asked of sets."""
    gpu = intent.workload.resources.gpu
    if gpu is None or gpu.count < 2:
        return
    path, least = f"{_GPU}.multi_gpu_efficiency", gpu.multi_gpu_efficiency
    if least:
        yield Limit(path, "efficiency", "multi_gpu_efficiency", least, False, Topic.OTHER, "efficiency")
    yield Limit(_GPU, "gpu-set", "", True, True, Topic.OTHER, "")


def _host(intent: "Intent") -> Iterator[Limit]:
    resources, storage = intent.workload.resources, intent.workload.storage
    for path, rule, column, asked, unit in (
        ("workload.resources.cpu", "cpu", "free_cpu_milli", resources.cpu, "milli-cores"),
        ("workload.resources.memory", "memory", "free_memory_mib", resources.memory, "MiB"),
        ("workload.storage.volumes", "storage", "storage_mib", storage.size_mib, "MiB"),
    ):
        if asked:
            yield Limit(path, rule, column, asked, False, Topic.OTHER, unit)
    yield from _flag("workload.storage.volumes", "persistent_storage", storage.persistent)
    yield Limit("workload.resources", "node", "", True, True, Topic.OTHER, "")


def _place(asked: "Constraints") -> Iterator[Limit]:
    if asked.location != "any":
        path = "constraints.location"
        yield Limit(path, "place", "country", asked.location, False, Topic.PLACE, "place")
    zone, residency = asked.availability_zone, asked.compliance.data_residency
    if zone not in (None, "any"):
        yield Limit("constraints.availability_zone", "is", "zone", zone, False, Topic.PLACE, "place")
    if residency and "any" not in residency:
        path = "constraints.compliance.data_residency"
        yield Limit(path, "place", "country", residency, False, Topic.PLACE, "place")
    if asked.providers:
        path = "constraints.providers"
        yield Limit(path, "one-of", "provider", asked.providers, False, Topic.OTHER, "provider")


def _performance(asked: "Constraints") -> Iterator[Limit]:
    promised, said = asked.performance, asked.performance.model_fields_set
    at = "constraints.performance"
    unsaid = "max_latency_ms" not in asked.model_fields_set
    yield from _most("constraints.max_latency_ms", "latency_ms", asked.max_latency_ms, "ms", default=unsaid)
    yield from _least(f"{at}.min_network_bandwidth", "network_gbps", promised.min_network_bandwidth, "Gbit/s")
    unsaid = "max_jitter_ms" not in said
    yield from _most(f"{at}.max_jitter_ms", "jitter_ms", promised.max_jitter_ms, "ms", default=unsaid)
    unsaid, uptime = "min_uptime_percent" not in said, promised.min_uptime_percent
    yield from _least(f"{at}.min_uptime_percent", "uptime_percent", uptime, "percent", default=unsaid)
    yield from _most(f"{at}.max_cold_start_time", "cold_start_s", promised.max_cold_start_time, "seconds")


def _sla(intent: "Intent") -> Iterator[Limit]:
    sla, path = intent.sla, "sla.availability"
    unsaid = "availability" not in sla.model_fields_set
    if intent.workload.type != "service" or intent.workload.tasks == 1:
        yield from _least(path, "uptime_percent", sla.availability, "percent", default=unsaid)
    elif not unsaid and sla.availability:
        # Several tasks are judged together; what is not known counts for nothing there.
        yield Limit(path, "known", "uptime_percent", sla.availability, False, Topic.OTHER, "percent")
    yield from _most("sla.max_interruption_time", "cold_start_s", sla.max_interruption_time, "seconds")


def _energy(asked: "Energy") -> Iterator[Limit]:
    at = "constraints.energy"
    unsaid = "power_usage_effectiveness" not in asked.model_fields_set
    pue = asked.power_usage_effectiveness
    yield from _most(f"{at}.power_usage_effectiveness", "pue", pue, "PUE", default=unsaid)
    yield from _flag(f"{at}.renewable_energy_only", "renewable_energy", asked.renewable_energy_only)
    yield from _flag(f"{at}.green_certified_only", "green_certified", asked.green_certified_only)
    if asked.energy_efficiency_rating is not None:
        path, rating = f"{at}.energy_efficiency_rating", asked.energy_efficiency_rating
        yield Limit(path, "rating", "efficiency_rating", rating, False, Topic.OTHER, "rating")
    cap = _cap_ug(asked)
    if cap is not None:
        yield Limit(f"{at}.max_carbon_footprint", "carbon", "", cap, False, Topic.OTHER, "gCO2/h")


def _trust(asked: "Constraints") -> Iterator[Limit]:
    compliance, security = asked.compliance, asked.security
    at = "constraints.compliance"
    if compliance.certifications:
        path, held = f"{at}.certifications", compliance.certifications
        yield Limit(path, "certified", "certifications", held, False, Topic.OTHER, "")
    yield from _flag(f"{at}.encryption_at_rest", "encryption_at_rest", compliance.encryption_at_rest)
    yield from _flag(f"{at}.encryption_in_transit", "encryption_in_transit", compliance.encryption_in_transit)
    yield from _flag(f"{at}.audit_logging", "audit_logging", compliance.audit_logging)
    yield from _flag(f"{at}.gdpr_compliant", "gdpr_compliant", compliance.gdpr_compliant)
    yield from _flag(f"{at}.hipaa_compliant", "hipaa_compliant", compliance.hipaa_compliant)
    at = "constraints.security"
    yield from _name(f"{at}.network_isolation", "network_isolation", security.network_isolation)
    yield from _flag(f"{at}.vpn_access", "vpn_access", security.vpn_access)
    yield from _flag(f"{at}.bastion_host", "bastion_host", security.bastion_host)
    yield from _flag(f"{at}.intrusion_detection", "intrusion_detection", security.intrusion_detection)
    yield from _flag(
        f"{at}.vulnerability_scanning", "vulnerability_scanning", security.vulnerability_scanning
    )


def _money(asked: "Constraints") -> Iterator[Limit]:
    yield Limit("", "price", "hourly_ueur", True, False, Topic.OTHER, "")
    yield Limit("constraints.preemptible", "spot", "spot_ueur", False, True, Topic.OTHER, "")
    for field, rule, budget, unit in (
        ("max_hourly_cost", "hourly-cost", asked.max_hourly_cost, "EUR/hour"),
        ("max_total_cost", "total-cost", asked.max_total_cost, "EUR"),
    ):
        if budget is not None:
            yield Limit(f"constraints.{field}", rule, "", budget, False, Topic.COST, unit)


def _time(intent: "Intent", now: datetime, end: datetime | None) -> Iterator[Limit]:
    yield Limit("", "offer-calendar", "calendar", True, True, Topic.OTHER, "")
    if intent.constraints.availability is not None:
        yield Limit("constraints.availability", "needed-times", "calendar", True, True, Topic.OTHER, "")
    deadline = _deadline(intent)
    # A service that is needed for less long is no easier to place: its deadline matters once it is past.
    if deadline is not None and end is not None and (intent.workload.type != "service" or end <= now):
        # A deadline that is the length of the work is the shape of it, but where there is no time at all.
        shape = intent.workload.type != "service" and intent.workload.job.timeout is None and end > now
        path, until = "" if shape else "constraints.deadline", format_moment(deadline)
        yield Limit(path, "too-late", "", until, False, Topic.OTHER, "seconds")


def _least(
    path: str,
    column: str,
    asked: float | None,
    unit: str,
    *,
    default: bool = False,
    topic: Topic = Topic.OTHER,
) -> Iterator[Limit]:
    if asked:  # a minimum of 0 asks for nothing
        yield Limit(path, "at-least", column, asked, default, topic, unit)


def _most(
    path: str, column: str, asked: float | None, unit: str, *, default: bool = False
) -> Iterator[Limit]:
    if asked is not None:
        yield Limit(path, "at-most", column, asked, default, Topic.OTHER, unit)


def _name(path: str, column: str, asked: str, topic: Topic = Topic.OTHER) -> Iterator[Limit]:
    if asked not in ("any", "public"):
        yield Limit(path, "is", column, asked, False, topic, "")


def _flag(path: str, column: str, asked: bool) -> Iterator[Limit]:
    if asked:
        yield Limit(path, "has", column, True, False, Topic.OTHER, "")


# --- figures of the whole ------------------------------------------------------------------------


def _end(intent: "Intent", now: datetime) -> tuple[datetime | None, tuple[str, ...]]:
    """Return when the work ends, None for a service without end, and what was assumed."""
    deadline, timeout = _deadline(intent), intent.workload.job.timeout
    if intent.workload.type == "service":
        return (None if deadline is None else max(deadline, now)), ()
    if timeout is not None:
        return _after(now, timeout), ()
    if deadline is None:
        length = format_duration(DEFAULT_LENGTH_S)
        return now + timedelta(seconds=DEFAULT_LENGTH_S), (
            f"no timeout and no deadline: {length} is assumed",
        )
    left_s = max(0, int((deadline - now).total_seconds()))
    assumed = f"no timeout: the time until the deadline is assumed, {format_duration(left_s)}"
    return now + timedelta(seconds=left_s), (assumed,)


def _needed(intent: "Intent") -> Calendar | None:
    """Return when the capacity is needed."""
    asked = intent.constraints.availability
    if asked is None:
        return None
    opens, closes = asked.window_start, asked.window_end
    return Calendar(
        zone=asked.timezone,
        window=None if opens is None or closes is None else (_seconds(opens), _seconds(closes)),
        days=frozenset(DAYS.index(day) for day in asked.days_of_week or DAYS),
        blackout=frozenset(day.toordinal() for day in asked.blackout_dates),
        maintenance=tuple(
            Maintenance(int(each.start.timestamp()), int(each.end.timestamp()), each.frequency == "monthly")
            for each in asked.maintenance_windows
        ),
    )


def _seconds(at: time) -> int:
    return at.hour * 3600 + at.minute * 60


def _deadline(intent: "Intent") -> datetime | None:
    """Return the last whole second by which every task has to end: plans are made to the second."""
    deadline = intent.constraints.deadline
    return None if deadline is None else deadline.replace(microsecond=0)


def _after(now: datetime, length_s: int) -> datetime:
    if length_s >= (_LATEST - now).total_seconds():
        found = found_expected(format_duration(length_s), f"an end before the year {_LATEST.year}")
        raise IntentError(ErrorCode.INVALID_FORMAT, "workload.job.timeout", found)
    return now + timedelta(seconds=length_s)


def _cap_ug(asked: "Energy") -> int | None:
    """Return the cap on emissions, micro-gram CO2 per hour."""
    cap = asked.max_carbon_footprint
    # Rounded to the nearest, since 0.3 g is no exact float and must not become a micro-gram less.
    return None if cap is None else min(round(cap * 1e6), 2**53)
