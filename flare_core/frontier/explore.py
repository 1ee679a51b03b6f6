"""A whole front from single answers: each answer closes what it rules out, until nothing is open.

What is not known yet is a list of *corners*: a point that is still missing is better than one of them in
every term. An answer below a corner is an undominated point, and splits the corner into one for each term;
where there is none, the corner is closed (the search zones of Klamroth, Lacour and Vanderpooten 2015, "On the
representation of the search region in multi-objective optimization", EJOR 245). The front is complete when no
corner is left.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from flare_core.frontier.terms import Vector

Corner = tuple[int | None, ...]
"""For each term what a missing point is below; None is unlimited."""

T = TypeVar("T")


class Unknown(Exception):
    """Neither a point below a corner nor that there is none could be found."""


class Explored(NamedTuple, Generic[T]):
    """Points by what they have of each term, and the corners that are still open."""

    points: dict[Vector, T]
    open: list[Corner]


Ask = Callable[[Corner], tuple[Vector, T] | None]
"""Returns an undominated point below a corner, None where there is none; raises `Unknown`."""


def explore(ask: Ask[T], ideal: Vector, nadir: Vector, firsts: Mapping[Vector, T], most: int) -> Explored[T]:
    """Ask until no corner is open, or a point is found beyond the `most` that are wanted.

    Parameters
    ----------
    ideal
        The least that any placement has of each term, or less.
    nadir
        About the most that points have of each term: the largest gap within is searched next.
    firsts
        Points to begin with.
    """
    points = dict(firsts)
    corners: list[Corner] = [(None,) * len(ideal)]
    unknown: list[Corner] = []
    for point in points:
        corners = _split(corners, point, ideal)
    while corners:
        corner = max(corners, key=partial(_size, ideal=ideal, nadir=nadir))
        try:
            found = ask(corner)
        except Unknown:
            corners.remove(corner)
            unknown.append(corner)
            continue
        if found is None:
            corners = [c for c in corners if not _inside(c, corner)]
            continue
        if len(points) >= most:
            break
        points[found[0]] = found[1]
        corners = _split(corners, found[0], ideal)
        unknown = _split(unknown, found[0], ideal)
    return Explored(dict(sorted(points.items())), [*corners, *unknown])


def _split(corners: Sequence[Corner], point: Vector, ideal: Vector) -> list[Corner]:
    """Return the corners below which points may still be missing once `point` is known."""
    whole = [c for c in corners if not is_below(point, c)]
    cut = dict.fromkeys(
        (*corner[:k], point[k], *corner[k + 1 :])
        for corner in corners
        if is_below(point, corner)
        for k in range(len(point))
        if point[k] > ideal[k]
    )
    others = [*whole, *cut]
    return [*whole, *(c for c in cut if not any(c != other and _inside(c, other) for other in others))]


def is_below(point: Vector, corner: Corner) -> bool:
    """Whether `point` is better than `corner` in every term."""
    return all(limit is None or value < limit for value, limit in zip(point, corner, strict=True))


def _inside(corner: Corner, other: Corner) -> bool:
    """Whether everything below `corner` is below `other`."""
    return all(b is None or (a is not None and a <= b) for a, b in zip(corner, other, strict=True))


def _size(corner: Corner, ideal: Vector, nadir: Vector) -> tuple[float, tuple[int, ...]]:
    """Return how much of the room between `ideal` and `nadir` is below a corner; no two are equal."""
    room = 1.0
    for limit, low, high in zip(corner, ideal, nadir, strict=True):
        top = high if limit is None else min(limit, high)
        room *= (top - low) / max(high - low, 1)
    return room, tuple(-1 if limit is None else limit for limit in corner)
