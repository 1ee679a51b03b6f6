"""The screens: every way in which one offer alone can be unfit.

They stand in one plain table; nothing registers itself. The order in which they are applied is that of
the requirements' limits.
"""

from collections.abc import Mapping
from types import MappingProxyType

from flare_core.candidates.screens.capacity import CAPACITY
from flare_core.candidates.screens.compliance import COMPLIANCE
from flare_core.candidates.screens.cost import COST
from flare_core.candidates.screens.energy import ENERGY
from flare_core.candidates.screens.gpu import GPU
from flare_core.candidates.screens.place import PLACE
from flare_core.candidates.screens.screen import COMPARISONS, Screen
from flare_core.candidates.screens.time import TIME

SCREENS: tuple[Screen, ...] = (
    *COMPARISONS, *GPU, *CAPACITY, *PLACE, *ENERGY, *COMPLIANCE, *COST, *TIME
)  # fmt: skip

BY_RULE: Mapping[str, Screen] = MappingProxyType({screen.rule: screen for screen in SCREENS})
"""Screens by the ``rule`` of the limits that they judge."""
