"""CP-SAT, level by level: each level is minimised and fixed before the next."""

from collections.abc import Callable, Iterator

from ortools.sat.python import cp_model

from flare_core.errors import InternalError
from flare_core.model.draft import Draft
from flare_core.model.families import broken, rules_of
from flare_core.model.objective.levels import Level, Stage, levels, node_levels
from flare_core.model.rule import Lazy
from flare_core.placement.order import value
from flare_core.placement.packing import Load, Loads, Packing, Problem, canonical, totals
from flare_core.placement.types import Outcome
from flare_core.solve.bounds import least_primary
from flare_core.solve.cpsat import Answer, Run
from flare_core.solve.result import Search

Watch = Callable[[float, float | None, float | None], None]

OTHER_SEED = 7919
"""Added to the seed where an answer is asked for a second time."""


def search(
    problem: Problem, incumbent: Packing, run: Run, *, watch: Watch | None = None, ties: bool = True
) -> Search:
    """Return the best packing of `problem` in the one order, from `incumbent` on.

    Parameters
    ----------
    problem
        With candidates already pruned.
    incumbent
        A packing that keeps all rules; nothing placed where none is known.
    run
        What the search may spend.
    watch
        Told (seconds, primary value, bound) at each improvement.
    ties
        Whether to settle the ties after the objective.
    """
    return _Descent(problem, incumbent, run, watch).result(ties=ties)


