"""One call of CP-SAT, with its limits, its listeners and what it said."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ortools.sat.python import cp_model

from flare_core.errors import InternalError
from flare_core.model.draft import Draft, Terms
from flare_core.options import Options

LIGHT: Mapping[str, int | bool] = {
    "max_presolve_iterations": 1,
    "cp_model_probing_level": 0,
    "symmetry_level": 0,
    "cut_level": 0,  # 10-30 % of the time on the benchmarks' coupled and crowded worlds
}
"""Presolve for models that are already small and arrive with a complete hint: the default presolve costs more
than it saves under some hundred candidates, and may eat a short limit before the hint is looked at."""


SOUND: Mapping[str, int] = {"presolve_inclusion_work_limit": 0}
"""For every call: a step of the presolve makes OR-Tools 9.15 "prove" plans that are not the best
(https://github.com/google/or-tools/issues/5293). It is left out, and nothing else; see decision 014."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call said.

    ``values`` of all variables by index, None without a solution; ``bound`` is the proven least value.
    """

    status: cp_model.CpSolverStatus
    values: tuple[int, ...] | None
    bound: int | None

    @property
    def proven(self) -> bool:
        """Whether nothing remains to be searched."""
        return self.status in (cp_model.OPTIMAL, cp_model.INFEASIBLE)


@dataclass(slots=True)
class Run:
    """The calls of one search: they share a wall-clock fuse, an effort and a cancellation."""

    options: Options
    started: float
    effort: float = 0.0
    cuts: list[str] = field(default_factory=list)

    @property
    def seconds_left(self) -> float:
        """Wall-clock seconds until the fuse."""
        return self.started + self.options.time_limit - self.options.timer()

    @property
    def effort_left(self) -> float:
        """Deterministic time that may still be spent."""
        return self.options.effort - self.effort

    @property
    def cancelled(self) -> bool:
        """Whether the caller gave up."""
        return self.options.cancellation is not None and self.options.cancellation.cancelled

    @property
    def over(self) -> bool:
        """Whether no further call may be made; says why in ``cuts``."""
        if self.cancelled:
            self._cut("the search was cancelled")
        elif self.seconds_left <= 0:
            self._cut("the wall-clock time limit ended the search: the same input may give another plan")
        elif self.effort_left <= 0:
            self._cut("the effort limit ended the search")
        else:
            return False
        return True

    def _cut(self, why: str) -> None:
        if why not in self.cuts:
            self.cuts.append(why)

    def minimise(
        self,
        draft: Draft,
        terms: Terms,
        hint: tuple[int, ...] | None,
        *,
        seed: int = 0,
        presolve: Mapping[str, int | bool] = LIGHT,
        watch: Callable[[float, float | None, float | None], None] | None = None,
    ) -> Answer:
        """Minimise `terms` over `draft` from `hint`; later calls may follow on the same draft."""
        model = draft.model
        model.clear_hints()  # type: ignore[no-untyped-call]  # ortools leaves it without types
        if hint:
            model.proto.solution_hint.vars.extend(range(len(hint)))
            model.proto.solution_hint.values.extend(hint)
        model.minimize(terms.expr())
        solver = self._solver(seed, presolve)
        callback = _Watch(watch, self.options.timer, self.started) if watch is not None else None
        if callback is not None:
            solver.best_bound_callback = callback.on_bound
        stop = solver.stop_search
        if self.options.cancellation is not None:
            self.options.cancellation.watch(stop)
        try:
            status = solver.solve(model, callback)
        finally:
            if self.options.cancellation is not None:
                self.options.cancellation.unwatch(stop)
        return self._answer(draft, terms, solver, status)

    def _solver(self, seed: int, presolve: Mapping[str, int | bool]) -> cp_model.CpSolver:
        solver = cp_model.CpSolver()
        parameters = solver.parameters
        parameters.num_workers = self.options.workers
        parameters.random_seed = (self.options.seed + seed) % 2**31
        parameters.max_time_in_seconds = max(0.001, self.seconds_left)
        parameters.max_deterministic_time = max(1e-6, self.effort_left)
        parameters.catch_sigint_signal = False  # signals belong to the program, not to a library
        for name, setting in {**SOUND, **presolve}.items():
            setattr(parameters, name, setting)
        return solver

    def _answer(
        self, draft: Draft, terms: Terms, solver: cp_model.CpSolver, status: cp_model.CpSolverStatus
    ) -> Answer:
        self.effort += solver.response_proto.deterministic_time
        if status == cp_model.MODEL_INVALID:
            raise InternalError(f"the model is invalid: {draft.model.validate()}")
        if status == cp_model.INFEASIBLE:
            return Answer(status, None, None)
        if status != cp_model.OPTIMAL and not self.over:
            self._cut("the effort limit ended the search")
        bound = max(terms.least, round(solver.best_objective_bound))
        if bound == 0 > terms.least and status != cp_model.OPTIMAL:
            bound = terms.least  # a call that is cut early reports 0 before it has a bound
        if status == cp_model.UNKNOWN:
            return Answer(status, None, bound)
        values = tuple(solver.response_proto.solution)
        worth = sum(
            c * values[v.index] for v, c in zip(terms.vars, terms.coefficients, strict=True)
        )  # the solver reports a double
        return Answer(status, values, worth if status == cp_model.OPTIMAL else min(bound, worth))


class _Watch(cp_model.CpSolverSolutionCallback):
    """Tells the caller of each better incumbent and bound."""

    def __init__(
        self,
        tell: Callable[[float, float | None, float | None], None],
        timer: Callable[[], float],
        started: float,
    ) -> None:
        super().__init__()
        self._tell, self._timer, self._started = tell, timer, started
        self._best: float | None = None
        self._bound: float | None = None
        self._count = itertools.count()

    def on_solution_callback(self) -> None:
        """Take a better incumbent."""
        self._best, self._bound = self.objective_value, self.best_objective_bound
        self._tell(self._timer() - self._started, self._best, self._bound)

    def on_bound(self, bound: float) -> None:
        """Take a better bound."""
        self._bound = bound
        self._tell(self._timer() - self._started, self._best, bound)
