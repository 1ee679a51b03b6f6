"""Amounts of constraints as an intent writes them: the units of `Limit.unit`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from flare_core import quantities

UNITS: Mapping[str, Callable[[float], str]] = MappingProxyType(
    {
        "MiB": lambda value: quantities.format_memory(int(value)),
        "milli-cores": lambda value: quantities.format_cpu(int(value)),
        "MHz": quantities.format_clock,
        "Gbit/s": quantities.format_bandwidth,
        "ms": quantities.format_latency,
        "percent": quantities.format_percent,
        "seconds": lambda value: quantities.format_duration(int(value)),
        "EUR/hour": lambda value: quantities.format_rate(int(value)),
        "EUR": lambda value: quantities.format_eur(int(value)),
        "gCO2/h": lambda value: quantities.format_carbon(value / 1e6),
    }
)


def said(unit: str, value: float) -> str:
    """Return an amount in the notation of its unit, the number alone where it has none."""
    return UNITS[unit](value) if unit in UNITS else f"{value:.15g}"
