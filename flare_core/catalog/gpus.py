"""The GPU table: what a model is, and which model a name means.

A *model* (``nvidia-a100``) is what an intent asks for; a *part* (``nvidia-a100-sxm4-80gb``) is what
a vendor builds. One model has one or several parts, so a model alone often leaves a fact open:
:func:`parts_fitting` keeps the parts that what is known allows, :func:`agreed` gives a fact only
where all of them state the same.

Tiers: where the API reference names a model's tier, that one; for the rest this table's own:
data-centre training parts are premium, their smaller siblings and workstation cards standard,
single-slot data-centre cards inference, large consumer cards gaming, small or old cards budget.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from flare_core.catalog._tables import Row, number, rows, text, whole

TIERS = ("premium", "standard", "inference", "gaming", "budget")
"""The reference's tiers from the top down."""

ARCHITECTURES = (
    *("blackwell-ultra", "blackwell", "hopper", "ada-lovelace", "ampere"),
    *("turing", "volta", "pascal", "maxwell", "kepler"),
    *("cdna4", "cdna3", "cdna2", "cdna", "rdna3", "rdna2", "rdna1", "gcn5"),
)
"""Every architecture of the table, vendor by vendor, newest first."""

INTERCONNECTS = ("nvswitch", "nvlink", "infiniband", "pcie")
"""What an intent may ask for. ``infiniband`` is between nodes, the others are inside one."""

LINK_CLASSES = ("nvswitch", "nvlink", "infinity-fabric", "pcie")
"""What connects the GPUs of one node, best first; AMD's Infinity Fabric counts as NVLink's class."""

NOMINAL_TOLERANCE = 0.07
"""A reported size this close to a part's marketed size is that part's (an L40S shows 46068 of 49152 MiB)."""

Fact = str | int | float | None


@dataclass(frozen=True, slots=True)
class GpuPart:
    """One part of the table; ``None`` is unknown.

    Attributes
    ----------
    sku, model, name
        Key of the part; normalised model; the vendor's name.
    memory_mib, observed_memory_mib
        Marketed size (GB read as GiB); what the driver shows where that was seen.
    cores
        CUDA cores, or stream processors.
    clock_mhz
        Boost clock.
    fp32_tflops, fp16_dense_tflops
        Vector FP32; tensor FP16 without sparsity (GeForce: with FP32 accumulation).
    tdp_w
        Board power of one GPU, W.
    compute_capability
        NVIDIA's; None for other vendors.
    link_type, link_gbps, link_domain_max_gpus
        Direct links between GPUs (``none``, ``nvlink4``, ``nvlink3-bridge``, ...); both directions
        added, Gbit/s; how many GPUs one fabric joins.
    switched_from_gpus
        Nodes with at least so many of this part join them over NVSwitch.
    mig_max_instances
        0: no MIG.
    """

    sku: str
    model: str
    vendor: str
    name: str
    architecture: str | None
    memory_mib: int | None
    cores: int | None
    clock_mhz: float | None
    fp32_tflops: float | None
    fp16_dense_tflops: float | None
    tdp_w: float | None
    compute_capability: float | None
    form_factor: str | None
    link_type: str | None
    link_gbps: float | None
    link_domain_max_gpus: int | None
    switched_from_gpus: int | None
    mig_max_instances: int | None
    tier: str | None
    observed_memory_mib: int | None
    source: str


def _part(row: Row) -> GpuPart:
    memory_gib, link = whole(row["memory_gib"]), number(row["link_gbytes_per_s"])
    return GpuPart(
        sku=row["sku"],
        model=row["model"],
        vendor=row["vendor"],
        name=row["name"],
        architecture=text(row["architecture"]),
        memory_mib=None if memory_gib is None else memory_gib * 1024,
        cores=whole(row["cores"]),
        clock_mhz=number(row["clock_mhz"]),
        fp32_tflops=number(row["fp32_tflops"]),
        fp16_dense_tflops=number(row["fp16_dense_tflops"]),
        tdp_w=number(row["tdp_w"]),
        compute_capability=number(row["compute_capability"]),
        form_factor=text(row["form_factor"]),
        link_type=text(row["link_type"]),
        link_gbps=None if link is None else link * 8,
        link_domain_max_gpus=whole(row["link_domain_max_gpus"]),
        switched_from_gpus=whole(row["switched_from_gpus"]),
        mig_max_instances=whole(row["mig_max_instances"]),
        tier=text(row["tier"]),
        observed_memory_mib=whole(row["observed_memory_mib"]),
        source=row["source"],
    )