class _Descent:
    """A search under way."""

    def __init__(self, problem: Problem, incumbent: Packing, run: Run, watch: Watch | None) -> None:
        self.problem, self.run = problem, run
        self.best = incumbent
        self.rules = rules_of(problem)
        self.draft = Draft(problem)
        for rule in self.rules:
            rule.post(self.draft)
        # What a lazy rule may still throw away is no incumbent yet: the bound alone is told.
        self.watch = _bounds_only(watch) if self.draft.loose and watch is not None else watch
        self.values: tuple[int, ...] | None = None

    def result(self, *, ties: bool) -> Search:
        """Descend: who is placed, the objective, the ties."""
        placed_bound, placing_done = self._place()
        bound, primary_done = self._primary() if placing_done else (None, False)
        settled = primary_done and ties and self._settle()
        self.best = canonical(self.problem, self.best)
        self._check()
        warnings = list(self.run.cuts)
        if primary_done and ties and not settled:
            warnings.append("the objective is proven, the ties among equal plans are not settled")
        return Search(
            packing=self.best,
            outcome=self._outcome(primary_done, placing_done),
            bound=self._bound(bound),
            placed_bound=placed_bound,
            path="cp-sat",
            warnings=tuple(warnings),
            effort=self.run.effort,
        )

    def _bound(self, searched: int | None) -> int | None:
        """Return the best bound on the primary value of the plans that place as many as the best one."""
        known = [searched, least_primary(self.problem) if self._all_placed else None]
        return max((bound for bound in known if bound is not None), default=None)

    def _outcome(self, primary_done: bool, placing_done: bool) -> Outcome:
        if not any(self.best):
            return Outcome.INFEASIBLE if placing_done else Outcome.UNKNOWN
        return Outcome.OPTIMAL if primary_done else Outcome.FEASIBLE

    @property
    def _all_placed(self) -> bool:
        pairs = zip(self.problem.asks, self.best, strict=True)
        return all(loads or not len(ask.found) for ask, loads in pairs)

    def _place(self) -> tuple[int, bool]:
        """Place as much as can be placed; return (proven bound on the priority placed, whether proven)."""
        asks = self.problem.asks
        wanted = sum(ask.priority for ask in asks if len(ask.found))
        for ask, one in zip(asks, self.draft.placed, strict=True):
            if self._all_placed or not len(ask.found):  # nobody is left out who could be placed at all
                self.draft.model.add(one == int(len(ask.found) > 0))
                self.draft.bounds[one.index] = (int(len(ask.found) > 0),) * 2
        for level in levels(self.draft, Stage.PLACED):
            answer = self._level(level)
            if answer is None or not answer.proven:
                return wanted, False
        placed = sum(ask.priority for ask, loads in zip(asks, self.best, strict=True) if loads)
        if placed < wanted and not self._confirmed(placed):
            return wanted, False
        return placed, True

    def _confirmed(self, placed: int) -> bool:
        """Ask again, with another seed and the full presolve, whether really no more can be placed.

        Raises
        ------
        InternalError
            If the second answer contradicts the first.
        """
        asks = self.problem.asks
        again = Draft(self.problem)
        for rule in rules_of(self.problem):
            rule.post(again)
        more = again.total((v, ask.priority) for v, ask in zip(again.placed, asks, strict=True))
        again.model.add(more.expr() >= placed + 1)
        while not self.run.over:
            answer = self.run.minimise(again, again.total(()), None, seed=OTHER_SEED, presolve={})
            if answer.values is None:
                return answer.proven
            packing = self._packing(again, answer.values)
            if not self._cut(again, packing):
                raise InternalError("two searches disagree on what can be placed")
        return False

    def _primary(self) -> tuple[int | None, bool]:
        for level in levels(self.draft, Stage.PRIMARY):
            answer = self._level(level, self.watch)
            if answer is None:
                return None, False
            return answer.bound, answer.proven
        return self._value_of_primary(), True

    def _value_of_primary(self) -> int:
        """Return the primary value where it is the same for all packings that are left."""
        return sum(
            totals(ask, loads).primary for ask, loads in zip(self.problem.asks, self.best, strict=True)
        )

    def _settle(self) -> bool:
        """Settle the ties, as long as there are any; return whether they are settled."""
        only = False
        for stage in (Stage.TERMS, Stage.FEWEST, Stage.OFFERS):
            if stage is Stage.OFFERS and not only and not self._close():
                return False
            answer = only or self._only()
            if answer is None:
                return False
            only = answer
            if (not only or self._is_open(stage)) and not self._descend(levels(self.draft, stage)):
                return False
        return self._descend(node_levels(self.draft, self.best))

    def _is_open(self, stage: Stage) -> bool:
        """Whether nodes that stand apart matter to a stage: who sits with whom may still be open.

        How many nodes it takes, and how far the tasks of a gang are from each other.
        """
        gangs = any(ask.needs.gang for ask in self.problem.asks)
        return bool(self.draft.shared) and (stage is Stage.FEWEST or (stage is Stage.TERMS and gangs))

    def _close(self) -> bool:
        """Close the groups that no plan as good uses; return whether all others were found.

        Asked for a plan with a group not seen yet, until there is none.
        """
        draft = self.draft
        seen = {(i, load.group) for i, loads in enumerate(self.best) for load in loads}
        while True:
            unseen = [tasks for key, tasks in draft.tasks.items() if key not in seen]
            new = draft.flag("new")
            draft.model.add(cp_model.LinearExpr.sum(unseen) >= new)
            answer = self._level(Level("new", Stage.OFFERS, draft.total([(new, -1)])), keep=False)
            if answer is None or not answer.proven or answer.values is None:
                return False
            if answer.bound == 0:
                break
            seen |= {key for key, tasks in draft.tasks.items() if answer.values[tasks.index]}
        for key in draft.tasks.keys() - seen:
            draft.model.add(draft.tasks[key] == 0)
            draft.bounds[draft.tasks[key].index] = (0, 0)
        return True

    def _only(self) -> bool | None:
        """Whether no other choice of node groups is as good so far; None where that could not be found out.

        Another one has fewer tasks on some group that is used now.
        """
        counts = {(i, load.group): 0 for i, loads in enumerate(self.best) for load in loads}
        for i, loads in enumerate(self.best):
            for load in loads:
                counts[i, load.group] += load.tasks
        draft, other = self.draft, self.draft.flag("other")
        fewer = [draft.flag(f"fewer[{i},{g}]") for i, g in counts]
        for ((i, g), tasks), less in zip(counts.items(), fewer, strict=True):
            draft.model.add(draft.tasks[i, g] <= tasks - 1).only_enforce_if(less)
        draft.model.add_bool_or(fewer).only_enforce_if(other)
        answer = self._level(Level("other", Stage.OFFERS, draft.total([(other, -1)])), keep=False)
        return None if answer is None or not answer.proven else answer.bound == 0

    def _descend(self, steps: Iterator[Level]) -> bool:
        for level in steps:
            answer = self._level(level)
            if answer is None or not answer.proven:
                return False
        return True

    def _level(self, level: Level, watch: Watch | None = None, *, keep: bool = True) -> Answer | None:
        """Minimise one level and, unless only asked, fix it; None where nothing may be spent any more."""
        if keep and self._at_least(level):
            self.draft.model.add(level.terms.expr() <= level.terms.least)
            return Answer(cp_model.OPTIMAL, self.values, level.terms.least)
        while not self.run.over:
            hint = self.values if self.values is not None else _hint(self.draft, self.best)
            answer = self.run.minimise(self.draft, level.terms, hint, watch=watch)
            if answer.values is None and answer.proven:  # the plan in hand says otherwise
                answer = self.run.minimise(
                    self.draft, level.terms, hint, seed=OTHER_SEED, presolve={}, watch=watch
                )
            if answer.values is None:
                return self._without_values(answer)
            packing = self._packing(self.draft, answer.values)
            if self._cut(self.draft, packing):
                continue
            if not keep:
                return answer
            self._take(packing, answer)
            if answer.proven and answer.bound is not None:
                self.draft.model.add(level.terms.expr() <= answer.bound)
            return answer
        return None

    def _at_least(self, level: Level) -> bool:
        """Whether the values in hand already have the least value that bounds allow."""
        terms, values = level.terms, self.values
        if values is None or any(v.index >= len(values) for v in terms.vars):
            return False
        return (
            sum(c * values[v.index] for v, c in zip(terms.vars, terms.coefficients, strict=True))
            == terms.least
        )

    def _without_values(self, answer: Answer) -> Answer:
        if answer.proven:  # placing nothing, and every packing found so far, is a solution
            raise InternalError("a search finds nothing where a plan is known")
        return answer

    def _take(self, packing: Packing, answer: Answer) -> None:
        if value(self.problem, packing) <= value(self.problem, self.best):
            self.best, self.values = packing, answer.values
        else:  # as good up to this level, and better after it
            self.values = None

    def _cut(self, draft: Draft, packing: Packing) -> bool:
        """Exclude `packing` where a rule that is not all in the model is broken; return whether it was."""
        return any([rule.cut(draft, packing) for rule in self.rules if isinstance(rule, Lazy)])

    def _check(self) -> None:
        wrong = broken(self.problem, self.best, self.rules)
        if wrong:
            raise InternalError(f"the search breaks a rule: {wrong[0]}")

    def _packing(self, draft: Draft, values: tuple[int, ...]) -> Packing:
        return packing_of(draft, values)


