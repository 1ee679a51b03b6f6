"""The smallest sets of an intent's constraints that rule everything out, and that have to give way.

A *conflict* is a set of constraints that alone, all others given up, is impossible, while each set with one
less is possible. A *way out* is a set without which the intent is possible, while no set with one less is
enough. Each conflict shares a constraint with each way out, so the smallest sets that hit all known ways out
are what can be conflicts, and the other way round (MARCO, https://doi.org/10.1007/s10601-015-9183-0). Each
candidate is tried: it is one, or what contradicts it is shrunk to a new set of the other kind. Sets come by
size, and within a size by precedence, so the first found are the smallest.

All that is reported was tried, and so was each set with one less. What was not settled within the effort is
not reported.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from flare_core.explanation.feasible import Paths, Space

MOST_PATHS = 3
"""Constraints in one set up to which sets are looked for; larger ones are reported where met."""

MOST_SETS = 20
"""Conflicts, and ways out, after which no more are looked for."""

Holds = Callable[[Paths], bool | None]


@dataclass(frozen=True, slots=True)
class Reasons:
    """Minimal conflicts and minimal ways out, each by size, then precedence."""

    conflicts: tuple[tuple[str, ...], ...]
    ways_out: tuple[tuple[str, ...], ...]


def reasons(space: Space, *, most: int = MOST_PATHS) -> Reasons:
    """Return why an intent that cannot be placed cannot be placed.

    Parameters
    ----------
    space
        The intent's; it is impossible with all its constraints.
    most
        Constraints in one set up to which sets are looked for.
    """
    if not space.possible(space.paths):
        return Reasons((), ())
    order = {handle.path: k for k, handle in enumerate(space.handles)}
    conflicts = _Kind(order, lambda kept: _no(space.possible(space.paths - kept)))
    ways_out = _Kind(order, space.possible)
    for size in range(1, most + 1):
        for kind, other in ((ways_out, conflicts), (conflicts, ways_out)):
            _settle(kind, other, size)
    for kind in (conflicts, ways_out):
        if not kind.known:  # all are larger
            kind.known.append(kind.shrunk(space.paths))
    return Reasons(conflicts.proven(), ways_out.proven())


def _no(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


@dataclass(eq=False)
class _Kind:
    """Sets of one kind: what is known to be one, minimal or not, and what was tried.

    ``holds`` tells whether a set is of the kind; what contains one is one.
    """

    order: dict[str, int]
    holds: Holds
    known: list[Paths] = field(default_factory=list)
    tried: set[Paths] = field(default_factory=set)

    def shrunk(self, paths: Paths) -> Paths:
        """Return a set of the kind within `paths`, from which nothing known can be left out."""
        for path in sorted(paths, key=self.order.__getitem__, reverse=True):
            less = paths - {path}
            if self.holds(less):
                paths = less
        return paths

    def proven(self) -> tuple[tuple[str, ...], ...]:
        """Return what is certainly minimal."""
        minimal = {
            paths
            for paths in self.known
            if self.holds(paths) and all(self.holds(paths - {path}) is False for path in paths)
        }
        listed = [tuple(sorted(paths, key=self.order.__getitem__)) for paths in minimal]
        return tuple(sorted(listed, key=self._precedence)[:MOST_SETS])

    def _precedence(self, paths: tuple[str, ...]) -> tuple[int, list[int]]:
        return len(paths), [self.order[path] for path in paths]


def _settle(kind: _Kind, other: _Kind, size: int) -> None:
    """Find the sets of a kind that have `size` members, and what contradicts the rest."""
    while len(kind.known) < MOST_SETS:
        candidate = next(_candidates(kind, other, size), None)
        if candidate is None:
            return
        kind.tried.add(candidate)
        answer = kind.holds(candidate)
        if answer:
            kind.known.append(candidate)
        elif answer is False:
            rest = frozenset(kind.order) - candidate
            other.known.append(other.shrunk(rest))


def _candidates(kind: _Kind, other: _Kind, size: int) -> Iterator[Paths]:
    """Yield sets of `size` that hit all known sets of the other kind and contain none of their own."""
    for paths in _hitting(frozenset(), other.known, size, sorted(kind.order, key=kind.order.__getitem__)):
        if len(paths) == size and paths not in kind.tried and not any(map(paths.issuperset, kind.known)):
            yield paths


def _hitting(chosen: Paths, sets: Sequence[Paths], size: int, every: Collection[str]) -> Iterator[Paths]:
    """Yield sets of at most `size` that hit all `sets`; what hits them with fewer is filled up with any."""
    missed = next((paths for paths in sets if not paths & chosen), None)
    if len(chosen) == size:
        if missed is None:
            yield chosen
        return
    for path in every if missed is None else [p for p in every if p in missed]:
        if path not in chosen:
            yield from _hitting(chosen | {path}, sets, size, every)
