"""One kind of shareable GPU, what is taken of one, and what is wanted of a node's."""

from dataclasses import dataclass

from flare_core.catalog.mig import Cut

Kind = int | str
"""A share: so many slots, or the name of a MIG profile."""

State = int | tuple[tuple[str, int], ...]
"""One GPU: its free slots; or the MIG instances in use, ``((profile, start), …)`` by start."""

Vector = tuple[int, ...]
"""How many of each kind or want."""

Place = tuple[int, int]
"""A GPU of the node, and the memory slice at which the instance begins (0 for slots, which have no place)."""


@dataclass(frozen=True, slots=True)
class Card:
    """One kind of shareable GPU; equal for parts that cannot be told apart by cutting them.

    Attributes
    ----------
    slots
        How many slots one GPU has, at least 2; 0 for MIG.
    cuts
        MIG profiles, smallest first: fewest compute slices, then memory slices. Those with a media or
        graphics extension may be in use, and are never chosen.
    core_shares
        What part of the GPU's cores each profile has, 0..1: a row for each different part that this may be.
    """

    slots: int
    cuts: tuple[Cut, ...] = ()
    core_shares: tuple[tuple[float, ...], ...] = ()

    @property
    def compute(self) -> int:
        """Compute slices of one GPU; 0 for slots."""
        return max((cut.compute for cut in self.cuts), default=0)

    @property
    def slices(self) -> tuple[int, int]:
        """Compute and memory slices of one GPU; slots count as both."""
        memory = max((cut.memory for cut in self.cuts), default=0)
        return (self.slots, self.slots) if self.slots else (self.compute, memory)

    def has(self, kind: Kind) -> bool:
        """Whether the card has such a share."""
        if isinstance(kind, int):
            return 0 < kind <= self.slots
        return any(cut.name == kind for cut in self.cuts)

    def cut(self, name: str) -> Cut:
        """Return the profile of that name.

        Raises
        ------
        ValueError
            If the card has none.
        """
        for cut in self.cuts:
            if cut.name == name:
                return cut
        raise ValueError(f"the card has no profile {name!r}")


@dataclass(frozen=True, slots=True)
class Want:
    """Tasks that are alike.

    Attributes
    ----------
    kind
        The share that a task takes of each GPU.
    gpus
        Shares per task, at least 1.
    tasks
        How many such tasks.
    apart
        Whether the shares of one task lie on different GPUs.
    """

    kind: Kind
    gpus: int
    tasks: int
    apart: bool