@cache
def parts() -> tuple[GpuPart, ...]:
    """Return every part, the parts of one model together."""
    return tuple(_part(row) for row in rows("gpus.csv"))


@cache
def _by_model() -> dict[str, tuple[GpuPart, ...]]:
    return {model: tuple(p for p in parts() if p.model == model) for model in models()}


@cache
def models() -> frozenset[str]:
    """Return the normalised names of all known models."""
    return frozenset(part.model for part in parts())


def parts_of(model: str) -> tuple[GpuPart, ...]:
    """Return the parts of a normalised model name; none for an unknown one."""
    return _by_model().get(model, ())


# --- names ---------------------------------------------------------------------------------------

# Words that never tell one model from another. "Ti", "SUPER", "Ada", "PRO", "Laptop" do, and stay.
_VENDORS = {"nvidia": "NVIDIA", "amd": "AMD", "ati": "AMD", "alibaba": "Alibaba"}
_NOISE = frozenset(
    {"tesla", "geforce", "instinct", "radeon", "graphics", "gpu", "card", "accelerator", "tensor", "core"}
    | {"generation", "edition", "superchip", "grace", "hopper", "blackwell", "ampere", "corporation"}
    | {"nvlink", "nvl72", "oam", "vf", "shared"}
    | {"hbm2", "hbm2e", "hbm3", "hbm3e", "gddr6", "gddr6x", "gddr7"}
)
_FORMS = {"sxm": "-sxm", "hgx": "-sxm", "dgx": "-sxm", "pcie": "-pcie", "pci": "-pcie", "nvl": "-nvl"}
_MARKS = re.compile(r"[®™]|\((?:r|tm)\)")
_MIG_SUFFIX = re.compile(r"\bmig\b.*")
_GLUED_FORM = re.compile(r"(?<=\d)(sxm\d?|pcie|nvl)\b")
_MAX_Q = re.compile(r"\bmax q\b")
_MEMORY = re.compile(r"\b(\d+) ?(?:gib|gb|gi|g)\b")


class _Spelling(NamedTuple):
    """A name taken apart: what identifies the model, and what only narrows its parts."""

    key: str
    memory_gb: int | None
    form: str | None
    vendor: str | None


def _spelled(name: str) -> _Spelling:
    plain = re.sub(r"[^a-z0-9]+", " ", _MARKS.sub(" ", name.casefold())).strip()
    plain = _MAX_Q.sub("maxq", _GLUED_FORM.sub(r" \1", _MIG_SUFFIX.sub("", plain)))
    sizes = _MEMORY.findall(plain)
    key, form, vendor = "", None, None
    for word in _MEMORY.sub(" ", plain).split():
        stem = word.rstrip("0123456789") if word.startswith("sxm") else word
        if word in _VENDORS:
            vendor = _VENDORS[word]
        elif stem in _FORMS:
            form = form or _FORMS[stem]
        elif word not in _NOISE:
            key += word
    return _Spelling(key, int(sizes[0]) if sizes else None, form, vendor)


@cache
def _keys() -> dict[str, tuple[str, str | None]]:
    """Map the key of every spelling to its model and, where it names one, a piece of the SKU."""
    known: dict[str, tuple[str, str | None]] = {_spelled(model).key: (model, None) for model in models()}
    known.update({row["key"]: (row["model"], text(row["sku_part"])) for row in rows("gpu_aliases.csv")})
    return known


def _lookup(spelling: _Spelling) -> tuple[str, str | None] | None:
    """Return the model and the piece of the SKU that a spelling names; a wrong vendor names nothing."""
    with_memory = f"{spelling.key}@{spelling.memory_gb}gb"
    found = _keys().get(with_memory) or _keys().get(spelling.key)
    if found and spelling.vendor and parts_of(found[0])[0].vendor != spelling.vendor:
        return None
    return found


