"""For each field that single offers are judged by: values just good enough, and just not.

Shared by the tests of the screens and by the walk through the schema.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Edge(NamedTuple):
    """An asked value, the offer's field that meets it or not; None is an offer that does not say."""

    asked: object
    says: str
    good: tuple[object, ...]
    bad: tuple[object, ...]
    beside: Mapping[str, object] = {}  # what the intent says beside
    offer: Mapping[str, object] = {}  # what the offer says beside


VOLUME = {"name": "v", "size": "100Gi", "type": "persistent", "path": "/v"}
PERSISTENT = {"persistent_storage": True}
JOB = {"workload.type": "job", "workload.job.timeout": "2h"}
GPU = "workload.resources.gpu"
C = "constraints"
YES_NO = ((True,), (False, None))

EDGES: Mapping[str, Edge] = {
    "workload.resources.cpu": Edge("64", "cpu", ("64",), ("63999m", None)),
    "workload.resources.memory": Edge("256Gi", "memory", ("256Gi",), ("262143Mi", None)),
    f"{GPU}.model": Edge("nvidia-x1", "gpu.model", ("nvidia-x1",), ("nvidia-x10",)),
    f"{GPU}.count": Edge(4, "gpu.count", (4, 8), (3,)),
    f"{GPU}.memory": Edge("80Gi", "gpu.memory", ("80Gi", "141Gi"), ("81919Mi", None)),
    f"{GPU}.cores": Edge(1024, "gpu.cores", (1024,), (1023, None)),
    f"{GPU}.clock_speed": Edge("1.5G", "gpu.clock_speed", ("1500M",), ("1499M", None)),
    f"{GPU}.compute_capability": Edge("9.0", "gpu.compute_capability", ("9.0", "10.0"), ("8.9", None)),
    f"{GPU}.architecture": Edge("hopper", "gpu.architecture", ("hopper",), ("ampere", None)),
    f"{GPU}.tier": Edge("standard", "gpu.tier", ("standard",), ("premium", None)),
    f"{GPU}.shared": Edge(
        True,
        "gpu.sharing_strategy",
        (None, "mps"),  # whole GPUs where no parts are sold
        ("mig",),  # what the instances of an unknown model hold is not known
        offer={"gpu.shared": True},
    ),
    f"{GPU}.multi_instance": Edge(
        True,
        "gpu.sharing_strategy",
        ("mig",),
        ("mps", "time-slicing", None),
        offer={"gpu.shared": True, "gpu.sharing_slots": 4, "gpu.model": "nvidia-a100"},
    ),
    f"{GPU}.interconnect": Edge(
        "nvlink",
        "gpu.interconnect",
        ("nvlink", "nvswitch", "infinity-fabric"),
        ("pcie", None),
        beside={f"{GPU}.count": 2, f"{C}.negotiation.fallback_strategy": "fail"},
    ),
    f"{GPU}.topology": Edge(
        "all-to-all",
        "gpu.topology",
        ("all-to-all",),
        ("ring", "mesh", None),
        beside={f"{GPU}.count": 4, f"{C}.negotiation.fallback_strategy": "fail"},
        offer={"gpu.interconnect": "nvlink"},
    ),
    f"{GPU}.multi_gpu_efficiency": Edge(
        0.9,
        "gpu.multi_gpu_efficiency",
        (0.9, 1, None),  # where none is stated it is predicted, which counts as known
        (0.8999, 0),
        beside={f"{GPU}.count": 4},
        offer={"gpu.interconnect": "nvlink", "gpu.interconnect_bandwidth": "900 GB/s"},
    ),
    f"{GPU}.dedicated": Edge(True, "gpu.dedicated", *YES_NO),
    f"{GPU}.fp32_tflops": Edge("82.6", "gpu.fp32_tflops", ("82.6",), ("82.5", None)),
    "workload.storage.volumes.*.size": Edge(
        [VOLUME, {**VOLUME, "name": "w", "path": "/w"}],
        "storage",
        ("200Gi", "elastic"),
        ("199Gi", None),
        offer=PERSISTENT,
    ),
    "workload.storage.volumes.*.type": Edge([VOLUME], "persistent_storage", *YES_NO),
    f"{C}.max_hourly_cost": Edge("2 EUR", "price.hourly", ("8.00 EUR/hour",), ("8.000001 EUR/hour",)),
    f"{C}.max_total_cost": Edge("4 EUR", "price.hourly", ("8 EUR/hour",), ("8.000001 EUR/hour",), beside=JOB),
    f"{C}.location": Edge("EU", "country", ("IE",), ("NO", "GB", "CH", None)),
    f"{C}.availability_zone": Edge("z-1", "zone", ("z-1",), ("z-10", "Z-1", None)),
    f"{C}.max_latency_ms": Edge(50, "performance.latency_ms", (50,), (50.1, None)),
    f"{C}.providers": Edge(["AWS", "P2"], "provider", ("p2", "aws", "Aws"), ("p1",)),
    f"{C}.energy.max_carbon_footprint": Edge(
        "120 gCO2/h",
        "energy.carbon_intensity",
        (300,),
        (300.1, None),
        offer={"gpu.power_w": 400, "energy.power_usage_effectiveness": 1},
    ),
    f"{C}.energy.renewable_energy_only": Edge(True, "energy.renewable_energy", *YES_NO),
    f"{C}.energy.energy_efficiency_rating": Edge(
        "B", "energy.energy_efficiency_rating", ("A", "B"), ("C", None)
    ),
    f"{C}.energy.power_usage_effectiveness": Edge(
        1.4, "energy.power_usage_effectiveness", (1.4,), (1.41, None)
    ),
    f"{C}.energy.green_certified_only": Edge(True, "energy.green_certified", *YES_NO),
    f"{C}.compliance.data_residency": Edge(["DE", "US"], "country", ("DE", "US"), ("FR", None)),
    f"{C}.compliance.certifications": Edge(
        ["iso 27001", "SOC-2"],
        "compliance.certifications",
        (["SOC2", "ISO27001", "C5"],),
        (["SOC2"], [], None),
    ),
    **{
        f"{C}.{section}.{name}": Edge(True, f"{section}.{name}", *YES_NO)
        for section, names in (
            (
                "compliance",
                "encryption_at_rest encryption_in_transit audit_logging gdpr_compliant hipaa_compliant",
            ),
            ("security", "vpn_access bastion_host intrusion_detection vulnerability_scanning"),
        )
        for name in names.split()
    },
    f"{C}.performance.min_network_bandwidth": Edge(
        "10Gbps", "performance.network_bandwidth", ("10 Gb/s",), ("9.9Gbps", None)
    ),
    f"{C}.performance.max_jitter_ms": Edge(10, "performance.jitter_ms", (10,), (10.5, None)),
    f"{C}.performance.min_uptime_percent": Edge(99.9, "performance.uptime_percent", (99.9,), (99.89, None)),
    f"{C}.performance.max_cold_start_time": Edge(
        "30s", "performance.cold_start_time", ("30s",), ("31s", None)
    ),
    f"{C}.security.network_isolation": Edge(
        "private", "security.network_isolation", ("private",), ("public", None)
    ),
    "sla.availability": Edge("99.9%", "performance.uptime_percent", (99.9,), (99.8, None)),
    "sla.max_interruption_time": Edge("2m", "performance.cold_start_time", ("2m",), ("121s", None)),
}
"""By JSON path of the intent. Spot and the deadline, which no one field meets, have tests of their own."""


def asking(path: str, edge: Edge) -> dict[str, object]:
    """The changes of an intent that ask for an edge."""
    return {path.partition(".*")[0]: edge.asked, **edge.beside}


def saying(edge: Edge, value: object) -> dict[str, object]:
    """The changes of an offer that says `value`."""
    return {**edge.offer, edge.says: value}
