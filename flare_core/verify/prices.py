"""What rows, placements and lengths cost, in whole micro-EUR."""

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

from flare_core.quantities import format_eur, format_rate
from flare_core.verify.calendar import why_closed, why_unneeded
from flare_core.verify.series import Piece, looked_at, pieces
from flare_core.verify.shares import share_due
from flare_core.verify.told import Placed, Row, Violation, Violations

if TYPE_CHECKING:
    from flare_core.intent.types import Intent
    from flare_core.verify.offers import Offer


def check_prices(intent: "Intent", placed: Placed, used: Sequence[tuple[Row, "Offer"]]) -> Violations:
    """Check every row's price, the sums, and the budgets."""
    on_node: dict[tuple[int, int], list[Row]] = {}
    for row, offer in used:
        earlier = on_node.setdefault((offer.row, row.node), [])
        due = row_price(intent, row, offer, first=not any(other.runs_at(row.start) for other in earlier))
        earlier.append(row)
        if due is not None and row.hourly_ueur != due:
            yield _differs(f"{row.path}.hourly_cost", format_rate(row.hourly_ueur), format_rate(due))
    yield from _paid_through(intent, used)
    hourly = highest_hourly(placed.rows)
    if placed.hourly_ueur != hourly:
        told = "null" if placed.hourly_ueur is None else format_rate(placed.hourly_ueur)
        yield _differs(f"{placed.path}.hourly_cost", told, format_rate(hourly))
    total = total_cost(intent, used)
    if placed.total_ueur != total:
        shown = ["null" if cost is None else format_eur(cost) for cost in (placed.total_ueur, total)]
        yield _differs(f"{placed.path}.total_cost", *shown)
    yield from _budgets(intent, placed.path, hourly, total)


def _paid_through(intent: "Intent", used: Sequence[tuple[Row, "Offer"]]) -> Violations:
    """Check that a node billed whole is paid from its first to its last use, once at any moment.

    It is given back when its offer closes or nothing is needed, and bought again.
    """
    on_node: dict[tuple[int, int], list[Row]] = {}
    for row, offer in used:
        if offer.billed_whole and row.hourly_ueur:
            on_node.setdefault((offer.row, row.node), []).append(row)
    offers = {offer.row: offer for _, offer in used}
    for (at, _), rows in on_node.items():
        offer = offers[at]
        for row, following in pairwise(sorted(rows, key=lambda row: row.start)):
            if (
                row.end is None
                or row.end > following.start
                or not _gone(intent, offer, row.end, following.start)
            ):
                found = f"paid until {row.end} and from {following.start} on, expected without a pause"
                yield Violation("billing", f"{following.path}.start_time", found)


def _gone(intent: "Intent", offer: "Offer", end: datetime, start: datetime) -> bool:
    """Whether nothing lies between an end and the next start, or capacity is not there or not needed."""
    needed = intent.constraints.availability
    if end == start or why_closed(offer.text("calendar"), end, start) is not None:
        return True
    return needed is not None and why_unneeded(needed, end, start) is not None


def _differs(path: str, told: str, due: str) -> Violation:
    return Violation("price", path, f"found {told}, expected {due}")


def _budgets(intent: "Intent", path: str, hourly: int, total: int | None) -> Violations:
    most_hourly, most_total = intent.constraints.max_hourly_cost, intent.constraints.max_total_cost
    if most_hourly is not None and hourly > most_hourly:
        found = f"{format_rate(hourly)} is above constraints.max_hourly_cost, {format_rate(most_hourly)}"
        yield Violation("budget", f"{path}.hourly_cost", found)
    if most_total is not None and (total is None or total > most_total):
        found = "no end" if total is None else format_eur(total)
        found = f"{found} is above constraints.max_total_cost, {format_eur(most_total)}"
        yield Violation("budget", f"{path}.total_cost", found)


