"""Small inventories for tests: a plain offer, changed where a test looks."""

from collections.abc import Iterable
from typing import Any, cast

import numpy as np

from flare_core.inventory.read import read_inventory
from flare_core.inventory.types import Inventory
from flare_core.inventory.write import to_document

PLAIN: dict[str, Any] = {
    "id": "a",
    "provider": "provider-1",
    "region": "eu-west-1",
    "nodes": 4,
    "price": {"hourly": "32.00 EUR/hour", "billing": "gpu"},
    "cpu": "192",
    "memory": "2Ti",
    "gpu": {"model": "nvidia-h100", "count": 8, "memory": "80Gi"},
}

FULL: dict[str, Any] = {
    "id": "p1-eu-west-1a-h100x8",
    "provider": "provider-1",
    "region": "eu-west-1",
    "zone": "eu-west-1a",
    "country": "IE",
    "nodes": 4,
    "price": {"hourly": "32.00 EUR/hour", "spot_hourly": "12.80 EUR/hour", "billing": "gpu"},
    "cpu": "192",
    "memory": "2Ti",
    "storage": "20Ti",
    "persistent_storage": True,
    "gpu": {
        "model": "nvidia-h100",
        "count": 8,
        "memory": "80Gi",
        "cores": 16896,
        "clock_speed": "1.98G",
        "compute_capability": "9.0",
        "architecture": "hopper",
        "tier": "premium",
        "fp32_tflops": "67.0",
        "interconnect": "nvswitch",
        "interconnect_bandwidth": "900 GB/s",
        "topology": "nvswitch",
        "links": None,
        "multi_gpu_efficiency": None,
        "power_w": 700,
        "shared": True,
        "sharing_strategy": "mig",
        "sharing_slots": None,
        "dedicated": True,
    },
    "fabric": {"path": ["dc1", "spine1", "leaf3"], "interconnect": "infiniband", "bandwidth": "400 Gb/s"},
    "performance": {
        "latency_ms": 18,
        "network_bandwidth": "100Gbps",
        "jitter_ms": 2,
        "uptime_percent": 99.95,
        "cold_start_time": "45s",
        "interruption_rate_percent": 5,
    },
    "energy": {
        "carbon_intensity": 278,
        "renewable_energy": False,
        "energy_efficiency_rating": "B",
        "power_usage_effectiveness": 1.2,
        "green_certified": False,
    },
    "compliance": {
        "certifications": ["ISO27001", "SOC2"],
        "encryption_at_rest": True,
        "encryption_in_transit": True,
        "audit_logging": True,
        "gdpr_compliant": True,
        "hipaa_compliant": False,
    },
    "security": {
        "network_isolation": "private",
        "vpn_access": True,
        "bastion_host": True,
        "intrusion_detection": True,
        "vulnerability_scanning": True,
    },
    "availability": {
        "window_start": None,
        "window_end": None,
        "timezone": "Europe/Dublin",
        "days_of_week": None,
        "maintenance_windows": [
            {"start": "2026-01-04T02:00:00Z", "end": "2026-01-04T04:00:00Z", "frequency": "weekly"}
        ],
    },
    "used": {"gpus": 0, "cpu": "0", "memory": "0"},
}
"""The offer of the specification."""


def offer(*, base: dict[str, Any] = PLAIN, **changes: Any) -> dict[str, Any]:
    """Return the plain offer with some fields replaced; ``gpu__memory=None`` reaches into a section."""
    changed = {key: dict(value) if isinstance(value, dict) else value for key, value in base.items()}
    for path, value in changes.items():
        section, _, leaf = path.partition("__")
        if leaf:
            changed.setdefault(section, {})[leaf] = value
        else:
            changed[section] = value
    return changed


def read(*offers: dict[str, Any], **options: Any) -> Inventory:
    """Read a document of these offers."""
    return read_inventory({"version": 1, "offers": list(offers)}, **options)


def read_one(**changes: Any) -> Inventory:
    """Read the plain offer with some fields replaced."""
    return read(offer(**changes))


def skipped(**changes: Any) -> list[str]:
    """Return the warnings about an offer with these changes, read beside the plain one."""
    inventory = read(offer(id="good"), offer(**changes))
    assert inventory.ids == ("good",)
    return [warning.removesuffix("; the offer is skipped") for warning in inventory.warnings]


def written(inventory: Inventory) -> list[dict[str, Any]]:
    """Return the offers of an inventory's document."""
    return cast(list[dict[str, Any]], to_document(inventory)["offers"])


def assert_same(left: Inventory, right: Inventory, but: Iterable[str] = ()) -> None:
    """Check that two inventories hold the same offers, whatever they were read from."""
    assert left.ids == right.ids
    for row in range(len(left)):
        for name in (*left.whole, *left.number, *left.flag, *left.label):
            if name not in but:
                assert left.value(name, row) == right.value(name, row), (left.ids[row], name)
    for column in ("offer", "count", "free_gpus", "free_cpu_milli", "free_memory_mib", "fresh"):
        assert np.array_equal(getattr(left.groups, column), getattr(right.groups, column)), column
    for column in ("nodes", "gpus", "milli", "mig"):
        assert getattr(left.groups, column) == getattr(right.groups, column), column
