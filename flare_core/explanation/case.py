"""A rejected intent, as it was written and as it is meant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flare_core.candidates.types import Funnel, FunnelStep
from flare_core.errors import FlareError
from flare_core.intent.json import Json
from flare_core.intent.patch import SPELLINGS, patch_of, patched
from flare_core.intent.types import Intent
from flare_core.inventory.types import Inventory
from flare_core.quantities import format_percent
from flare_core.requirements.lower import lower
from flare_core.requirements.types import Requirements

Values = Mapping[str, Json]
"""What to write at which JSON paths; None takes away what stands there."""


@dataclass(frozen=True, slots=True)
class Case:
    """A rejected intent.

    Attributes
    ----------
    needs
        What it asks.
    funnel
        What its constraints removed.
    inventory
        The offers.
    intent
        As it was written.
    now
        The moment from which the plan is made.
    """

    needs: Requirements
    funnel: Funnel
    inventory: Inventory
    intent: Intent
    now: datetime

    def asked(self, path: str) -> object:
        """Return what is asked at a path, as it was written, or in words where nobody wrote it."""
        said, step = self.written(path), self.step(path)
        if isinstance(said, list) and all(isinstance(one, str) for one in said):  # a set, whatever its order
            return ", ".join(sorted(map(str, said)))
        if isinstance(said, bool):
            return "true" if said else "false"
        if isinstance(said, str | int | float):
            return said
        if step is not None:
            persistent = step.rule == "has" and path == "workload.storage.volumes"
            return "persistent" if persistent else step.asked
        joint = self.needs.availability
        return said if joint is None else f"at least {format_percent(100 * joint)}"  # of several tasks

    def written(self, path: str) -> Json:
        """Return what the intent says at a path, in whichever spelling; None where it says nothing."""
        other = SPELLINGS.get(path)
        said = self.intent.written(path)
        return self.intent.written(other) if said is None and other else said

    def step(self, path: str) -> FunnelStep | None:
        """Return the step of the funnel at a path that removes the most."""
        own = [step for step in self.funnel.steps if step.path == path]
        return max(own, key=lambda step: step.alone, default=None)

    def patch(self, values: Values) -> dict[str, Json]:
        """Return the merge patch that writes `values` into the intent."""
        return patch_of(self.intent, values)

    def reasked(self, values: Values) -> Requirements | None:
        """Return what the intent with `values` written into it asks; None where it would be no intent."""
        try:
            return lower(patched(self.intent, self.patch(values)), now=self.now)
        except FlareError:
            return None
