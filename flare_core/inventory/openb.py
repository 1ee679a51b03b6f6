"""Alibaba's ``openb`` trace: the nodes of a production GPU cluster, and the tasks that ran on it.

Nodes become an inventory: one offer for each kind of node, with as many nodes as there are of it, because
equal nodes are solved together; `openb_node_names` tells which node is which. The trace has no prices: every
offer costs 0 EUR, which is what one's own machines cost, and is billed by GPU, so that tasks of several
intents may share a node. V100M16 and V100M32 are V100 with 16 and 32 GiB; G1, G2 and G3 are undisclosed.

The cluster shares its GPUs: a task takes several whole ones, or a part of one in thousandths (``gpu_milli``).
So every offer with GPUs shares them in 1000 slots, a slot a thousandth, and what is left of a GPU is told by
``node_states[].gpu_milli`` to the thousandth. The trace names no strategy of sharing; it is called
``time-slicing``, which needs nothing of the GPU.

Source: https://github.com/alibaba/clusterdata, ``cluster-trace-gpu-v2023``; Weng et al., "Beware of
Fragmentation", USENIX ATC 2023.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from flare_core.catalog import gpus
from flare_core.errors import InventoryError, found_expected
from flare_core.inventory.build import RawOffers
from flare_core.inventory.cells import (
    BAD,
    RAGGED,
    CellError,
    Cells,
    Skips,
    Tally,
    convert,
    read_cells,
    read_text,
)
from flare_core.inventory.types import UNKNOWN, IntArray, Labels
from flare_core.quantities import format_cpu

NODE_COLUMNS: Final = ("sn", "cpu_milli", "memory_mib", "gpu", "model")
"""Columns by which a node list is known."""
POD_COLUMNS: Final = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli")

PROVIDER: Final = "alibaba"
REGION: Final = "openb"
SLOTS: Final = 1000
"""Slots of one GPU: the trace counts in thousandths."""

_MODELS: Final[Mapping[str, tuple[str, int | None]]] = {
    "V100M16": ("nvidia-v100", 16 * 1024),
    "V100M32": ("nvidia-v100", 32 * 1024),
    "G1": ("alibaba-g1", None),
    "G2": ("alibaba-g2", None),
    "G3": ("alibaba-g3", None),
}
_MAX_WHOLE: Final = 2**40

_Kind = tuple[int, int, int, str]
"""What equal nodes share: milli-cores, MiB, GPUs, the trace's name of the GPU."""


@dataclass(frozen=True, slots=True)
class OpenbPods:
    """The tasks of the trace, a row each, in the order of the file.

    Attributes
    ----------
    names
        Task names.
    cpu_milli, memory_mib, num_gpu, gpu_milli
        What each asks for; ``gpu_milli`` (thousandths of one GPU) matters where ``num_gpu`` is 1.
    gpu_spec
        The GPUs it may run on, in the trace's names joined by ``|``; unknown is any.
    created_s, deleted_s
        Seconds from the start of the trace; -1 where the file has no times.
    """

    names: tuple[str, ...]
    cpu_milli: IntArray
    memory_mib: IntArray
    num_gpu: IntArray
    gpu_milli: IntArray
    gpu_spec: Labels
    created_s: IntArray
    deleted_s: IntArray

    def __len__(self) -> int:
        return len(self.names)


def model_of(name: str) -> tuple[str, int | None] | None:
    """Return the normalised model and the memory, MiB, of a GPU in the trace's words.

    >>> model_of("V100M32"), model_of("T4")
    (('nvidia-v100', 32768), ('nvidia-t4', None))
    """
    if name in _MODELS:
        return _MODELS[name]
    model = gpus.normalize(name)
    return None if model is None else (model, None)


def read_openb_nodes(path: str | Path) -> RawOffers:
    """Read a node list; see the module for what becomes of it.

    Raises
    ------
    InventoryError
        If the file cannot be read as a node list.
    """
    return parse_openb_nodes(read_text(path), str(path))[0]


