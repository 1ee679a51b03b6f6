"""The smallest stretch of limits under which an intent can be placed.

A stretch of a field is the part of its value by which it gives way. What is minimised is the largest stretch
of any field, then how many fields give way, then each field's own stretch.

Feasibility only grows with the stretch, and the minima of GPUs change what is feasible at few values, those
that offers have. So the least largest stretch is found by bisection over these values, with the cheapest
placement at each: at a higher value the minima decide, at a lower one the price.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from itertools import combinations
from math import ceil
from typing import TYPE_CHECKING

from flare_core.explanation.relax import Solved
from flare_core.inventory.types import Inventory
from flare_core.negotiation.steps import granted
from flare_core.negotiation.terms import Field, Terms, Try, changed, stretchable

if TYPE_CHECKING:
    from flare_core.intent.types import Intent

Stretch = Mapping[Field, Fraction]
"""How far each field may give way; what is not named stays."""

NOTHING = Fraction(0)


def smallest_stretch(intent: "Intent", inventory: Inventory, tried: Try) -> Terms | None:
    """Return the terms of the first round in which something works; None where nothing does in any.

    Parameters
    ----------
    intent
        An intent with ``negotiation`` that cannot be placed as it stands.
    tried
        Places a changed intent as cheaply as possible.
    """
    most = dict(stretchable(intent))
    negotiation = intent.constraints.negotiation
    assert negotiation is not None
    search = _Search(intent, tried, {f: f.asked(intent) for f in most})
    loosest = search.at(most) if most else None
    if loosest is None:
        return None
    search = search.among(loosest, inventory, most)
    rounds = negotiation.max_negotiation_rounds

    def allowed(number: int) -> dict[Field, Fraction]:
        return {f: part * number / rounds for f, part in most.items()}

    earlier = range(1, rounds)
    works = bisect_left(earlier, True, key=lambda number: search.at(allowed(number)) is not None)
    return search.best(allowed(works + 1))


@dataclass(frozen=True, slots=True)
class _Search:
    """One intent's search: ``steps`` are the stretches of each minimum that make a difference, ascending."""

    intent: "Intent"
    tried: Try
    asked: Mapping[Field, Fraction]
    steps: Mapping[Field, tuple[tuple[Fraction, float], ...]] = field(default_factory=dict)

    def among(self, loosest: Solved, inventory: Inventory, most: Stretch) -> "_Search":
        """Return the search with the values of minima that there are."""
        steps = {}
        for f, asked in self.asked.items():
            if not f.price:
                values = reversed(granted(loosest, inventory, f.path))
                below = ((f.stretch(asked, value), value) for value in values)
                steps[f] = tuple((part, value) for part, value in below if NOTHING < part <= most[f])
        return replace(self, steps=steps)

    def at(self, stretch: Stretch) -> Solved | None:
        """Return the cheapest placement with every field stretched as far as `stretch` allows."""
        terms = self.terms(stretch)
        return self.tried(self.intent if terms is None else terms.intent)

    def terms(self, stretch: Stretch) -> Terms | None:
        """Return the intent so stretched; None where no field gives way."""
        values = {f: self._value(f, part) for f, part in stretch.items()}
        written = {f.path: f.write(value) for f, value in values.items() if value is not None}
        terms = changed(self.intent, written) if written else None
        if terms is None:
            return None
        largest = max(f.stretch(self.asked[f], v) for f, v in values.items() if v is not None)
        return replace(terms, stretch=largest)

    def _value(self, f: Field, part: Fraction) -> float | None:
        """Return the value of a field stretched by at most `part`; None where it stays."""
        if f not in self.steps:
            value = f.allowed(self.asked[f], part)
            return value if f.stretch(self.asked[f], value) else None
        reached = [value for step, value in self.steps[f] if step <= part]
        return reached[-1] if reached else None

    def best(self, most: Stretch) -> Terms | None:
        """Return the smallest stretch within `most`."""
        least = self._least(most)
        if least is None:
            return None
        ways = {f: min(least, part) for f, part in most.items() if self._helps(f, min(least, part))}
        for size in range(1, len(ways) + 1):
            found = [self._shrunk(some) for some in self._some(ways, size) if self.at(some) is not None]
            if found:
                return self.terms(min(found, key=lambda some: sorted(some.values(), reverse=True)))
        return None

    def _helps(self, f: Field, part: Fraction) -> bool:
        return self._value(f, part) is not None

    def _some(self, ways: Stretch, size: int) -> Iterator[Stretch]:
        return ({f: ways[f] for f in some} for some in combinations(ways, size))

    def _least(self, most: Stretch) -> Fraction | None:
        """Return the least largest stretch within `most`; None where nothing works."""
        parts = {part for f, steps in self.steps.items() for part, _ in steps if part <= most[f]}
        levels = sorted({NOTHING, *parts})
        prices = [f for f in most if f.price]

        def price(level: Fraction) -> Fraction | None:
            lowered = {f: part if f.price else min(level, part) for f, part in most.items()}
            return self._price(lowered, prices)

        def enough(level: Fraction) -> bool:
            part = price(level)
            return part is not None and part <= level

        first = bisect_left(levels, True, key=enough)
        before = price(levels[first - 1]) if first else None
        parts = {*levels[first : first + 1], *(() if before is None else (before,))}
        return min(parts, default=None)

    def _price(self, stretch: Stretch, prices: list[Field]) -> Fraction | None:
        """Return the least largest stretch of `prices`, all else as `stretch` allows; None: impossible.

        The cheapest placement found is beaten until that is proven impossible: the sum of two prices may
        order placements in another way than the larger of their stretches.
        """
        best, bound = None, dict(stretch)
        while (solved := self.at(bound)) is not None:
            best = max((self._paid(f, solved) for f in prices), default=NOTHING)
            if best == NOTHING:
                break
            less = bound | {f: min(bound[f], self._below(f, best)) for f in prices}
            if less == bound:  # nothing is beaten any more
                break
            bound = less
        return best

    def _paid(self, f: Field, solved: Solved) -> Fraction:
        hourly = f.path.endswith("hourly_cost")
        return f.stretch(self.asked[f], solved.totals.hourly_ueur if hourly else solved.totals.total_ueur)

    def _below(self, f: Field, part: Fraction) -> Fraction:
        """Return the stretch of a price limit that is a micro-euro short of `part`."""
        return (ceil(self.asked[f] * (1 + part)) - 1) / self.asked[f] - 1

    def _shrunk(self, stretch: Stretch) -> Stretch:
        """Return `stretch` with each field, one after the other, as small as the others leave it."""
        small = dict(stretch)
        for f in stretch:
            small[f] = self._price(small, [f]) or NOTHING if f.price else self._fall(f, small)
        return small

    def _fall(self, f: Field, stretch: Stretch) -> Fraction:
        """Return the least stretch of a minimum, all else as `stretch` allows."""
        parts = [part for part, _ in self.steps[f] if part <= stretch[f]]
        works = partial(self._works, f, stretch)
        return [NOTHING, *parts][bisect_left([NOTHING, *parts], True, key=works)]

    def _works(self, f: Field, stretch: Stretch, part: Fraction) -> bool:
        return self.at({**stretch, f: part}) is not None
