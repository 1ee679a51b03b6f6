"""The whole road on one screen: intents and offers in, a proven and checked plan out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from flare_core.candidates.latency import with_latency
from flare_core.candidates.screen import screen
from flare_core.candidates.times import moves
from flare_core.candidates.types import Candidates
from flare_core.catalog.regions import resolve_origin
from flare_core.errors import (
    CancelledError,
    ErrorCode,
    IntentError,
    InternalError,
    NotSupportedError,
    OptionsError,
    found_expected,
)
from flare_core.explanation.case import Case
from flare_core.explanation.rejection import rejection
from flare_core.explanation.relax import Placer, Solved, Unproven
from flare_core.explanation.suggestions import Made
from flare_core.intent.json import Json
from flare_core.intent.patch import patched
from flare_core.inventory.types import Inventory
from flare_core.migration import Remake, migrated
from flare_core.negotiation.deal import Verdict
from flare_core.negotiation.offer import under_terms
from flare_core.negotiation.table import Means, Table, beside, instead, settle
from flare_core.options import FIRST_COME, Options, Progress
from flare_core.placement.build import assignments, held, placed, runner_up, settled
from flare_core.placement.occupied import free_now, seen_at
from flare_core.placement.packing import Ask, Packing, Problem, totals
from flare_core.placement.risk import risks
from flare_core.placement.score import score
from flare_core.placement.types import Outcome, Placement, Plan, Rejection, Status
from flare_core.quantities import QuantityError, parse_moment
from flare_core.requirements.lower import lower
from flare_core.requirements.types import Objective, Requirements
from flare_core.rolling import Kept, Running, joined, running, worth
from flare_core.rolling import beside as beside_running
from flare_core.solve.cpsat import Run
from flare_core.solve.fair import first_come
from flare_core.solve.queue import first_room
from flare_core.solve.result import Search
from flare_core.solve.search import Watch, search, search_within
from flare_core.verify import verify
from flare_core.verify.told import Placed

if TYPE_CHECKING:
    from flare_core.intent import Intent


MOST_TASKS = 10_000
"""Tasks of one intent, replicas up to which it may scale included."""

BRIEF_EFFORT = 0.2
"""Effort for each question that the explanation of a rejection asks."""

REASONS_EFFORT, SUGGESTIONS_EFFORT = 0.3, 0.3
"""Effort for all questions about the rejections of a plan, and for all that is suggested instead."""

QUESTION_EFFORT = 0.05
"""Effort for one of these questions, so that a hard one does not keep the others from being asked."""

MOST_PLANS, MOST_MADE = 60, 24
"""Plans of several intents that are tried to explain one, and suggestions that are placed for it."""

EXACT = 2**53
"""Sums in base units stay below this."""


def place(
    intents: "Intent | Sequence[Intent]",
    inventory: Inventory,
    *,
    now: str | datetime,
    current: Plan | Mapping[str, Any] | None = None,
    options: Options | None = None,
) -> Plan:
    """Place one intent, or several together, on the offers of an inventory.

    Parameters
    ----------
    intents
        What is needed, from `read_intent`.
    inventory
        What is offered, from `read_inventory`.
    now
        The moment from which the plan is made, to the second: ISO 8601 (a naive one is UTC) or a datetime.
    current
        A plan, or its document, that is being carried out: what has begun and not ended stays and holds what
        it has, its intents given again or not; everything else is planned again. The inventory is what there
        is without it. Where `options` has a ``migration_cost``, a running service among `intents` is moved
        where more intents are placed then, or where it saves more than that and is no worse off by its own
        objective; ``warnings`` name it.
    options
        How to search.

    Returns
    -------
    Plan
        Placements in the order of `intents`; one that cannot be placed is an answer, not an exception. The
        plan was checked by `verify` before it is returned.

    Raises
    ------
    FlareError
        Where input is wrong (``INVALID_FORMAT``, with the path), asks for what is not supported yet, or the
        search was cancelled before it had an answer.
    InternalError
        Where FLARE contradicts itself.
    """
    options = Options() if options is None else options
    started = options.timer()
    listed = tuple(intents) if isinstance(intents, Sequence) else (intents,)
    if current is not None:
        return _around_moved(listed, inventory, moment_of(now), current, options, started)
    problem = problem_of(listed, inventory, now=now, options=options)
    found = _found(problem, listed, options, started)
    return answer(listed, problem, found, inventory, options, started)


def _found(problem: Problem, intents: "Sequence[Intent]", options: Options, started: float) -> Search:
    watch = _teller(problem, options)
    if options.fairness == FIRST_COME and problem.several:
        found = first_come(problem, [intent.name for intent in intents], options, started, watch)
    else:
        found = search(problem, options, started, watch)
    if found.outcome is Outcome.UNKNOWN and options.cancellation and options.cancellation.cancelled:
        raise CancelledError
    return found


def around(
    intents: "Sequence[Intent]",
    inventory: Inventory,
    now: datetime,
    current: Plan | Mapping[str, Any],
    options: Options,
    started: float,
    held: "Sequence[Intent] | None" = None,
) -> Plan:
    """Return the plan of `intents` beside what of `current` runs.

    Where intents `held` beside `intents` are given, what has not begun stays as well.
    """
    _check_names(intents, options)
    runs, several = running(current, now, ahead=held is not None), len(intents) > 1
    seen = seen_from(inventory, options, now)
    known = [intent for intent in (*intents, *(held or ())) if intent.name in runs]
    needs = {intent.name: lower(intent, now=runs[intent.name].placed.start or now) for intent in known}
    kept = {
        i.name: _kept(runs[i.name], needs[i.name], seen, options, several=several)
        for i in intents
        if i.name in runs
    }
    rest = tuple(intent for intent in intents if intent.name not in kept)
    world, planned = beside_running(seen, runs.values(), needs, now), None
    if rest:
        problem = _problem(rest, world, now, options, several=several)
        found = _found(problem, rest, options, started)
        planned = _answered(rest, problem, found, options, started, several=several)
    spent = round(options.timer() - started, 6)
    plan = joined([intent.name for intent in intents], planned, kept, world, spent)
    _verify(plan, intents, inventory, options, current=current, now=now, held=held)
    return plan


def _around_moved(
    intents: "Sequence[Intent]",
    inventory: Inventory,
    now: datetime,
    current: Plan | Mapping[str, Any],
    options: Options,
    started: float,
) -> Plan:
    """Return the plan of `intents` beside what of `current` runs, after the moves that `options` allow."""
    plan, cost = around(intents, inventory, now, current, options, started), options.migration_ueur()
    if cost is None:
        return plan
    seen = seen_from(inventory, options, now)

    def again(document: Mapping[str, Any]) -> Plan:
        return around(intents, inventory, now, document, options, started, held=intents)

    def value(intent: "Intent", placed: Placed) -> int | None:
        return worth(ask_of(lower(intent, now=now), seen, options, several=len(intents) > 1), placed, seen)

    plan, moved = migrated(plan, intents, current, now, cost, Remake(again, value))
    if not moved:
        return plan
    said = tuple(f"{name}: is moved from where it runs" for name in moved)
    plan = replace(plan, warnings=(*plan.warnings, *said), wall_time_s=round(options.timer() - started, 6))
    _verify(plan, intents, inventory, options, current=current, now=now, migration=True)
    return plan


def _kept(run: Running, needs: Requirements, seen: Inventory, options: Options, *, several: bool) -> Kept:
    ask = ask_of(needs, seen, options, several=several)
    return Kept(run, ask, worth(ask, run.placed, seen) or 0)


def problem_of(
    intents: "Sequence[Intent]", inventory: Inventory, *, now: str | datetime, options: Options
) -> Problem:
    """Return what is to be solved for `intents`, once all that is given was checked."""
    moment = moment_of(now)
    _check_names(intents, options)
    seen = seen_from(inventory, options, moment)
    return _problem(intents, seen, moment, options, several=len(intents) > 1)


def answer(
    intents: "Sequence[Intent]",
    problem: Problem,
    found: Search,
    inventory: Inventory,
    options: Options,
    started: float,
) -> Plan:
    """Return the plan that `found` describes, checked."""
    plan = _answered(intents, problem, found, options, started, several=problem.several)
    _verify(plan, intents, inventory, options)
    return plan


def _answered(
    intents: "Sequence[Intent]",
    problem: Problem,
    found: Search,
    options: Options,
    started: float,
    *,
    several: bool,
) -> Plan:
    table = settle(Table.of(problem, found), intents, _means(problem, options, started, several=several))
    return _plan(intents, table, options, started)


def moment_of(now: str | datetime) -> datetime:
    """Return the moment of a plan, to the second."""
    try:
        return parse_moment(now).replace(microsecond=0)
    except QuantityError as error:
        raise OptionsError("now", str(error)) from error


def _check_names(intents: "Sequence[Intent]", options: Options) -> None:
    if not intents:
        raise OptionsError("intents", found_expected("none", "at least one intent"))
    seen: set[str] = set()
    for intent in intents:
        if intent.name in seen:
            expected = "a name that no other intent of the plan has"
            found = found_expected(intent.name, expected)
            raise IntentError(ErrorCode.INVALID_FORMAT, "workload.name", found)
        seen.add(intent.name)
    for name in options.priorities:
        if name not in seen:
            raise OptionsError(
                f"priorities.{name}", found_expected(name, "the name of an intent of this plan")
            )


def seen_from(inventory: Inventory, options: Options, now: datetime) -> Inventory:
    """Return `inventory` as it is from a moment on, with latencies from where the consumer sits."""
    seen = seen_at(inventory, int(now.timestamp()))
    return seen if options.origin is None else with_latency(seen, resolve_origin(options.origin))


def _problem(
    intents: "Sequence[Intent]", inventory: Inventory, now: datetime, options: Options, *, several: bool
) -> Problem:
    needs = sorted((lower(intent, now=now) for intent in intents), key=lambda n: n.name)
    return Problem(tuple(ask_of(n, inventory, options, several=several) for n in needs), inventory)


def ask_of(needs: Requirements, inventory: Inventory, options: Options, *, several: bool) -> Ask:
    """Return what `needs` asks of `inventory`, where it could go, and what each place is worth."""
    # What is in use now and ends takes GPUs between the tasks of an intent, as others of its plan do.
    found = screen(needs, inventory, alone=not several and not inventory.busy)
    if inventory.busy and not moves(needs):  # who is there from now on is told what keeps it from that
        found = replace(found, funnel=screen(needs, free_now(inventory)).funnel)
    _check_size(needs, found)
    priority = round(options.priorities.get(needs.name, 1.0) * 1e6)
    return Ask(needs, found, score(needs, found, options.balance(), scaled=several), max(1, priority))


def _check_size(needs: Requirements, found: Candidates) -> None:
    """Refuse what is too much for one plan, and sums that the solver and JSON do not hold exactly."""
    if needs.max_tasks > MOST_TASKS:
        text = f"{needs.max_tasks} tasks of one intent, more than {MOST_TASKS}"
        raise NotSupportedError("workload.scaling" if needs.auto_scale else "workload", text)
    for what, amounts in (
        ("its price", found.task_total_ueur),
        ("its price", found.task_ueur),
        ("its carbon", found.carbon_ug),
        ("its throughput", found.performance_mtflops),
    ):
        reach = needs.max_tasks * int(amounts.max(initial=0))
        if reach >= EXACT:
            text = f"{needs.max_tasks} tasks of which {what} may reach {reach} in all, more than 2**53"
            raise NotSupportedError("workload", text)


def _teller(problem: Problem, options: Options) -> Watch | None:
    """Return what turns the solver's figures into public ones and tells the caller."""
    tell = options.on_progress
    if tell is None:
        return None

    told: list[tuple[int | None, int | None]] = [(None, None)]

    def watch(seconds: float, incumbent: float | None, bound: float | None) -> None:
        best, proven = told[-1]
        now = _least(best, incumbent), _greatest(proven, bound)
        if now != told[-1]:
            told.append(now)
            shown, sure = (None if value is None else _public(problem, value) for value in now)
            tell(Progress(seconds, shown, sure, _gap(shown, sure)))

    return watch


