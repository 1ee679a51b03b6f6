"""GPU texts of catalogs: which model, how much memory one GPU has, which parts the name allows.

SkyPilot's ``GpuInfo`` comes as a Python dictionary, the same with JSON's ``null``, JSON, in lower case, as a
bare name, or not at all; and its sizes are of one GPU or of all of them, whichever the cloud's scraper took.
So nothing is evaluated: the few fields that matter are looked for, and a size counts as what it can be.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

from flare_core.catalog import gpus
from flare_core.catalog.gpus import GpuPart
from flare_core.inventory.table import Values

_FIELD: Final = re.compile(
    r"""["'](name|sizeinmib|totalgpumemoryinmib)["']\s*:\s*(?:'([^']*)'|"([^"]*)"|([0-9.]{1,20}))""",
    re.IGNORECASE,
)

OTHER: Final = "an accelerator that is no GPU"
SHARE: Final = "a share of a GPU, which is not sold whole"

_AZURE: Final[Mapping[str, Fraction]] = {
    **{f"Standard_NV{cpu}ads_A10_v5": Fraction(cpu, 36) for cpu in (6, 12, 18)},
    **{f"Standard_NV{cpu}as_v4": Fraction(cpu, 32) for cpu in (4, 8, 16)},
    "Standard_ND96is_H100_v5": Fraction(8),
    "Standard_ND96isr_H100_v5": Fraction(8),
}

_COLUMNS: Final = {
    "gpu_model": "model",
    "gpu_memory_mib": "memory_mib",
    "gpu_cores": "cores",
    "fp32_tflops": "fp32_tflops",
    "power_w": "tdp_w",
}
_FACTS: Final = ("cores", "fp32_tflops", "tdp_w")


@dataclass(frozen=True, slots=True)
class Gpu:
    """What the texts of a row say about one GPU of it; None is unknown.

    ``cores``, ``fp32_tflops`` and ``tdp_w`` are known only where the name says more than the model does.
    """

    model: str
    memory_mib: int | None = None
    cores: int | None = None
    fp32_tflops: float | None = None
    tdp_w: float | None = None


@lru_cache(maxsize=4096)
def read_gpu(names: tuple[str, ...], count: int, info: str = "") -> Gpu | None:
    """Return what is said about one GPU.

    Parameters
    ----------
    names
        Spellings of the name, the most telling first: the first known one tells the model.
    count
        GPUs of the machine, at least 1.
    info
        A ``GpuInfo`` text.

    Returns
    -------
    None where none of the names is a known GPU.
    """
    stated = _fields(info)
    spellings = [name for name in (*names, stated.get("name", "")) if gpus.normalize(name)]
    if not spellings:
        return None
    parts = _parts(spellings)
    model = parts[0].model
    size, total = (_whole(stated.get(key)) for key in ("sizeinmib", "totalgpumemoryinmib"))
    memory = _memory_of_one(parts, count, size, total)
    return Gpu(model, memory, **_named_facts(model, parts, memory))  # type: ignore[arg-type]  # by name


def _parts(spellings: Sequence[str]) -> tuple[GpuPart, ...]:
    """Return the parts that the first spelling allows, less what the others rule out."""
    parts = gpus.parts_named(spellings[0]) or gpus.parts_of(gpus.normalize(spellings[0]) or "")
    for spelling in spellings[1:]:
        allowed = gpus.parts_named(spelling)
        parts = tuple(part for part in parts if part in allowed) or parts
    return parts


def _fields(info: str) -> dict[str, str]:
    if "{" not in info:
        return {"name": info}
    found: dict[str, str] = {}
    for key, single, double, number in _FIELD.findall(info):
        found.setdefault(key.lower(), single or double or number)
    return found


def _whole(text: str | None) -> int:
    try:
        return int(float(text or 0))
    except ValueError:
        return 0


def _memory_of_one(parts: Sequence[GpuPart], count: int, size: int, total: int) -> int | None:
    """Return the memory of one GPU, MiB, from a size and a total that may each be of one GPU or of all.

    Of the readings, the first that is a size of the model counts. Where the total repeats the size of
    several GPUs, it cannot be told which of the two is right: then the smaller reading comes first, so that
    no more is promised than there is. Without a match, a size that the total confirms is believed.
    """
    model = parts[0].model
    size = size or total
    readings = [size // count, size] if total == size else [size, size // count]
    for reading in readings if size else ():
        nominal = gpus.nominal_memory_mib(model, reading)
        if any(part.memory_mib == nominal for part in parts):
            return nominal
    named = {part.memory_mib for part in parts}
    if len(named) == 1 and len(gpus.parts_of(model)) > len(parts):
        return named.pop()
    return size if size and (count == 1 or total == size * count) else None


def _named_facts(model: str, parts: Sequence[GpuPart], memory: int | None) -> dict[str, gpus.Fact]:
    if len(parts) == len(gpus.parts_of(model)):
        return {}
    fitting = [part for part in parts if memory is None or part.memory_mib in (None, memory)]
    return {field: gpus.agreed(fitting, field) for field in _FACTS} if fitting else {}


def counted_gpus(provider: str, machine: str) -> Fraction | None:
    """Return how many GPUs a machine type really has, where catalogs are known to count them wrongly.

    Azure's sizes with a share of an A10 or MI25 are listed as one GPU, and 8 H100 as 12 (one for 8 vCPUs).
    Source: Azure's size tables of the series NVadsA10 v5, NVv4 and ND H100 v5,
    https://learn.microsoft.com/azure/virtual-machines/sizes/overview.
    """
    return _AZURE.get(machine) if provider == "azure" else None


def gpu_columns(said: Sequence[Gpu | None]) -> dict[str, Values]:
    """Return the columns of an inventory that GPUs fill; None is an offer without."""
    return {
        column: [None if gpu is None else getattr(gpu, field) for gpu in said]
        for column, field in _COLUMNS.items()
    }
