"""An explanation in words, for people who have never met a solver.

Sentences say what was found, never how; every amount has its unit, every constraint its path in the intent.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from flare_core.explanation.account import Instead, Movement, Price, Standing, asked
from flare_core.placement.types import Outcome, Placement, Rejection, Status
from flare_core.quantities import format_eur, format_moment, format_rate
from flare_core.requirements.types import Objective

if TYPE_CHECKING:
    from flare_core.explanation.explanation import Explanation

_CENT = 10_000
"""Micro-euro."""


class Section(NamedTuple):
    """A heading and what stands below it."""

    title: str
    lines: tuple[str, ...]


_NONE_IS: Mapping[Objective, str] = MappingProxyType(
    {
        Objective.COST: "is cheaper",
        Objective.PERFORMANCE: "is faster",
        Objective.LATENCY: "answers sooner",
        Objective.BALANCED: "is better balanced",
        Objective.ENERGY: "emits less",
    }
)


def sections(told: "Explanation") -> tuple[Section, ...]:
    """Return an explanation as headings and lines; the first heading says it in short."""
    if told.placement.error is not None:
        return tuple(_why_not(told, told.placement.error))
    if told.placement.status is not Status.PLACED:
        return (Section(*_waiting(told.placement)),)
    return tuple(part for part in _why(told) if part.lines)


# --- placed -----------------------------------------------------------------------------------------


def _why(told: "Explanation") -> Iterator[Section]:
    rest = told.account
    yield Section(*_headline(told))
    yield Section("Why there", tuple(_why_there(told)))
    yield Section("What your constraints cost", tuple(_costs(told)))
    moves = tuple(_may_move(one, one.move, told) for one in rest.constraints if one.move)
    yield Section("How far each limit may move while the others stay", moves)
    yield Section("Not known within the effort given", rest.unsettled)


def _headline(told: "Explanation") -> tuple[str, tuple[str, ...]]:
    placement = told.placement
    tasks = placement.rows.stop - placement.rows.start
    cost = format_rate(placement.hourly_ueur or 0)
    if placement.total_ueur is not None:
        cost += f", {format_eur(placement.total_ueur)} in all"
    if placement.start is not None and placement.start > told.needs.start:
        cost += f", from {format_moment(placement.start)} on"
    title = f"{placement.intent} is placed: {_tasks(tasks)} on {' and '.join(_chosen(told))}, for {cost}"
    if told.plan.outcome is not Outcome.OPTIMAL:
        return title, ("It is the best that was found in the time given, and not proven best.",)
    every = "everything else" if placement.relaxed else "every constraint"
    lines = [f"Proven: no other placement that meets {every} {_NONE_IS[told.needs.objective]}."]
    lines += map(_gave_way, placement.relaxed)
    return title, tuple(lines)


def _chosen(told: "Explanation") -> list[str]:
    a, rows = told.plan.assignments, told.placement.rows
    pairs = zip(a.offer[rows].tolist(), a.spot[rows].tolist(), strict=True)
    return [_offer(told.plan.inventory.ids[row], spot) for row, spot in dict.fromkeys(pairs)]


def _why_there(told: "Explanation") -> Iterator[str]:
    funnel, rest = told.funnel, told.account
    yield f"{funnel.accepted} of {funnel.offers} offers could serve a task."
    if rest.runner_up:
        yield f"The next best is {_offers(rest.runner_up)}: {_differences(rest.runner_up, told)}."
    elif rest.prices:
        yield "There is no other: nothing fits without " + " or ".join(p.offer for p in rest.prices) + "."
    yield from (_rise(price) for price in rest.prices if price.settled)


def _rise(price: Price) -> str:
    offer, now = _offer(price.offer, price.spot), format_rate(price.hourly_ueur)
    if price.rises_to_ueur is None:
        return f"Whatever a node of {offer} costs (now {now}), it stays the choice."
    most = _nearly(price.rises_to_ueur)
    then = "nothing fits" if price.then is None else f"the choice is {_offers(price.then)}"
    if price.rises_to_ueur == price.hourly_ueur:
        return f"A node of {offer} must not cost more than its {now}; above that {then}."
    return f"A node of {offer} may rise from {now} to {most}; above that {then}."


def _costs(told: "Explanation") -> Iterator[str]:
    """Yield what each constraint that binds costs, and one line for all that cost nothing."""
    constraints = told.account.constraints
    for one in constraints:
        if one.instead:
            default = "" if one.written else ", a default"
            yield (
                f"{one.path} ({one.asked}{default}): without it the choice would be {_offers(one.instead)}, "
                f"{_differences(one.instead, told)}."
            )
    free = [one.path for one in constraints if one.written and one.binding is False]
    if free:
        yield f"These cost nothing: {', '.join(free)}."


def _may_move(one: Standing, move: Movement, told: "Explanation") -> str:
    """Return how far one constraint may move: stricter first, then laxer."""
    to, beyond, laxer = ("up to", "above", "lowered") if move.rising else ("down to", "below", "raised")
    parts = [] if one.got is None else [f"the placement has {one.got}"]
    if move.stays_to is not None:
        parts.append(f"{to} {move.stays_to} the choice stays")
    if move.possible_to is not None and move.possible_to != move.stays_to:
        parts.append(f"{to} {move.possible_to} something fits")
    if move.possible_to is not None:
        parts.append(f"{beyond} that nothing fits")
    if move.better_from is not None and move.better is not None:
        there = _offers(move.better)
        parts.append(
            f"{laxer} to {move.better_from}, the choice is {there}, {_differences(move.better, told)}"
        )
    return f"{one.path} ({one.asked}): {'; '.join(parts)}."


# --- neither placed nor rejected ---------------------------------------------------------------------


def _waiting(placement: Placement) -> tuple[str, tuple[str, ...]]:
    if placement.status is Status.UNKNOWN:
        return f"Of {placement.intent} nothing is known", ("The time given was too short for an answer.",)
    title = f"{placement.intent} is not placed but waits"
    if placement.offer is None:
        return title, ("Nothing meets its constraints now, as far as they may give way.",)
    offer = placement.offer
    price, until = format_rate(offer.placement.hourly_ueur or 0), format_moment(offer.valid_until)
    return title, (
        f"It can be placed for {price} where you accept this until {until}.",
        *(_gave_way(each) for each in offer.stretched),
    )


def _gave_way(entry: Mapping[str, object]) -> str:
    return f"Given up: {entry['path']}, asked {entry['asked']}, got {entry['got']}."


# --- rejected ---------------------------------------------------------------------------------------


def _why_not(told: "Explanation", error: Rejection) -> Iterator[Section]:
    yield Section(f"{told.placement.intent} is not placed ({error.code.value})", (f"{error.message}.",))
    conflicts = [" and ".join(f"{path} ({_asked(path, told)})" for path in one) for one in error.conflicts]
    if conflicts:
        yield Section("What cannot be had together", tuple(f"{one}." for one in conflicts))
    if error.corrections:
        yield Section("What would be enough to change", tuple(_corrections(error)))
    if error.suggestions:
        yield Section("What you can have instead", tuple(map(_suggestion, error.suggestions)))


def _corrections(error: Rejection) -> Iterator[str]:
    """Yield what would do; the amounts or names that would do for one constraint stand together."""
    alike: dict[str, list[str]] = {}
    for one in error.corrections:
        start, instead, asked_before = one["text"].partition(" instead of ")
        (change, *others) = one["changes"]
        together = instead and not others and start == f"{change['path']} {change['needed']}"
        key = f"{change['path']} {{}} instead of {asked_before}" if together else one["text"]
        alike.setdefault(key, []).append(str(change["needed"]))
    yield from (f"{text.replace('{}', ' or '.join(needed))}." for text, needed in alike.items())


def _asked(path: str, told: "Explanation") -> str:
    """Return what is asked at a path."""
    limit = next((limit for limit in told.needs.limits if limit.path == path), None)
    return "as asked" if limit is None else asked(limit)


def _suggestion(one: Mapping[str, object]) -> str:
    figures = [
        f"{name} {one[key]}"
        for name, key in (("cost", "cost_difference"), ("performance", "performance_impact"))
        if one.get(key) is not None
    ]
    return f"{one['alternative']} ({', '.join(figures)})." if figures else f"{one['alternative']}."


# --- amounts ----------------------------------------------------------------------------------------


def _offers(other: Instead) -> str:
    return " and ".join(_offer(offer, spot) for offer, spot, _ in other.offers)


def _offer(offer: str, spot: bool) -> str:
    return f"{offer} (spot)" if spot else offer


def _nearly(ueur: int) -> str:
    """Return a price for people: one that falls short of whole cents by a rounding is just below them."""
    short = -ueur % _CENT
    return f"just below {format_rate(ueur + short)}" if 0 < short <= _CENT // 10 else format_rate(ueur)


def _tasks(number: int) -> str:
    return f"{number} task{'s' if number != 1 else ''}"


def _differences(other: Instead, told: "Explanation") -> str:
    """Return how another placement differs from the chosen one: first in what the intent wants most."""
    parts = []
    if other.tasks:
        parts.append(_more(other.tasks, _tasks(abs(other.tasks))))
    if other.misses:
        many = "preferences" if abs(other.misses) > 1 else "preference"
        parts.append(_more(other.misses, f"{abs(other.misses)} {many}") + " missed")
    if other.objective:
        parts.append(_more(other.objective, _figure(abs(other.objective), told.unit)) + _percent(other, told))
    if other.hourly_ueur and told.unit != "EUR/hour":
        parts.append(_more(other.hourly_ueur, format_rate(abs(other.hourly_ueur))))
    if told.needs.objective is Objective.BALANCED:
        terms = ((other.performance_tflops, "TFLOPS"), (other.latency_ms, "ms"), (other.carbon_g, "gCO2/h"))
        parts += [_more(value, _figure(abs(value), unit)) for value, unit in terms if value]
    return ", ".join(parts) or "as good in this; the order of ties decides"


def _percent(other: Instead, told: "Explanation") -> str:
    mine = told.plan.objective
    if not isinstance(mine, float) or not mine or not other.objective or not told.unit:
        return ""
    return f" ({100 * other.objective / abs(mine):+.1f}%)"


def _more(sign: float, amount: str) -> str:
    return f"{amount} {'more' if sign > 0 else 'less'}"


def _figure(value: float, unit: str) -> str:
    if unit.startswith("EUR"):
        return format_eur(round(value * 1e6)) + unit.removeprefix("EUR")
    return f"{value:,.6g} {unit}".rstrip() if unit else f"{value:.4f} of the scale"
