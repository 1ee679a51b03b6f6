"""GPUs: how those of one task are linked, and whether they are whole.

``workload.resources.gpu.interconnect`` and ``topology`` where they are conditions (fallback "fail"),
``multi_gpu_efficiency`` always: some set of as many GPUs as a task takes must do, whether free or not.
Classes of links stand above each other, ``nvswitch`` > ``nvlink`` > ``pcie``; AMD's Infinity Fabric is of the
nvlink class.
``workload.resources.gpu``: one set of free GPUs must have everything that is asked of sets.

``workload.resources.gpu.shared``, ``multi_instance``: where parts of GPUs are to be had, one must cover what
is asked; on an offer that does not share, a shared task takes whole GPUs.
"""

from collections.abc import Callable

import numpy as np

from flare_core.candidates.screens.screen import Screen, amount, words
from flare_core.candidates.view import View
from flare_core.inventory.types import IntArray, Mask
from flare_core.requirements.types import Limit
from flare_core.topology.charts import Wish


def _unlinked(view: View, limit: Limit) -> Mask | None:
    return _no_set(view, lambda wish: Wish(wish.k, least_class=wish.least_class, hard=True))


def _misshapen(view: View, limit: Limit) -> Mask | None:
    # The links of the class that is asked have to make the shape.
    return _no_set(view, lambda wish: Wish(wish.k, wish.least_class, wish.topology, hard=True))


def _inefficient(view: View, limit: Limit) -> Mask | None:
    return _no_set(view, lambda wish: Wish(wish.k, efficiency_ppm=wish.efficiency_ppm))


def _no_set(view: View, part: Callable[[Wish], Wish]) -> Mask | None:
    """Return the offers none of whose sets of GPUs grants this part of the wish.

    Offers with fewer GPUs than a task takes are judged as if they had as many, by their label.
    """
    inside = view.inside
    lacking = [not inside.grants(code, part(inside.wish)) for code in range(len(inside.kinds))]
    return np.array([*lacking, True], np.bool_)[view.inventory.label["gpu_kind"].codes]


def _gpu_set(view: View, limit: Limit) -> Mask | None:
    inside = view.inside
    if not (inside.wish.efficiency_ppm or (inside.wish.hard and (inside.wish[1] or inside.wish[2]))):
        return None
    enough = inside.tasks > 0
    if view.usable is not None:
        enough &= view.usable
    groups = np.flatnonzero(enough)
    good = np.zeros(len(enough), np.bool_)
    good[groups] = _admissible(view, groups)
    return view.any_group(enough) & ~view.any_group(good)


def _admissible(view: View, groups: IntArray) -> Mask:
    keys, charts = view.inside.charted(groups)
    return np.array([chart.most > 0 for chart in charts], np.bool_)[keys]


def _unshared(view: View, limit: Limit) -> Mask | None:
    return view.inside.unshared


GPU: tuple[Screen, ...] = (
    Screen("interconnect", _unlinked, lambda limit: f"{words(limit)} or better"),
    Screen("topology", _misshapen, words),
    Screen("efficiency", _inefficient, lambda limit: f"at least {amount(limit):.6g}"),
    Screen("gpu-set", _gpu_set, lambda limit: "one set of free GPUs with all that is asked of their links"),
    Screen("share", _unshared, lambda limit: "a part of a GPU that covers what is asked"),
)