def parse_openb_nodes(text: str, name: str) -> tuple[RawOffers, Tally]:
    """Read the text of a node list; `name` is the path it came from. See `read_openb_nodes`."""
    cells = read_cells(text, name, NODE_COLUMNS)
    skips = Skips(cells.source)
    kinds = _kinds(cells, skips)
    said = sorted(kinds)
    cards = [model_of(kind[3]) or (None, None) for kind in said]
    offers = RawOffers(
        ids=[_id(kind) for kind in said],
        columns={
            "provider": [PROVIDER] * len(said),
            "region": [REGION] * len(said),
            "nodes": [len(kinds[kind]) for kind in said],
            "hourly_ueur": [0] * len(said),
            "billing": ["gpu"] * len(said),
            "cpu_milli": [kind[0] for kind in said],
            "memory_mib": [kind[1] for kind in said],
            "gpu_count": [kind[2] for kind in said],
            "gpu_model": [model for model, _ in cards],
            "gpu_memory_mib": [memory for _, memory in cards],
            **_sharing([kind[2] > 0 for kind in said]),
        },
        warnings=skips.warnings(),
        source=cells.source,
    )
    used = sum(map(len, kinds.values()))
    return offers, Tally(cells.rows, used, skips.counts, len(said))


def openb_node_names(path: str | Path) -> Mapping[str, tuple[str, ...]]:
    """Return the names of the nodes of each offer, sorted: the k-th is node k of the offer."""
    cells = read_cells(read_text(path), str(path), NODE_COLUMNS)
    kinds = _kinds(cells, Skips(cells.source))
    return MappingProxyType({_id(kind): tuple(sorted(kinds[kind])) for kind in sorted(kinds)})


def read_openb_pods(path: str | Path) -> OpenbPods:
    """Read a task list, the one without times (``multigpu20``) too.

    Raises
    ------
    InventoryError
        With line and column, if anything in it cannot be read.
    """
    cells = read_cells(read_text(path), str(path), POD_COLUMNS)
    if cells.ragged:
        raise InventoryError(f"{cells.source}:{cells.ragged[0]}", f"found {RAGGED}")

    def whole(column: str, parse: Callable[[str], int] = _whole) -> IntArray:
        values = np.array(convert(cells.column(column), parse, BAD), np.int64)
        wrong = np.flatnonzero(values == BAD)
        if len(wrong):
            found = found_expected(cells.column(column)[int(wrong[0])], "a whole number, 0 or more")
            raise InventoryError(f"{cells.source}:{cells.lines[int(wrong[0])]}:{column}", found)
        values.setflags(write=False)
        return values

    return OpenbPods(
        names=tuple(cells.column("name")),
        cpu_milli=whole("cpu_milli"),
        memory_mib=whole("memory_mib"),
        num_gpu=whole("num_gpu"),
        gpu_milli=whole("gpu_milli"),
        gpu_spec=Labels.of(spec or None for spec in cells.column("gpu_spec")),
        created_s=whole("creation_time", _seconds),
        deleted_s=whole("deletion_time", _seconds),
    )


def _kinds(cells: Cells, skips: Skips) -> dict[_Kind, list[str]]:
    """Return the names of the nodes of each kind."""
    skips.add(RAGGED, cells.ragged)
    kinds: dict[_Kind, list[str]] = {}
    columns = [cells.column(name) for name in NODE_COLUMNS]
    for line, (name, cpu, memory, count, model) in zip(cells.lines, zip(*columns, strict=True), strict=True):
        try:
            kind = (_whole(cpu), _whole(memory), _whole(count), model)
            if bool(kind[2]) != bool(model) or (model and model_of(model) is None):
                raise CellError(found_expected(f"{count} × {model!r}", "a number of known GPUs, or none"))
        except CellError as error:
            skips.add(str(error), [line])
        else:
            kinds.setdefault(kind, []).append(name)
    return kinds


def _sharing(gpus: Sequence[bool]) -> dict[str, Sequence[object]]:
    """Return how the GPUs of each offer are shared, where it has any."""
    shared = {"shared": True, "sharing_strategy": "time-slicing", "sharing_slots": SLOTS}
    return {name: [value if there else None for there in gpus] for name, value in shared.items()}


def _id(kind: _Kind) -> str:
    cpu_milli, memory_mib, count, model = kind
    card = f"{model}-{count}-" if count else ""
    return f"{REGION}/{card}cpu{format_cpu(cpu_milli)}-mem{memory_mib}"


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 13 and int(text) <= _MAX_WHOLE):
        raise CellError(found_expected(text, "a whole number, 0 or more"))
    return int(text)


def _seconds(text: str) -> int:
    return _whole(text) if text else UNKNOWN
