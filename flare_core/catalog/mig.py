"""MIG profiles: how a GPU can be cut, and where each cut may begin.

An instance takes ``memory_slices`` consecutive memory slices of the GPU's (8, or 4 on A30 and RTX
PRO 6000), may begin only at one of ``starts``, and must not overlap another. Free slices alone
do not say what fits: with a ``3g`` at slice 0 no ``4g`` fits, since that begins only at 0.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from flare_core.catalog._tables import Row, number, rows, whole
from flare_core.catalog.gpus import parts


@dataclass(frozen=True, slots=True)
class MigProfile:
    """One way to cut an instance from one part.

    Attributes
    ----------
    sku, profile
        The part; the vendor's name (``1g.10gb``, ``1g.10gb+me``).
    compute_slices, memory_slices
        Of 7 and 8 (4 and 4 on A30 and RTX PRO 6000).
    max_instances
        How many of this profile one GPU takes.
    starts
        Memory slices at which an instance may begin, ascending.
    memory_mib, usable_memory_mib
        By the profile's nominal name; as the driver shows it (None: not published).
    multiprocessors
        Streaming multiprocessors of the instance (None: not published).
    extension
        "" for a plain profile, else ``+me``, ``-me``, ``+gfx``, ``+me.all``.
    placements_published
        False: the starts are derived from the same geometry on a sister part.
    """

    sku: str
    profile: str
    profile_id: int | None
    compute_slices: int
    memory_slices: int
    max_instances: int
    starts: tuple[int, ...]
    memory_mib: int
    usable_memory_mib: float | None
    multiprocessors: int | None
    extension: str
    placements_published: bool
    source: str


def _profile(row: Row) -> MigProfile:
    plain = f"{row['compute_slices']}g.{row['memory_gib']}gb"
    usable = number(row["usable_memory_gib"])
    return MigProfile(
        sku=row["sku"],
        profile=row["profile"],
        profile_id=whole(row["profile_id"]),
        compute_slices=int(row["compute_slices"]),
        memory_slices=int(row["memory_slices"]),
        max_instances=int(row["max_instances"]),
        starts=tuple(int(start) for start in row["placement_starts"].split()),
        memory_mib=int(row["memory_gib"]) * 1024,
        usable_memory_mib=None if usable is None else usable * 1024,
        multiprocessors=whole(row["multiprocessors"]),
        extension=row["profile"].removeprefix(plain),
        placements_published=row["placements"] == "published",
        source=row["source"],
    )


@cache
def _by_sku() -> dict[str, tuple[MigProfile, ...]]:
    found: dict[str, list[MigProfile]] = {}
    for row in rows("mig_profiles.csv"):
        found.setdefault(row["sku"], []).append(_profile(row))
    # Smallest first in the order in which a profile is chosen; a plain one before its variants.
    return {
        sku: tuple(sorted(some, key=lambda p: (p.compute_slices, p.memory_slices, p.profile)))
        for sku, some in found.items()
    }


def profiles_of(sku: str) -> tuple[MigProfile, ...]:
    """Return the part's profiles, fewest compute slices first, then fewest memory slices."""
    return _by_sku().get(sku, ())


@dataclass(frozen=True, slots=True)
class Cut:
    """A profile by its geometry alone: equal for parts that are cut alike.

    Attributes
    ----------
    name, compute, memory, most, starts, memory_mib
        As `profile`, `compute_slices`, `memory_slices`, `max_instances`, `starts`, `memory_mib` of a profile.
    plain
        Whether it is without a media or graphics extension.
    """

    name: str
    compute: int
    memory: int
    most: int
    starts: tuple[int, ...]
    memory_mib: int
    plain: bool

    def mask(self, start: int) -> int:
        """Return the memory slices of an instance that begins at `start`, as a set of bits."""
        return ((1 << self.memory) - 1) << start


@cache
def cuts_of(sku: str) -> tuple[Cut, ...]:
    """Return how the part can be cut, in the order of :func:`profiles_of`."""
    return tuple(
        Cut(
            p.profile,
            p.compute_slices,
            p.memory_slices,
            p.max_instances,
            p.starts,
            p.memory_mib,
            not p.extension,
        )
        for p in profiles_of(sku)
    )


def layout_fault(cuts: tuple[Cut, ...], instances: Iterable[tuple[str, int]]) -> str | None:
    """Return why instances, ``(profile, start)``, cannot be on one GPU together; None where they can."""
    by_name, taken, compute = {cut.name: cut for cut in cuts}, 0, 0
    used: Counter[str] = Counter()
    for name, start in instances:
        cut = by_name.get(name)
        if cut is None:
            return f"the part has no profile {name}"
        if start not in cut.starts:
            return f"{name} cannot begin at slice {start}"
        if taken & cut.mask(start):
            return f"{name} at slice {start} overlaps another instance"
        used[name] += 1
        taken, compute = taken | cut.mask(start), compute + cut.compute
        if used[name] > cut.most:
            return f"one GPU takes at most {cut.most} of {name}"
    if compute > max((cut.compute for cut in cuts), default=0):
        return f"{compute} compute slices are more than the part has"
    return None


def memory_slices_of(sku: str) -> int:
    """Return how many memory slices the part has: 8, or 4; 0 without MIG."""
    return max((profile.memory_slices for profile in profiles_of(sku)), default=0)


def compute_slices_of(sku: str) -> int:
    """Return how many compute slices the part's instances may have in total: 7, or 4; 0 without MIG."""
    return max((profile.compute_slices for profile in profiles_of(sku)), default=0)


@cache
def core_share(profile: MigProfile) -> float:
    """Return the instance's share of the part's multiprocessors, 0..1.

    Where the instance's multiprocessors are not published it is compute slices over memory slices
    (an eighth of an H100 for ``1g``): published figures lie within a tenth of that.
    Multiprocessors of the whole part: cores / 64 at compute capability 8.0, else / 128 (NVIDIA
    architecture whitepapers).
    """
    part = next(part for part in parts() if part.sku == profile.sku)
    if profile.multiprocessors is None or part.cores is None:
        return profile.compute_slices / memory_slices_of(profile.sku)
    return profile.multiprocessors * (64 if part.compute_capability == 8.0 else 128) / part.cores
