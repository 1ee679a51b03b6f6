"""Kinds of GPUs: everything that an offer says about the inside of its nodes' GPUs, once for each kind.

Thousands of offers have a few dozen kinds. What follows from a kind alone (how its GPUs are linked, how they
can be cut) is looked up by the code of the label ``gpu_kind``, not offer by offer.
"""

import json
from functools import lru_cache
from typing import NamedTuple

from flare_core.inventory.enrich import distinct, value_of
from flare_core.inventory.table import Table


class GpuKind(NamedTuple):
    """The GPUs of a node, None where a thing is unknown; fields are columns of the inventory."""

    gpu_count: int
    gpu_model: str | None
    gpu_memory_mib: int | None
    gpu_cores: int | None
    fp32_tflops: float | None
    rating_tflops: float | None
    interconnect: str | None
    interconnect_gbps: float | None
    topology: str | None
    links: str | None
    multi_gpu_efficiency: float | None
    shared: bool | None
    sharing_strategy: str | None
    sharing_slots: int | None

    @property
    def strategy(self) -> str | None:
        """How one GPU is shared: ``mig``, ``time-slicing`` or ``mps``; None where it is not."""
        return self.sharing_strategy if self.shared else None


def fill_gpu_kinds(table: Table) -> None:
    """Say for every offer which kind its GPUs are."""
    which, examples = distinct(table, GpuKind._fields)
    table.overwrite("gpu_kind", [_text(table, row) for row in examples], which)


def _text(table: Table, row: int) -> str:
    said = [value_of(table, name, row) for name in GpuKind._fields]
    return json.dumps(said, separators=(",", ":"))


@lru_cache(maxsize=65_536)
def read_kind(text: str) -> GpuKind:
    """Return the kind that a value of the label ``gpu_kind`` stands for."""
    kind = GpuKind(*json.loads(text))
    return kind._replace(shared=None if kind.shared is None else bool(kind.shared))