def _least(known: int | None, new: float | None) -> int | None:
    return known if new is None else round(new) if known is None else min(known, round(new))


def _greatest(known: int | None, new: float | None) -> int | None:
    return known if new is None else round(new) if known is None else max(known, round(new))


def _public(problem: Problem, primary: int) -> float:
    """Return the public figure of a primary value, for several intents the sum of the scaled ones."""
    return problem.asks[0].score.public(primary)


def _gap(best: float | None, bound: float | None) -> float | None:
    if best is None or bound is None:
        return None
    return round(abs(best - bound) / max(abs(best), abs(bound), 1e-9), 9)


# --- the plan ---------------------------------------------------------------------------------------


def _means(
    problem: Problem, options: Options, started: float, *, several: bool, run: Run | None = None
) -> Means:
    """Return how changed intents are placed.

    Parameters
    ----------
    several
        Whether they are compared with others, without units.
    run
        What all searches together may spend; without it, those for trial as much as one plan.
    """
    trial = Run(replace(options, on_progress=None), started) if run is None else run
    now = problem.asks[0].needs.start
    return Means(
        lower=lambda intent: lower(intent, now=now),
        ask=lambda needs: ask_of(needs, problem.inventory, options, several=several),
        search=lambda part: (
            search(part, options, started) if run is None else search_within(part, run, ties=not part.several)
        ),
        trial=lambda part: search_within(part, trial, ties=part.several),
        timer=options.timer,
    )