def _bounds_only(watch: Watch) -> Watch:
    return lambda seconds, incumbent, bound: watch(seconds, None, bound)


def _hint(draft: Draft, packing: Packing) -> tuple[int, ...] | None:
    """Return the values of all variables for `packing`, 0 for those that follow from others.

    None where it uses more nodes of a group than have to stand apart: it was found where there were more
    candidates, and others are as good on fewer nodes.
    """
    values = [0] * len(draft.model.proto.variables)
    for i, loads in enumerate(packing):
        values[draft.placed[i].index] = int(bool(loads))
        for load in loads:
            values[draft.tasks[i, load.group].index] += load.tasks
            group = int(draft.problem.asks[i].found.group[load.group])
            at = draft.at.get((i, load.group, load.node))
            if at is None and group in draft.shared:
                return None
            if at is not None:
                values[at.index] += load.tasks
                values[draft.open[group, load.node].index] = 1
                _hint_owner(draft, values, i, group, load.node)
            elif draft.nodes[i, load.group] is not draft.tasks[i, load.group]:
                values[draft.nodes[i, load.group].index] += 1
    return tuple(values)


def _hint_owner(draft: Draft, values: list[int], i: int, group: int, node: int) -> None:
    """Say that an intent owns a node that is billed whole, once."""
    owns = draft.owns.get((i, group, node))
    if owns is not None and not values[owns.index]:
        values[owns.index] = 1
        first = next(g for k, g in draft.users[group] if k == i)
        values[draft.nodes[i, first].index] += 1


def packing_of(draft: Draft, values: tuple[int, ...]) -> Packing:
    """Return the packing that the values of the variables describe.

    Nodes that belong to one intent are numbered as they are met and filled from the first on.
    """
    next_node: dict[int, int] = {}
    packing: list[Loads] = []
    for i, ask in enumerate(draft.problem.asks):
        loads: list[Load] = []
        for g, j in enumerate(ask.found.group_candidate.tolist()):
            group, each = int(ask.found.group[g]), int(ask.found.group_tasks[g])
            if group in draft.shared:
                at = ((v, values[draft.at[i, g, v].index]) for v in range(draft.shared[group]))
                loads += [Load(j, g, v, tasks) for v, tasks in at if tasks]
                continue
            full, rest = divmod(values[draft.tasks[i, g].index], each)
            first = next_node.get(group, 0)
            sizes = [each] * full + [rest] * bool(rest)
            loads += [Load(j, g, first + k, size) for k, size in enumerate(sizes)]
            next_node[group] = first + len(sizes)
        packing.append(tuple(loads))
    return tuple(packing)
