"""MIG instances on GPUs that hold some already: seeded fleets and what is wanted of them."""

from collections import Counter
from random import Random
from typing import NamedTuple

from flare_core.catalog.mig import layout_fault
from flare_core.sharing.cards import card_of
from flare_core.sharing.states import state_of
from flare_core.sharing.types import Card
from flare_core.solve.instances import Gpu, Packed, best_fit, first_fit, pack

WANTED = {"1g.10gb": 50, "1g.20gb": 20, "2g.20gb": 20, "3g.40gb": 7, "4g.40gb": 2, "7g.80gb": 1}
"""Profiles of an A100 or H100 of 80 GB, and how often each is wanted, in hundredths."""


def worth(packed: Packed) -> tuple[int, int]:
    """Return what is to be small: fresh GPUs that are cut, then all that are touched."""
    return packed.opened, packed.touched


class Fleet(NamedTuple):
    """GPUs, and how many instances of each profile of `WANTED` they are to take."""

    gpus: tuple[Gpu, ...]
    demand: tuple[int, ...]

    def packed(self) -> Packed | None:
        return pack(self.gpus, tuple(WANTED), self.demand)

    def simple(self) -> tuple[Packed | None, Packed | None]:
        """Return what first fit and best fit make of it."""
        return first_fit(self.gpus, tuple(WANTED), self.demand), best_fit(
            self.gpus, tuple(WANTED), self.demand
        )


def fleet(seed: int, *, instances: int = 200, partly: int = 40, fresh: int = 60, used: int = 3) -> Fleet:
    """Return A100 and H100, so many with up to `used` of 7 compute slices in use and so many fresh ones."""
    random = Random(seed)
    cards = [
        card for model in ("nvidia-a100", "nvidia-h100") if (card := card_of(model, 80 * 1024, "mig", None))
    ]
    gpus = [_partly(random.choice(cards), random, used) for _ in range(partly)]
    gpus += [Gpu(random.choice(cards), ()) for _ in range(fresh)]
    drawn = Counter(random.choices(list(WANTED), list(WANTED.values()), k=instances))
    return Fleet(tuple(gpus), tuple(drawn[profile] for profile in WANTED))


def _partly(card: Card, random: Random, used: int) -> Gpu:
    """Put instances of any profile where the placement table allows them."""
    there: list[tuple[str, int]] = []
    compute = 0
    for _ in range(12):
        cut = random.choice(card.cuts)
        instance = (cut.name, random.choice(cut.starts))
        if compute + cut.compute <= used and layout_fault(card.cuts, [*there, instance]) is None:
            there.append(instance)
            compute += cut.compute
    return Gpu(card, state_of(card, None, tuple(there)))
