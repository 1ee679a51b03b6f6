"""How far the price of a chosen offer may rise, every other price staying as it is.

The dearer an offer, the less it is used, so the prices with which the same placement is chosen are an
interval, and its end is found by halving, to the micro-euro. A balance is another matter: prices set its
scale, and nothing is said.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from flare_core.explanation.questions import Questions, places, steady, used
from flare_core.explanation.relax import Solved, Unproven

MOST_OFFERS = 8
"""Chosen offers whose prices are looked at."""

_DEAREST_UEUR = 2**40
"""A million euro per hour: as good as any price."""

_EXACT = 2**51


@dataclass(frozen=True, slots=True)
class Rise:
    """How far the price of one chosen offer may rise.

    Attributes
    ----------
    row
        The offer.
    gone
        What is chosen where the offer is not there; None where nothing is possible then.
    settled
        Whether the next two are known.
    to_ueur
        The highest price with which the same is chosen; None without bound.
    then
        What is chosen above it; None where nothing is possible then.
    """

    row: int
    gone: Solved | None
    settled: bool = False
    to_ueur: int | None = None
    then: Solved | None = None


def rises(chosen: Solved, questions: Questions) -> Iterator[Rise]:
    """Yield the chosen offers by row; those without an answer are left out."""
    found = chosen.ask.found
    candidates = {int(found.rows[j]): j for j in used(chosen)}
    for row, j in sorted(candidates.items())[:MOST_OFFERS]:
        try:
            gone = questions.best_without(chosen, row)
        except Unproven:
            continue
        try:
            yield _rise(chosen, j, gone, questions)
        except Unproven:
            yield Rise(row, gone)


def _rise(chosen: Solved, j: int, gone: Solved | None, questions: Questions) -> Rise:
    needs, found = chosen.ask.needs, chosen.ask.found
    row, price = int(found.rows[j]), int(found.node_ueur[j])
    column = "spot_ueur" if found.spot[j] else "hourly_ueur"
    hours = max(1, (needs.length_s or 0) // 3600 + 1)
    top = min(_DEAREST_UEUR, _EXACT // (needs.max_tasks * hours))
    if not steady(chosen.ask) or price >= top:
        raise Unproven

    def other(ueur: int) -> bool:
        at = questions.best_at(needs, row, column, ueur)
        return at is None or places(at) != places(chosen)

    if not other(top):
        return Rise(row, gone, settled=True)
    low, high = _bracket(chosen, gone, price), top
    low, high = (low, high) if low < high and not other(low) else (price, min(low, high))
    most = low + bisect_left(range(low + 1, high + 1), True, key=other)
    return Rise(row, gone, True, most, questions.best_at(needs, row, column, most + 1))


def _bracket(chosen: Solved, gone: Solved | None, price: int) -> int:
    """Return a guess: the price at which the placement costs as much as the one without the offer."""
    before, after = chosen.totals.cost_ueur, gone.totals.cost_ueur if gone else 0
    return price + 1 if after <= before or not before else -(-price * after // before) + 1
