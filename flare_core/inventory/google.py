"""Google's whole offers: a host and the accelerators it is sold with, from rows that price them apart.

In SkyPilot's catalog a row without instance type is a number of accelerators in a zone, at their own price
(https://github.com/skypilot-org/skypilot-catalog/issues/31); a machine is a host row of the same zone plus
such a row. A2, A3 and G2 machines come with a fixed number of one GPU. N1 machines take 1, 2, 4 or 8 GPUs as
long as the host is not too large for them; every legal pair with an ``n1-standard`` or ``n1-highmem`` host is
one offer (``n1-highcpu`` hosts have too little memory for GPU work and would double the list).

Source of both tables: https://cloud.google.com/compute/docs/gpus (A2, A3, G2 and N1 machine types).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

_FIXED: Final[Mapping[str, tuple[str, int]]] = {
    **{f"a2-highgpu-{n}g": ("A100", n) for n in (1, 2, 4, 8)},
    "a2-megagpu-16g": ("A100", 16),
    **{f"a2-ultragpu-{n}g": ("A100-80GB", n) for n in (1, 2, 4, 8)},
    "a3-highgpu-8g": ("H100", 8),
    **{f"g2-standard-{cpu}": ("L4", 1) for cpu in (4, 8, 12, 16, 32)},
    "g2-standard-24": ("L4", 2),
    "g2-standard-48": ("L4", 4),
    "g2-standard-96": ("L4", 8),
}
"""Host -> the accelerator that it always comes with, and how many."""

_BOUND: Final = re.compile(r"(a2|a3|a4|a4x|g2|g4)-|n1-[0-9]+-[0-9]+-tpu$")
"""Hosts that are not sold without their accelerators."""

_N1: Final = re.compile(r"n1-(standard|highmem)-[0-9]+")

_N1_LIMITS: Final[Mapping[str, Mapping[int, tuple[int, int]]]] = {
    "T4": {1: (48, 312), 2: (48, 312), 4: (96, 624)},
    "P4": {1: (24, 156), 2: (48, 312), 4: (96, 624)},
    "V100": {1: (12, 78), 2: (24, 156), 4: (48, 312), 8: (96, 624)},
    "P100": {1: (16, 104), 2: (32, 208), 4: (96, 624)},
    "K80": {1: (8, 52), 2: (16, 104), 4: (32, 208), 8: (64, 416)},
}
"""GPU -> how many -> the most vCPUs and GiB of memory that an N1 host may have."""

_N1_EXCEPTIONS: Final[Mapping[tuple[str, int, str], tuple[int, int]]] = {
    **{("P100", 4, zone): (64, 208) for zone in ("us-east1-c", "europe-west1-d", "europe-west1-b")},
    **{("K80", 8, zone): (64, 208) for zone in ("us-east1-d", "asia-east1-a")},
}


class Host(NamedTuple):
    """A host row: its number, zone, machine type, milli-vCPUs and MiB."""

    row: int
    zone: str
    name: str
    cpu_milli: int
    memory_mib: int


class Accelerators(NamedTuple):
    """An accelerator row: its number, zone, name and how many."""

    row: int
    zone: str
    name: str
    number: int


class Pair(NamedTuple):
    """A host and accelerators that are sold together, and the machine's name."""

    host: Host
    gpus: Accelerators
    name: str


def sold_alone(machine: str) -> bool:
    """Tell whether a machine type can be had without accelerators."""
    return _BOUND.match(machine) is None


def pairs(hosts: Sequence[Host], accelerators: Sequence[Accelerators]) -> Iterator[Pair]:
    """Yield every host with every number of accelerators of its zone that it is sold with."""
    by_zone: dict[str, list[Accelerators]] = {}
    for gpus in accelerators:
        by_zone.setdefault(gpus.zone, []).append(gpus)
    for host in hosts:
        for gpus in by_zone.get(host.zone, ()):
            if _FIXED.get(host.name) == (gpus.name, gpus.number):
                yield Pair(host, gpus, host.name)
            elif _N1.fullmatch(host.name) and _n1_takes(host, gpus):
                yield Pair(host, gpus, f"{host.name}+{gpus.number}x{gpus.name}")


def _n1_takes(host: Host, gpus: Accelerators) -> bool:
    limits = _N1_EXCEPTIONS.get((gpus.name, gpus.number, gpus.zone)) or _N1_LIMITS.get(gpus.name, {}).get(
        gpus.number
    )
    return limits is not None and host.cpu_milli <= limits[0] * 1000 and host.memory_mib <= limits[1] * 1024
