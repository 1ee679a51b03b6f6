"""Whether MIG instances fit on one GPU, by the vendor's placement table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flare_core.catalog.mig import MigProfile, profiles_of

if TYPE_CHECKING:
    from flare_core.catalog.gpus import GpuPart


def fit(parts: Sequence["GpuPart"], there: Sequence[tuple[str, int]], more: Sequence[str]) -> bool:
    """Whether instances fit on a GPU, whichever of some parts it is.

    Parameters
    ----------
    parts
        The parts that the GPU may be.
    there
        Profile and first memory slice of the instances that are on it.
    more
        Profiles of the instances that come.
    """
    return bool(parts) and all(
        _fit({profile.profile: profile for profile in profiles_of(part.sku)}, there, more) for part in parts
    )


def _fit(table: Mapping[str, MigProfile], there: Sequence[tuple[str, int]], more: Sequence[str]) -> bool:
    count = Counter([*(profile for profile, _ in there), *more])
    if any(name not in table or n > table[name].max_instances for name, n in count.items()):
        return False
    taken = 0
    for name, start in there:
        slices = _slices(table[name], start)
        if taken & slices or start not in table[name].starts:
            return False
        taken |= slices
    # Those with the fewest starts first: the others have more ways to give way.
    return _place(taken, sorted((table[name] for name in more), key=lambda profile: len(profile.starts)))


def _slices(profile: MigProfile, start: int) -> int:
    """Return the memory slices of an instance as a set of bits."""
    return ((1 << profile.memory_slices) - 1) << start


def _place(taken: int, more: Sequence[MigProfile]) -> bool:
    """Whether each instance has a start such that no memory slice is taken twice."""
    if not more:
        return True
    ways = (_slices(more[0], start) for start in more[0].starts)
    return any(_place(taken | way, more[1:]) for way in ways if not taken & way)
