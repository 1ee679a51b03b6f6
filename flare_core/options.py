"""How to search, beside what to search for."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from flare_core.errors import OptionsError, found_expected
from flare_core.quantities import QuantityError, Rounding, parse_money_ueur

TERMS = ("cost", "performance", "latency", "carbon")
"""The terms of the objectives, in the order in which they break ties."""

DEFAULT_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"cost": 0.4, "performance": 0.3, "latency": 0.2, "carbon": 0.1}
)
"""Weights of ``Balanced_Optimization`` where the caller gives none."""

DEFAULT_EFFORT = 1.5
"""CP-SAT deterministic time after which a search ends, repeatable on any machine: some 5 s of one core of
2024, so that it ends a search before the default wall-clock fuse does."""

FIRST_COME = "first-come"
FAIRNESS = ("most", FIRST_COME)
"""What several intents may lose to each other, see `Options`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a running search: seconds since its start, best objective, proven bound, relative gap."""

    time_s: float
    incumbent: float | None
    bound: float | None
    gap: float | None


class Cancellation:
    """Ends a running search from another thread.

    The search returns the best placement it has, marked in the plan's ``warnings``; one that has none
    raises `CancelledError`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._stops: list[Callable[[], object]] = []

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """Stop every search that was given this object, now and later."""
        with self._lock:
            self._cancelled = True
            stops = tuple(self._stops)
        for stop in stops:
            stop()

    def watch(self, stop: Callable[[], object]) -> None:
        """Call `stop` on cancellation, at once if that has already happened."""
        with self._lock:
            self._stops.append(stop)
            cancelled = self._cancelled
        if cancelled:
            stop()

    def unwatch(self, stop: Callable[[], object]) -> None:
        """Forget `stop`."""
        with self._lock:
            self._stops.remove(stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Settings of one `place`.

    Parameters
    ----------
    time_limit
        Wall-clock fuse in seconds, more than 0. Where it cut a search, the plan's ``warnings`` say so, and
        only then may the same input give another plan.
    effort
        CP-SAT deterministic time that ends a search, more than 0; repeatable on any machine.
    seed
        Random seed of the solver, 0 … 2**31 - 1.
    workers
        Solver threads, 1 … 64. More than one may make equal plans differ; ``warnings`` say so.
    weights
        Weights of ``Balanced_Optimization`` by term (``cost``, ``performance``, ``latency``, ``carbon``), not
        negative, not all 0; absent terms weigh 0. Only their ratios matter.
    origin
        Where the consumer sits: ``(lat, lon)`` in degrees, an ISO country code or a provider region
        (``"aws/eu-west-1"``). Without it an unknown latency stays unknown.
    priorities
        Weight of placing an intent, by its name, in steps of a millionth; 1 where absent, more than 0.
    fairness
        ``most``: several intents are placed so that most are, whoever came first. ``first-come``: none is
        refused that would have been placed if they had come one by one in the order given.
    migration_cost
        What moving a task of a running service costs, such as ``"0.50 EUR"``. With it a plan around what runs
        (``current``) may move services, see `place`; without it nothing that runs is moved.
    on_progress
        Called during the search with each improvement of incumbent or bound, from the solver's thread.
    cancellation
        Ends the search from another thread.
    timer
        Monotonic seconds for fuses and ``wall_time_s``; nothing else reads a clock.
    """

    time_limit: float = 10.0
    effort: float = DEFAULT_EFFORT
    seed: int = 0
    workers: int = 1
    weights: Mapping[str, float] | None = None
    origin: tuple[float, float] | str | None = None
    priorities: Mapping[str, float] = field(default_factory=dict)
    fairness: str = "most"
    migration_cost: str | None = None
    on_progress: Callable[[Progress], None] | None = None
    cancellation: Cancellation | None = None
    timer: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        _check_number("time_limit", self.time_limit, 0, 1e9)
        _check_number("effort", self.effort, 0, 1e9)
        _check_whole("seed", self.seed, 0, 2**31 - 1)
        _check_whole("workers", self.workers, 1, 64)
        _check_mapping("priorities", self.priorities)
        for name, priority in self.priorities.items():
            _check_number(f"priorities.{name}", priority, 0, 1e6)
        if self.fairness not in FAIRNESS:
            raise OptionsError("fairness", found_expected(self.fairness, f"one of {', '.join(FAIRNESS)}"))
        if self.weights is not None:
            _check_weights(self.weights)
        self.migration_ueur()

    def migration_ueur(self) -> int | None:
        """Return what moving a task costs in micro-euro, None where nothing is moved."""
        if self.migration_cost is None:
            return None
        try:
            return parse_money_ueur(self.migration_cost, Rounding.UP)
        except QuantityError as error:
            raise OptionsError("migration_cost", str(error)) from error

    def balance(self) -> Mapping[str, float]:
        """Return the weights in force, by term, every term present."""
        weights = DEFAULT_WEIGHTS if self.weights is None else self.weights
        return {term: float(weights.get(term, 0.0)) for term in TERMS}


def _check_number(path: str, value: object, above: float, most: float) -> None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and above < value <= most
    if not good:
        raise OptionsError(path, found_expected(value, f"a number above {above:g} and at most {most:g}"))


def _check_whole(path: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise OptionsError(path, found_expected(value, f"a whole number from {least} to {most}"))


def _check_mapping(path: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise OptionsError(path, found_expected(value, "a mapping from names to numbers"))


def _check_weights(weights: Mapping[str, float]) -> None:
    _check_mapping("weights", weights)
    for term, weight in weights.items():
        if term not in TERMS:
            raise OptionsError(f"weights.{term}", found_expected(term, f"one of {', '.join(TERMS)}"))
        if weight != 0 or isinstance(weight, bool):
            _check_number(f"weights.{term}", weight, 0, 1e6)
    if not any(weights.values()):
        raise OptionsError("weights", "found no weight above 0, expected at least one")