def _plan(intents: "Sequence[Intent]", table: Table, options: Options, started: float) -> Plan:
    problem, found = table.problem, table.found
    by_name = {intent.name: intent for intent in intents}
    index = {ask.name: i for i, ask in enumerate(problem.asks)}
    order = [index[intent.name] for intent in intents]
    in_order = Problem(tuple(problem.asks[i] for i in order), problem.inventory)
    whole, own_seats = settled(problem, found.packing)
    found = replace(found, packing=whole)
    packing = tuple(whole[i] for i in order)
    all_seats = [own_seats[i] for i in order]
    placements: list[Placement] = []
    row, now = 0, problem.asks[0].needs.start
    why = _Why(
        Run(_brief(options, REASONS_EFFORT), started),
        Run(_brief(options, SUGGESTIONS_EFFORT), started),
        iter(range(MOST_PLANS)),
        iter(range(MOST_MADE)),
    )
    for i, intent in enumerate(intents):
        rows = slice(row, row + len(all_seats[i]))
        row = rows.stop
        wishes = _wishes(in_order.asks[i].needs, by_name[intent.name])
        if packing[i]:
            placement = placed(in_order, packing, i, all_seats[i], rows, wishes)
            placements.append(under_terms(placement, table.deals.get(intent.name), intent, now))
        else:
            placements.append(_unplaced(in_order.asks[i], intents, table, why))
    objective, bound, gap = _proof(replace(table, found=found))
    return Plan(
        outcome=_outcome(table, placements),
        objective=objective,
        bound=bound,
        gap=gap,
        wall_time_s=round(options.timer() - started, 6),
        warnings=(
            *_warnings(in_order, packing, found, options),
            *table.warnings,
            *_late(placements, options, started),
            *_unasked(why),
        ),
        placements=tuple(placements),
        assignments=assignments(in_order, all_seats),
        inventory=problem.inventory,
        funnels=tuple(ask.found.funnel for ask in in_order.asks),
        runners_up=tuple(runner_up(a, own) for a, own in zip(in_order.asks, packing, strict=True)),
    )