def normalize(name: str) -> str | None:
    """Return the normalised model that a spelling means; None where it is not a known GPU.

    Case, punctuation, vendor and brand words, form factor, memory type and size do not matter;
    words that tell cards apart (Ti, SUPER, Ada, Laptop) do, so that nothing is taken for its
    neighbour.

    >>> normalize("NVIDIA H100 80GB HBM3"), normalize("A100-80GB"), normalize("RTX 4090 Laptop GPU")
    ('nvidia-h100', 'nvidia-a100', None)
    """
    found = _lookup(_spelled(name))
    return found[0] if found else None


def parts_named(name: str) -> tuple[GpuPart, ...]:
    """Return the parts that a spelling allows: all of the model's, less what size and form rule out.

    >>> [part.sku for part in parts_named("A100-80GB")]
    ['nvidia-a100-sxm4-80gb', 'nvidia-a100-pcie-80gb']
    """
    spelling = _spelled(name)
    found = _lookup(spelling)
    if found is None:
        return ()
    model, sku_part = found
    if sku_part is not None:
        return tuple(part for part in parts_of(model) if sku_part in part.sku)
    fitting = parts_of(model)
    if spelling.memory_gb is not None:
        fitting = tuple(part for part in fitting if _is_size_of(part, spelling.memory_gb * 1024))
    form = spelling.form
    if form is not None and any(form in part.sku for part in fitting):
        fitting = tuple(part for part in fitting if form in part.sku)
    return fitting


def default_part(name: str) -> GpuPart | None:
    """Return the part that a spelling names; None where its memory size stays open.

    Where only the form factor stays open ("A100-80GB") this is the first of the table, the SXM
    part: good for a label, not for filling in facts (:func:`parts_named` with :func:`agreed`).
    """
    named = parts_named(name)
    return named[0] if named and len({part.memory_mib for part in named}) == 1 else None


# Google's TPUs, AWS's and Intel's chips, FPGAs, video cards: offered beside GPUs, none of them one.
_OTHER = re.compile(
    r"\b(?:c?tpu\w*|ct\d\w*|v\d+litepod\w*|v[2-6][ep]? \d+|v[56][ep]|inferentia\d*|trainium\d*|neuron\w*"
    r"|gaudi\d*|habana|hl \d+|ai ?100|qualcomm|fpga|virtex|vu\d+p|xilinx|alveo|arria|agilex|stratix"
    r"|netint|t408|graphcore|ipu|cerebras|groq|tenstorrent|wormhole|ascend\w*)\b"
)


def is_other_accelerator(name: str) -> bool:
    """Tell whether a name is known as an accelerator that is no GPU (TPU, Gaudi, FPGA, ...)."""
    return _OTHER.search(re.sub(r"[^a-z0-9]+", " ", name.casefold())) is not None


def near(name: str, n: int = 3) -> tuple[str, ...]:
    """Return up to ``n`` known models whose names are most like this one, best first."""
    from difflib import SequenceMatcher  # costly to import, needed only for an error message

    asked = name.casefold()

    def likeness(model: str) -> float:
        bare = model.partition("-")[2]  # a name without vendor is compared with names without vendor
        return max(SequenceMatcher(None, asked, each).ratio() for each in (model, bare))

    meant = normalize(name)
    ranked = sorted(models(), key=lambda model: (model != meant, -likeness(model), model))
    return tuple(model for model in ranked if model == meant or likeness(model) >= 0.5)[:n]


# --- facts ---------------------------------------------------------------------------------------


def _is_size_of(part: GpuPart, reported_mib: int) -> bool:
    if part.memory_mib is None:
        return False
    close = abs(reported_mib - part.memory_mib) <= NOMINAL_TOLERANCE * part.memory_mib
    return close or reported_mib == part.observed_memory_mib


def nominal_memory_mib(model: str, reported_mib: int) -> int:
    """Return the marketed size, MiB, of the model's part that shows this size.

    A size that belongs to no part of the model (or a model that is not known) is returned as it is.

    >>> nominal_memory_mib("nvidia-h100", 81559)
    81920
    """
    sizes = {part.memory_mib for part in parts_of(model) if _is_size_of(part, reported_mib)} - {None}
    return min(
        (s for s in sizes if s is not None), key=lambda s: (abs(s - reported_mib), s), default=reported_mib
    )


def _near_rating(known: float | None, stated: float | None, tolerance: float) -> bool:
    return known is None or stated is None or abs(known - stated) <= tolerance * known


