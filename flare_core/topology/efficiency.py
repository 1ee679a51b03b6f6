"""What working together costs: how much of their rated speed GPUs keep when they train as one.

The measure is data-parallel training. In every step each GPU computes, then all of them add up their
gradients in one all-reduce. With x = (time of the all-reduce that nothing hides) / (time of computing),

    efficiency = 1 / (1 + x),    x(S) = kappa R / (eta rate(S)),

R being the rating of one GPU and rate(S) the best all-reduce of the set
(:mod:`flare_core.topology.rate`). A gang adds an all-reduce between its nodes, in which a node of
bandwidth b, in one direction, sends and receives every gradient up to twice:

    x = 2 kappa R / (eta_fabric b taper^(span - 1)).

Everything is monotone: no link and no fabric that is added or gets better lowers a figure. How far the
model is off published measurements: ``docs/efficiency.md``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flare_core.topology.graph import LinkGraph
from flare_core.topology.rate import HOST_GBYTES, Floats, Masks, sizes_of, tree_rate, tree_rates
from flare_core.topology.shapes import set_class

PPM: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Model:
    """The constants of the model; all can be replaced.

    Attributes
    ----------
    kappa
        Bytes reduced per floating-point operation that is rated:
        ``2 bytes/parameter * MFU * (1 - overlap) / (6 operations/parameter/token * tokens)``.
        2 bytes: gradients in bfloat16. 6 operations: J. Kaplan et al., "Scaling laws for neural language
        models", 2020 (arXiv:2001.08361), 2.1. MFU 0.4, the part of its rating that a GPU reaches: 38 to
        43 % in the training of Llama 3 (arXiv:2407.21783, 3.3). 8192 tokens for each GPU and step: one
        sequence of that training. Half of the all-reduce hides behind the backward pass: an assumption.
    eta
        What protocols leave of the links' bandwidth, by :class:`~flare_core.topology.graph.LinkClass`
        that joins the set, ascending. NVLink: NCCL reckons with 20 of 25 GB/s a link
        (``src/graph/topo.h``, https://github.com/NVIDIA/nccl). PCIe and the host: measured, see
        ``docs/efficiency.md``.
    host_gbytes
        GB/s in one direction between GPUs without a link.
    eta_fabric
        The same between nodes, InfiniBand and Ethernet alike: measured, see ``docs/efficiency.md``.
    taper
        What each further level of the fabric leaves of a node's bandwidth. An assumption between a fat tree
        without loss (1) and the 1:7 of the upper level that Llama 3 was trained on (arXiv:2407.21783, 3.3.1).
    reference_tflops
        Rating of a GPU whose rating is unknown: NVIDIA A100, dense FP16.
    network_gbps
        Gbit/s of a node whose network is unknown.
    """

    kappa: float = 2 * 0.4 * (1 - 0.5) / (6 * 8192)
    eta: tuple[float, float, float, float] = (0.55, 0.55, 0.8, 0.8)
    host_gbytes: float = HOST_GBYTES
    eta_fabric: float = 0.85
    taper: float = 0.5
    reference_tflops: float = 312.0
    network_gbps: float = 10.0

    def __post_init__(self) -> None:
        if list(self.eta) != sorted(self.eta) or self.taper > 1:
            raise ValueError("a better class of links, or fewer levels of the fabric, must not be slower")


DEFAULT: Final = Model()


def bus_gbytes(graph: LinkGraph, masks: Masks, model: Model = DEFAULT) -> Floats:
    """Return the bus bandwidth that nccl-tests would report for an all-reduce of each set, GB/s.

    Sets are of two or more GPUs. Bus bandwidth: https://github.com/NVIDIA/nccl-tests,
    ``doc/PERFORMANCE.md``.
    """
    size = sizes_of(masks)
    return _reached(graph, masks, model) * (2 * (size - 1) / size)


def efficiency_ppm(
    graph: LinkGraph,
    masks: Masks,
    rating_tflops: float | None,
    stated: float | None,
    model: Model = DEFAULT,
) -> NDArray[np.int64]:
    """Return the efficiency of each set of GPUs, millionths, rounded down.

    Parameters
    ----------
    graph, masks
        The links of the node; bit sets of GPU indices. One GPU alone loses nothing.
    rating_tflops
        Of one GPU; None: unknown.
    stated
        Efficiency that the offer states for all GPUs of the node, 0 to 1: that set has exactly it, another
        one ``x(S) = (1 / stated - 1) rate(all) / rate(S)``.
    """
    if stated is None:
        rating = model.reference_tflops if rating_tflops is None else rating_tflops
        return _ppm(_load(rating, model), _reached(graph, masks, model))
    everything = tree_rate(graph, (1 << graph.gpus) - 1, model.host_gbytes) if graph.gpus > 1 else 1.0
    alone = sizes_of(masks) < 2
    rates = np.where(alone, 1.0, tree_rates(graph, masks, model.host_gbytes))
    return np.where(alone, PPM, _ppm((1 - stated) * everything, stated * rates))


def fabric_ppm(
    rating_tflops: Floats,
    fabric_gbps: Floats,
    network_gbps: Floats,
    span: int,
    model: Model = DEFAULT,
) -> NDArray[np.int64]:
    """Return what offers keep of their performance in a gang, millionths, rounded down.

    Parameters
    ----------
    rating_tflops
        Of one GPU of each offer; NaN: unknown.
    fabric_gbps, network_gbps
        Bandwidth of a node in one direction, Gbit/s: of the fabric, or where that is unknown (NaN) of the
        network.
    span
        Levels of the fabric that the gang spans; 0: it lies on one node and keeps everything.
    """
    known = np.where(np.isnan(network_gbps), model.network_gbps, network_gbps)
    gbytes = np.where(np.isnan(fabric_gbps), known, fabric_gbps) / 8
    if span == 0:
        return np.full(gbytes.shape, PPM, np.int64)
    rating = np.where(np.isnan(rating_tflops), model.reference_tflops, rating_tflops)
    return _ppm(2 * _load(rating, model), model.eta_fabric * gbytes * model.taper ** (span - 1))


def _load(rating_tflops: Floats | float, model: Model) -> Floats | float:
    """Return the GB that each GPU reduces per second of undisturbed computing."""
    return 1000 * model.kappa * rating_tflops


def _reached(graph: LinkGraph, masks: Masks, model: Model) -> Floats:
    """Return the all-reduce rate that protocols leave, GB/s; infinite for one GPU."""
    classes = [set_class(graph, mask) for mask in masks.tolist()]
    eta: Floats = np.array(model.eta)[classes]
    return eta * tree_rates(graph, masks, model.host_gbytes)


def _ppm(load: Floats | float, reached: Floats) -> NDArray[np.int64]:
    """Return 1 / (1 + load / reached) in millionths; a thousandth of one is added for what floats lose."""
    with np.errstate(all="ignore"):
        share = np.where(reached > 0, 1 / (1 + load / reached), 0.0)
    return np.floor(share * PPM + 1e-3).astype(np.int64)