def _wishes(needs: Requirements, intent: "Intent") -> Mapping[int, str]:
    return {k: str(intent.written(limit.path)) for k, limit in enumerate(needs.preferences)}


class _Why(NamedTuple):
    """What all explanations of a plan may spend: on questions, on suggestions, and in whole plans of each."""

    asking: Run
    making: Run
    plans: Iterator[int]
    tries: Iterator[int]


def _unplaced(ask: Ask, intents: "Sequence[Intent]", table: Table, why: _Why) -> Placement:
    if not table.settled(ask):
        return Placement(intent=ask.name, status=Status.UNKNOWN)
    if table.verdict(ask.name) is Verdict.QUEUED:
        later = first_room(ask, table.problem, table.found.packing, why.asking)
        start = None if later is None else ask.needs.start + timedelta(seconds=later)
        return Placement(intent=ask.name, status=Status.QUEUED, start=start)
    reason = reason_of(ask, intents, table, why)
    return Placement(intent=ask.name, status=Status.REJECTED, error=reason)


def reason_of(ask: Ask, intents: "Sequence[Intent]", table: Table, why: _Why) -> Rejection:
    """Return why an intent is not placed, and what could be instead."""
    intent = next(intent for intent in intents if intent.name == ask.name)
    inventory = table.problem.inventory
    world = inventory
    if not moves(ask.needs):  # for who is there from now on, what comes free later is used
        inventory = world = free_now(inventory)
    elif ask.needs.deadline is not None:  # with more time it may begin when others end
        world = replace(inventory, busy=(*inventory.busy, *held(table.problem, table.found.packing)))
    case = Case(ask.needs, ask.found.funnel, world, intent, ask.needs.start)

    def make(patch: Mapping[str, Json]) -> Made | None:
        if why.making.over or _spent(why.tries, why.making):
            return None
        return _instead(patched(intent, patch), intents, table, why.making)

    others = any(table.found.packing)
    return rejection(
        case,
        _placer(inventory, why.asking),
        beside=_placer_beside(table, why) if others else None,
        make=make,
        stop=lambda: why.asking.over,
    )