def _could_be_linked(part: GpuPart, interconnect: str | None) -> bool:
    """Tell whether nodes of this part may have that class of links; a bridge is optional."""
    if part.link_type is None or interconnect not in LINK_CLASSES:
        return True
    if interconnect == "pcie":
        return (part.form_factor or "").startswith("PCIe")
    if interconnect == "nvswitch":
        return part.switched_from_gpus is not None
    family = "infinity-fabric" if interconnect == "infinity-fabric" else "nvlink"
    return part.link_type.startswith(family)


def parts_fitting(
    model: str,
    *,
    memory_mib: int | None = None,
    cores: int | None = None,
    clock_mhz: float | None = None,
    fp32_tflops: float | None = None,
    power_w: float | None = None,
    interconnect: str | None = None,
    name: str | None = None,
) -> tuple[GpuPart, ...]:
    """Return the parts of a model that contradict nothing of what is stated.

    Parameters
    ----------
    memory_mib
        Compared on nominal size; marketed or reported.
    cores, clock_mhz, fp32_tflops, power_w
        Cores exactly; clock within 1 %, TFLOPS within 3 %, power within 1 % (rounded figures).
    interconnect
        One of :data:`LINK_CLASSES`; others say nothing about a part.
    name
        A spelling, as for :func:`parts_named`; one of another model rules out every part.
    """
    named = parts_of(model) if name is None else parts_named(name)
    memory = None if memory_mib is None else nominal_memory_mib(model, memory_mib)
    return tuple(
        part
        for part in named
        if part.model == model
        and (memory is None or part.memory_mib in (None, memory))
        and (cores is None or part.cores in (None, cores))
        and _near_rating(part.clock_mhz, clock_mhz, 0.01)
        and _near_rating(part.fp32_tflops, fp32_tflops, 0.03)
        and _near_rating(part.tdp_w, power_w, 0.01)
        and _could_be_linked(part, interconnect)
    )


def _values(fitting: Sequence[GpuPart], field: str) -> set[Fact]:
    return {getattr(part, field) for part in fitting}


def agreed(fitting: Sequence[GpuPart], field: str) -> Fact:
    """Return the value of a field where all parts state the same one, else None."""
    values = _values(fitting, field)
    return values.pop() if len(values) == 1 else None


def lowest(fitting: Sequence[GpuPart], field: str) -> float | None:
    """Return the lowest value of a numeric field; None where any part leaves it unknown."""
    values = [value for value in _values(fitting, field) if isinstance(value, int | float)]
    return min(values) if values and len(values) == len(_values(fitting, field)) else None


def interconnect_class(part: GpuPart, gpu_count: int) -> str | None:
    """Return what joins the GPUs of one node with ``gpu_count`` of this part.

    Returns
    -------
    str or None
        One of :data:`LINK_CLASSES`. None: one GPU (nothing to join), a bridge (optional), or more
        GPUs than one fabric takes. Fewer GPUs than a switched board has count as ``nvlink`` even
        if they are cut from such a board: true of both.

    Notes
    -----
    Switched: HGX boards with 8 A100 or later, DGX-2 with 16 V100, all of GB200 and GB300. Four A100
    or H100 SXM on a board and up to 8 V100 are joined by NVLink directly. Source: the HGX, DGX and
    NVL72 datasheets.
    """
    kind, most = part.link_type, part.link_domain_max_gpus
    if kind == "none":
        return "pcie" if gpu_count > 1 else None
    if kind is None or kind.endswith("-bridge") or gpu_count < 2 or (most or 0) < gpu_count:
        return None
    if kind == "infinity-fabric":
        return kind
    switched = part.switched_from_gpus is not None and gpu_count >= part.switched_from_gpus
    return "nvswitch" if switched else "nvlink"


def is_vendor_prefixed(name: str) -> bool:
    """Whether a lower-case model name has the form ``vendor-model``, as ``acme-x1``, known or not."""
    return VENDOR_PREFIXED.fullmatch(name) is not None and _FAMILY.match(name) is None


VENDOR_PREFIXED = re.compile(r"[a-z]{2,}[a-z0-9]*(?:-[a-z0-9]+(?:[.+][a-z0-9]+)*)+")
# Families, not vendors: such a name is a spelling that the table does not know.
_FAMILY = re.compile(r"(rtx|gtx|tesla|geforce|quadro|radeon|instinct|rx|titan)-")