def row_price(intent: "Intent", row: Row, offer: "Offer", first: bool) -> int | None:
    """Return what a task adds to the hourly price, at most; None where the offer sells no such thing.

    Parameters
    ----------
    first
        Whether no earlier task of the intent is on this node then: on a node billed whole it carries the
        price.
    """
    prices = [price_at(intent, row, offer, piece) for piece in _sold(row, offer, *looked_at(intent, row))]
    known = [price for price in prices if price is not None]
    if not known or len(known) < len(prices):
        return None
    return 0 if offer.billed_whole and not first else max(known)


def _sold(row: Row, offer: "Offer", start: datetime, end: datetime) -> list[Piece]:
    return list(pieces(offer, "spot_ueur" if row.spot else "hourly_ueur", start, end))


def price_at(intent: "Intent", row: Row, offer: "Offer", piece: Piece) -> int | None:
    """Return what a task (where nodes are billed whole, a node) costs per hour while a price holds."""
    if piece.value is None:
        return None
    hourly = int(piece.value)
    if offer.billed_whole:
        return hourly
    gpus = offer.whole("gpu_count") or 0
    share = share_due(intent, offer)
    if share is None:
        return None
    if row.gpus and gpus:
        # The price of one GPU is rounded up, then its share's.
        return len(row.gpus) * ceil(ceil(Fraction(hourly, gpus)) * share.part)
    return ceil(hourly * _cpu_share(intent, offer))


def _cpu_share(intent: "Intent", offer: "Offer") -> Fraction:
    """Return the larger share of the node's cores or memory that a task without GPUs takes."""
    asked = intent.workload.resources
    shares = (
        Fraction(part, whole)
        for part, whole in (
            (asked.cpu, offer.whole("cpu_milli")),
            (asked.memory, offer.whole("memory_mib")),
        )
        if part and whole
    )
    return max(shares, default=Fraction(0))


def highest_hourly(rows: Sequence[Row]) -> int:
    """Return the highest sum of hourly prices at any moment; it can rise only where a task starts."""
    starts = {row.start for row in rows}
    return max((sum(row.hourly_ueur for row in rows if row.runs_at(moment)) for moment in starts), default=0)


def total_cost(intent: "Intent", used: Sequence[tuple[Row, "Offer"]]) -> int | None:
    """Return the sum of price × length, each row rounded up; None where a row has no end.

    Rows on nodes billed whole that carry no price cost nothing; what carries one is paid piece by piece.
    """
    total = 0
    for row, offer in used:
        if row.end is None:
            return None
        if row.hourly_ueur or not offer.billed_whole:
            paid = _sold(row, offer, row.start, row.end)
            total += ceil(sum((price_at(intent, row, offer, piece) or 0) * piece.hours for piece in paid))
    return total


def check_headroom(intent: "Intent", placed: Placed) -> Violations:
    """Check that the headroom is in range and within the budget."""
    scaling, path = intent.workload.scaling, f"{placed.path}.headroom"
    if not (intent.workload.type == "service" and scaling.auto_scale):
        if placed.headroom is not None:
            yield Violation("headroom", path, "found one, expected null without auto_scale")
        return
    if placed.headroom is None or placed.hourly_ueur is None:
        yield Violation("headroom", path, "found null, expected one with auto_scale")
        return
    replicas, hourly = placed.headroom
    most, budget = scaling.max_replicas - scaling.min_replicas, intent.constraints.max_hourly_cost
    if replicas > most:
        yield Violation("headroom", f"{path}.replicas", f"found {replicas}, expected at most {most}")
    if hourly < placed.hourly_ueur or (replicas == 0 and hourly != placed.hourly_ueur):
        least = format_rate(placed.hourly_ueur)
        found = f"found {format_rate(hourly)} for all replicas, and those placed cost {least}"
        yield Violation("headroom", f"{path}.hourly_cost", found)
    if budget is not None and hourly > budget:
        found = f"{format_rate(hourly)} is above constraints.max_hourly_cost, {format_rate(budget)}"
        yield Violation("headroom", f"{path}.hourly_cost", found)