def _placer_beside(table: Table, why: _Why) -> Placer:
    """Return what places one intent beside those that are placed, for explanations."""
    means = _means(table.problem, why.asking.options, why.asking.started, several=True, run=why.asking)

    def place_beside(needs: Requirements) -> Solved | None:
        if _spent(why.plans, why.asking):
            raise Unproven(needs.name)
        return beside(table, needs, means)

    return place_beside


def _spent(plans: Iterator[int], run: Run) -> bool:
    """Whether no further plan may be tried; `run` then says that it was cut."""
    spent = next(plans, None) is None
    if spent:
        run.cuts.append("so many plans were tried that no more are")
    return spent


def _brief(options: Options, effort: float) -> Options:
    return replace(options, on_progress=None, effort=min(options.effort, effort))


def _instead(changed: "Intent", intents: "Sequence[Intent]", table: Table, run: Run) -> Made | None:
    """Return the placement of a changed intent beside what is placed, checked; None where none is found."""
    options, started = run.options, run.started
    means = _means(table.problem, options, started, several=any(table.found.packing), run=run)
    try:
        found = instead(table, means.ask(means.lower(changed)), means)
    except NotSupportedError:
        return None
    if found is None:
        return None
    names = [ask.name for ask in found.problem.asks]
    named = {intent.name: intent for intent in intents} | {changed.name: changed}
    inside = [named[name] for name in names]
    plan = _plan(inside, found, options, started)
    _verify(plan, inside, table.problem.inventory, options)
    at = names.index(changed.name)
    ask, loads = found.problem.asks[at], found.found.packing[at]
    rated = bool(ask.found.performance_known[[load.candidate for load in loads]].all())
    return Made(plan.to_dict()["placements"][at], totals(ask, loads), rated)


def _placer(inventory: Inventory, run: Run) -> Placer:
    """Return what places one intent alone, as cheaply as possible, for explanations."""

    def place_alone(needs: Requirements) -> Solved | None:
        least = replace(needs, tasks=1, max_tasks=1) if needs.any_tasks else needs
        ask = ask_of(replace(least, objective=Objective.COST), inventory, run.options, several=False)
        if run.over:
            raise Unproven(needs.name)
        question = Run(_brief(run.options, min(QUESTION_EFFORT, run.effort_left)), run.started)
        found = search_within(Problem((ask,), inventory), question, ties=False)
        run.effort += question.effort
        [loads] = found.packing
        if found.outcome is Outcome.UNKNOWN:
            raise Unproven(needs.name)
        return Solved(ask, loads, totals(ask, loads)) if loads else None

    return place_alone


