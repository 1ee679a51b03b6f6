"""What a placement rests on: the next best, what each constraint costs, how far things may move.

For an intent that is placed and proven best. Everything told was searched for; what was not settled within
the effort is left out and named.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from flare_core.candidates.screens import BY_RULE
from flare_core.candidates.screens.screen import amount
from flare_core.explanation.moves import Move, Recount, got, movement
from flare_core.explanation.prices import Rise, rises
from flare_core.explanation.questions import Questions, comparable, differs, places, steady, used
from flare_core.explanation.relax import COUNT, GPU, Solved, Unproven, handles, without
from flare_core.explanation.units import said
from flare_core.placement.packing import up_probability
from flare_core.quantities import format_percent
from flare_core.requirements.types import Limit, Objective, Requirements

_DEMANDS = (COUNT, f"{GPU}.shared", f"{GPU}.multi_instance")
"""What is wanted rather than a limit on where: nothing is the same without it."""


@dataclass(frozen=True, slots=True)
class Instead:
    """Another placement, and by how much each of its figures is more than that of the chosen one.

    Attributes
    ----------
    offers
        (offer id, bought as spot, tasks), ascending by id.
    objective
        In the objective's unit; None where the two have no common scale.
    total_ueur, performance_tflops, latency_ms, carbon_g
        None where either of the two is not known.
    """

    offers: tuple[tuple[str, bool, int], ...]
    objective: float | None
    tasks: int
    misses: int
    hourly_ueur: int
    total_ueur: int | None
    performance_tflops: float | None
    latency_ms: float | None
    carbon_g: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """One of the intent's own constraints beside the chosen placement; amounts are texts with units.

    Attributes
    ----------
    asked, written
        What is asked, and whether the intent says so or it is a default.
    got, slack
        What the placement has, the worst of its offers; and how far that is from the limit.
    binding
        Whether the placement would be another without the constraint; None where that was not settled.
    instead
        That other placement.
    move
        How far it may move; None where it has no amount, is a default, or that was not settled.
    """

    path: str
    asked: str
    written: bool
    got: str | None = None
    slack: str | None = None
    binding: bool | None = None
    instead: Instead | None = None
    move: "Movement | None" = None


@dataclass(frozen=True, slots=True)
class Movement:
    """How far one constraint may move while the others stay; amounts are texts with units.

    Attributes
    ----------
    stays_to
        The strictest amount with which the chosen placement stays the best; None where that was not settled.
    possible_to
        The strictest amount with which there is a placement at all; None without bound or not settled.
    better_from
        The first laxer amount with which another placement is chosen; None where no amount does that.
    better
        That other placement.
    rising
        Whether a larger amount is the stricter one.
    """

    stays_to: str | None
    possible_to: str | None
    better_from: str | None
    better: Instead | None
    rising: bool


@dataclass(frozen=True, slots=True)
class Price:
    """One chosen offer and how far its price may rise while the choice stays.

    Attributes
    ----------
    hourly_ueur
        The node's price as bought.
    settled
        Whether the next two are known.
    rises_to_ueur
        The highest price with which the same is chosen; None without bound.
    then
        What is chosen above it; None where nothing is possible then, or without bound.
    gone
        What is chosen where the offer is not there at all; None where nothing is possible then.
    """

    offer: str
    spot: bool
    hourly_ueur: int
    settled: bool
    rises_to_ueur: int | None
    then: Instead | None
    gone: Instead | None


@dataclass(frozen=True, slots=True)
class Account:
    """What a placement rests on; empty where the placement is not proven best."""

    runner_up: Instead | None = None
    prices: tuple[Price, ...] = ()
    constraints: tuple[Standing, ...] = ()
    unsettled: tuple[str, ...] = ()


def account(needs: Requirements, questions: Questions, recount: Recount) -> Account:
    """Return what the best placement of `needs` rests on.

    Parameters
    ----------
    recount
        Returns the requirements of the same intent with another number of GPUs for each task.

    Raises
    ------
    Unproven
        Where the best placement is not known.
    """
    chosen = questions.best(needs)
    return Account() if chosen is None else _Teller(needs, questions, recount, chosen).told()


@dataclass(frozen=True, slots=True)
class _Teller:
    """Turns answers into what is told."""

    needs: Requirements
    questions: Questions
    recount: Recount
    chosen: Solved

    def told(self) -> Account:
        offers = {int(self.chosen.ask.found.rows[j]) for j in used(self.chosen)}
        prices = tuple(self._price(rise) for rise in rises(self.chosen, self.questions))
        constraints = tuple(self._standings())
        unsettled = [one.path for one in constraints if one.binding is None]
        if steady(self.chosen.ask):
            unsettled += [f"the price of {price.offer}" for price in prices if not price.settled]
        whole = len(prices) == len(offers)
        return Account(
            runner_up=self._runner_up(prices) if whole else None,
            prices=prices,
            constraints=constraints,
            unsettled=tuple(unsettled if whole else [*unsettled, "the next best"]),
        )

    def _runner_up(self, prices: tuple[Price, ...]) -> Instead | None:
        """Return the best placement that does without at least one of the chosen offers."""
        sign = -1 if self.needs.objective is Objective.PERFORMANCE else 1
        return min(
            (price.gone for price in prices if price.gone),
            key=lambda o: (-o.tasks, o.misses, sign * (o.objective or 0), o.hourly_ueur, o.offers),
            default=None,
        )

    def _price(self, rise: Rise) -> Price:
        found, inventory = self.chosen.ask.found, self.questions.inventory
        j = next(j for j in used(self.chosen) if int(found.rows[j]) == rise.row)
        return Price(
            offer=inventory.ids[rise.row],
            spot=bool(found.spot[j]),
            hourly_ueur=int(found.node_ueur[j]),
            settled=rise.settled,
            rises_to_ueur=rise.to_ueur,
            then=self._instead(rise.then),
            gone=self._instead(rise.gone, same_scale=True),
        )

    def _standings(self) -> Iterator[Standing]:
        for handle in handles(self.needs):
            limit = next((one for one in self.needs.limits if one.path == handle.path), None)
            standing = self._standing(handle.path, limit)
            try:
                standing = self._weighed(standing)
                yield self._measured(standing, limit) if standing.written and limit else standing
            except Unproven:
                yield standing

    def _standing(self, path: str, limit: Limit | None) -> Standing:
        if limit is None or limit.rule == "known":
            return self._jointly_up(path)
        has = got(self.chosen, limit, self.questions)
        return Standing(
            path=path,
            asked=asked(limit),
            written=not limit.unknown_passes,
            got=None if has is None else said(limit.unit, has),
            slack=None if has is None else said(limit.unit, round(abs(has - amount(limit)), 9)),
        )

    def _jointly_up(self, path: str) -> Standing:
        """Return how an availability stands that several tasks have together."""
        asked = 100 * (self.needs.availability or 0)
        has = 100 * up_probability(self.chosen.ask, self.chosen.loads)
        shown, slack = (format_percent(round(value, 9)) for value in (has, max(0.0, has - asked)))
        said_so = self.needs.availability_explicit
        return Standing(path, f"at least {format_percent(round(asked, 9))}", said_so, shown, slack)

    def _weighed(self, standing: Standing) -> Standing:
        """Say whether the constraint binds, and what would be chosen without it."""
        if standing.path in _DEMANDS:
            return replace(standing, binding=False)
        other = self.questions.best(without(self.needs, [standing.path]))
        binding = differs(other, self.chosen)
        return replace(standing, binding=binding, instead=self._instead(other) if binding else None)

    def _measured(self, standing: Standing, limit: Limit) -> Standing:
        """Say how far the constraint may move, where that can be said."""
        try:
            move = movement(self.chosen, limit, self.questions, self.recount)
        except Unproven:
            return standing
        return standing if move is None else replace(standing, move=self._movement(limit, move))

    def _movement(self, limit: Limit, move: Move) -> Movement:
        stays, possible, better = (
            None if amount is None else said(limit.unit, amount)
            for amount in (move.stays_to, move.possible_to, move.better_from)
        )
        rising = limit.rule not in ("at-most", "hourly-cost", "total-cost", "carbon")
        return Movement(stays, possible, better, self._instead(move.better), rising)

    def _instead(self, other: Solved | None, *, same_scale: bool = False) -> Instead | None:
        if other is None:
            return None
        chosen, mine, theirs = self.chosen, self.chosen.totals, other.totals
        tasks: dict[tuple[str, bool], int] = {}
        for (row, spot, _), count in places(other).items():
            offer = self.questions.inventory.ids[row], spot
            tasks[offer] = tasks.get(offer, 0) + count
        unit, more = chosen.ask.score.unit, theirs.primary - mine.primary
        ends = self.needs.end is not None and other.ask.needs.end is not None
        return Instead(
            offers=tuple((*offer, count) for offer, count in tasks.items()),
            objective=round(more * unit, 6) + 0.0 if same_scale or comparable(chosen, other) else None,
            tasks=theirs.tasks - mine.tasks,
            misses=theirs.misses - mine.misses,
            hourly_ueur=theirs.hourly_ueur - mine.hourly_ueur,
            total_ueur=theirs.total_ueur - mine.total_ueur if ends else None,
            performance_tflops=_more(_speed(chosen), _speed(other)),
            latency_ms=_more(_latency(chosen), _latency(other)),
            carbon_g=_more(_carbon(chosen), _carbon(other)),
        )


def asked(limit: Limit) -> str:
    """Return what is asked; of what one task takes, the amount alone."""
    of_a_task = limit.rule in ("gpus", "cpu", "memory", "storage")
    return said(limit.unit, amount(limit)) if of_a_task else BY_RULE[limit.rule].says(limit)


def _speed(solved: Solved) -> float | None:
    known = solved.ask.found.performance_known[used(solved)].all()
    return solved.totals.performance_mtflops / 1000 if known else None


def _latency(solved: Solved) -> float | None:
    found, at = solved.ask.found, used(solved)
    return float(found.network_ms[at].max()) if found.latency_known[at].all() else None


def _carbon(solved: Solved) -> float | None:
    known = solved.ask.found.carbon_known[used(solved)].all()
    return solved.totals.carbon_ug / 1e6 if known else None


def _more(than: float | None, value: float | None) -> float | None:
    return None if than is None or value is None else round(value - than, 6) + 0.0
