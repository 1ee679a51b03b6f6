"""Energy: the efficiency rating, and the emission of one task.

``constraints.energy.energy_efficiency_rating``: the letter, which inventories derive from the PUE where none
is stated. ``constraints.energy.max_carbon_footprint``: one task alone must stay below the cap; what is not
known of power, PUE or carbon intensity fails it.
"""

import numpy as np

from flare_core.candidates.emissions import carbon_ug, emitted_at
from flare_core.candidates.screens.screen import Screen, amount, names, words
from flare_core.candidates.view import View, named
from flare_core.inventory.types import Mask
from flare_core.quantities import format_carbon
from flare_core.requirements.types import Limit

_RATINGS = "ABCDEF"


def _wasteful(view: View, limit: Limit) -> Mask:
    (worst,) = names(limit)
    good = frozenset(_RATINGS[: _RATINGS.index(worst) + 1])
    return ~named(view.inventory.label["efficiency_rating"], good.__contains__)


def _dirty(view: View, limit: Limit) -> Mask:
    every = np.arange(len(view.inventory))
    parts, intensity = view.inside.parts(every), emitted_at(view.inventory, view.needs)
    carbon = carbon_ug(view.needs, view.inventory, every, parts, intensity)
    return ~(carbon <= amount(limit))


ENERGY: tuple[Screen, ...] = (
    Screen("rating", _wasteful, lambda limit: f"{words(limit)} or better"),
    Screen("carbon", _dirty, lambda limit: f"at most {format_carbon(amount(limit) / 1e6)} in all"),
)