def _outcome(table: Table, placements: "Sequence[Placement]") -> Outcome:
    """Return what is known of the plan; one in which everybody waits or may accept is complete."""
    statuses = {p.status for p in placements}
    waits = Status.QUEUED in statuses and not statuses & {Status.PLACED, Status.UNKNOWN}
    return Outcome.OPTIMAL if waits else table.found.outcome


def _proof(
    table: Table,
) -> tuple[float | Mapping[str, float] | None, float | Mapping[str, float] | None, float | None]:
    """Return (objective, bound, gap) as the public document has them; offers do not count."""
    problem, found = table.problem, table.found
    listed = zip(problem.asks, found.packing, strict=True)
    pairs = [(ask, () if table.offered(ask.name) else loads) for ask, loads in listed]
    if not any(loads for _, loads in pairs):
        return None, None, None
    best = _public(problem, sum(totals(ask, loads).primary for ask, loads in pairs))
    bound = None if found.bound is None else _public(problem, found.bound)
    if found.outcome is Outcome.OPTIMAL:
        bound = best
    if not problem.several:
        return best, bound, _gap(best, bound)
    number = sum(1 for _, loads in pairs if loads)
    at_most = _at_most(table, number)
    gap = _gap(best, bound) if number == at_most else _gap(float(number), float(at_most))
    shown = {"placed": float(at_most)} if bound is None else {"placed": float(number), "scaled": bound}
    return {"placed": float(number), "scaled": best}, shown, gap


def _at_most(table: Table, number: int) -> int:
    """Return how many intents any plan places at most, where one places `number`."""
    asks, found = table.problem.asks, table.found
    if found.outcome is Outcome.OPTIMAL:
        return number
    if table.deals:  # what is known is known of the intents as they were asked for
        return len(asks)
    return max(number, min(len(asks), found.placed_bound // min(ask.priority for ask in asks)))


def _warnings(problem: Problem, packing: Packing, found: Search, options: Options) -> tuple[str, ...]:
    said: list[str] = []
    for ask, loads in zip(problem.asks, packing, strict=True):
        prefix = f"{ask.name}: " if problem.several else ""
        spot = risks(ask, loads, problem.inventory)
        said += [prefix + text for text in (*ask.needs.warnings, *ask.found.warnings, *spot)]
        tasks = totals(ask, loads).tasks
        if 0 < tasks < ask.needs.tasks:
            said.append(f"{prefix}{tasks} of {ask.needs.tasks} tasks are placed")
    if options.weights is not None and not any(
        a.needs.objective.value.startswith("Bal") for a in problem.asks
    ):
        said.append("the weights given apply to Balanced_Optimization alone")
    if options.workers > 1 and found.path == "cp-sat":
        said.append("several solver threads: among equal plans another one may come next time")
    return tuple(dict.fromkeys((*said, *found.warnings)))


def _late(placements: Sequence[Placement], options: Options, started: float) -> Iterator[str]:
    """Warn where the fuse cut the search for reasons: they may be less exact than without it."""
    if any(p.error for p in placements) and options.timer() - started > options.time_limit:
        yield "the wall-clock time limit ended the search for the reasons of a rejection"


def _unasked(why: _Why) -> Iterator[str]:
    """Warn where the effort for reasons was spent before all was asked."""
    if why.asking.cuts or why.asking.effort_left <= 0:
        yield "the effort for reasons ended: conflicts and corrections of a rejection may be incomplete"
    if why.making.cuts:
        yield "the effort for suggestions ended: there may be more and better ones for a rejection"


def _verify(
    plan: Plan,
    intents: "Sequence[Intent]",
    inventory: Inventory,
    options: Options,
    current: Plan | Mapping[str, Any] | None = None,
    now: datetime | None = None,
    held: "Sequence[Intent] | None" = None,
    *,
    migration: bool = False,
) -> None:
    violations = verify(
        plan,
        intents,
        inventory,
        origin=options.origin,
        current=current,
        now=now,
        held=held,
        migration=migration,
    )
    if violations:
        raise InternalError(f"the plan does not pass the check: {violations[0]}")
