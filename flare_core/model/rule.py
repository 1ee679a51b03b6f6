"""What a rule is: a value that states itself to the solver and to a finished placement."""

from collections.abc import Iterator
from typing import Protocol, Self, runtime_checkable

from flare_core.model.draft import Draft
from flare_core.placement.packing import Packing, Problem


class Rule(Protocol):
    """A constraint that couples tasks or intents.

    ``path`` is its JSON path in the intent (empty for what no intent states, such as capacity) and
    ``unit`` the unit in which it could be relaxed.
    """

    @property
    def path(self) -> str:
        """JSON path in the intent."""
        ...

    @property
    def unit(self) -> str:
        """Unit of relaxation."""
        ...

    @classmethod
    def read(cls, problem: Problem) -> Iterator[Self]:
        """Yield the rules of this family that `problem` asks for."""
        ...

    def post(self, draft: Draft) -> None:
        """State the rule to the solver."""
        ...

    def audit(self, problem: Problem, packing: Packing) -> Iterator[str]:
        """Yield what in `packing` breaks the rule, with figures."""
        ...


@runtime_checkable
class Lazy(Protocol):
    """A rule that the model holds only in part: answers that break the rest are excluded one by one."""

    def cut(self, draft: Draft, packing: Packing) -> bool:
        """Exclude what breaks the rule in `packing`; return whether there was anything."""
        ...
