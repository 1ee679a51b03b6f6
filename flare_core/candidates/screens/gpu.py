"""GPUs: how they are linked, and whether others use them too.

``workload.resources.gpu.interconnect``: classes stand above each other, ``nvswitch`` > ``nvlink`` > ``pcie``,
and a better one satisfies a lesser one. AMD's Infinity Fabric is of the nvlink class. An offer that
states InfiniBand, a link between nodes, has its GPUs on PCIe.

``workload.resources.gpu.shared``: an offer shares when it says how, and for slots also how many. On an
offer that does not share, a shared task takes whole GPUs.
"""

from flare_core.candidates.screens.screen import Screen, names, words
from flare_core.candidates.view import View, named
from flare_core.inventory.types import Mask
from flare_core.requirements.types import Limit

_CLASS = {"pcie": 1, "infiniband": 1, "infinity-fabric": 2, "nvlink": 2, "nvswitch": 3}
_SLOTTED = frozenset({"time-slicing", "mps"})


def _unlinked(view: View, limit: Limit) -> Mask:
    (asked,) = names(limit)
    least = _CLASS[asked]
    return ~named(view.inventory.label["interconnect"], lambda name: _CLASS.get(name.casefold(), 0) >= least)


def _sharing(view: View, limit: Limit) -> Mask | None:
    shared: Mask = view.inventory.flag["shared"] == 1
    if not shared.any():
        return None
    strategy = view.inventory.label["sharing_strategy"]
    slotted = named(strategy, _SLOTTED.__contains__) & (view.inventory.whole["sharing_slots"] > 1)
    return shared & (named(strategy, "mig".__eq__) | slotted)


GPU: tuple[Screen, ...] = (
    Screen("interconnect", _unlinked, lambda limit: f"{words(limit)} or better"),
    Screen("sharing", _sharing, lambda limit: "part of a GPU"),
)
