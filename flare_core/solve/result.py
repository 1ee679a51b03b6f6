"""What a search established."""

from dataclasses import dataclass

from flare_core.placement.packing import Packing
from flare_core.placement.types import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The answer of a search and how good it is proven to be.

    Attributes
    ----------
    packing
        The best packing known; nothing placed where none is.
    outcome
        OPTIMAL: no packing is better. FEASIBLE: stopped before the proof. UNKNOWN: nothing placed, nothing
        proven. INFEASIBLE: proven that nothing can be placed.
    bound
        Proven: no packing that places as many has a smaller primary value; None where nothing is proven.
    placed_bound
        Proven: no packing places intents of more weight (millionths of priority).
    left_proven
        Whether who is left out is proven to have no place beside the others, though the plan is not the best.
    path
        Which path answered: ``screen``, ``capacity``, ``closed form``, ``cp-sat`` or ``greedy``.
    warnings
        What cut the search short.
    effort
        CP-SAT deterministic time spent.
    """

    packing: Packing
    outcome: Outcome
    bound: int | None
    placed_bound: int
    path: str
    warnings: tuple[str, ...] = ()
    effort: float = 0.0
    left_proven: bool = False

    def __post_init__(self) -> None:
        found = any(self.packing)
        if found != (self.outcome in (Outcome.OPTIMAL, Outcome.FEASIBLE)):
            raise ValueError(f"{self.outcome} with {self.packing}")
