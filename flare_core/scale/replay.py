"""Which policy suits the expected tasks: each is tried on a sample of them.

No policy is the best everywhere, and a replay costs less than a millisecond a task. So the policies are
replayed on streams that are drawn from the forecast, and the one that allocates most is taken. Plans differ
in how much of the forecast they hold places for: a plan for just as much as will be accepted leaves no place
open and none hurt, and how much that is depends on how well the tasks fit together. Where tasks leave, too,
the mean of what is taken counts, once it no longer grows; there a plan wears out.
"""

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from heapq import heappop, heappush
from types import MappingProxyType
from typing import Final

import numpy as np

from flare_core.inventory.types import FloatArray, IntArray
from flare_core.scale.assign import assigning
from flare_core.scale.batch import plan_counts
from flare_core.scale.fleet import Classes, Fleet, Seats, State
from flare_core.scale.fragmentation import Fragmentation
from flare_core.scale.guided import Guided
from flare_core.scale.policies import Maker, Policy, best_fit, first_match, gradient_descent

ARRIVALS: Final = 1.3
"""Share of what is free that the tasks of a sample ask for."""
SAMPLES: Final = 2
WARM: Final = 6
"""How many times as many tasks come in a sample as come while one stays."""
SHARES: Final = (0.97, 1.0, 1.03, 1.06, 1.1)
"""Shares of what is free that plans hold places for."""


@dataclass(frozen=True, slots=True)
class Planned:
    """Makes the policy that follows a plan.

    Attributes
    ----------
    share
        How much the planned tasks ask for, of what is free.
    effort
        Of the local search for the plan, CP-SAT's deterministic time.
    """

    share: float
    effort: float = 0.0

    def __call__(self, fleet: Fleet, classes: Classes, forecast: IntArray, state: State) -> Guided:
        return following(self.slots(fleet, classes, forecast, state), fleet, classes, forecast, state)

    def slots(self, fleet: Fleet, classes: Classes, forecast: IntArray, state: State) -> Seats:
        """Return the plan."""
        wanted = scaled(forecast, classes, self.share * float(state.milli.sum()))
        return plan_counts(fleet, classes, wanted, state=state, effort=self.effort)


def following(slots: Seats, fleet: Fleet, classes: Classes, forecast: IntArray, state: State) -> Guided:
    """Return the policy that follows a plan."""
    policy = Guided(fleet, classes, state, Fragmentation.of(fleet, classes, forecast))
    policy.hold(slots)
    return policy


MAKERS: Mapping[str, Maker] = MappingProxyType(
    {
        "first match": first_match,
        "best fit": best_fit,
        "gradient descent": gradient_descent,
        "assignment": assigning,
        **{f"plan for {share:.0%}": Planned(share) for share in SHARES},
    }
)
"""What is tried by default."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The best policy, and what each allocated of the samples, thousandths of GPUs on average."""

    name: str
    allocated: Mapping[str, float]


def choose(
    fleet: Fleet,
    classes: Classes,
    forecast: IntArray,
    state: State,
    *,
    makers: Mapping[str, Maker] = MAKERS,
    together: int = 1,
    stay: float | None = None,
    seed: int = 0,
) -> Choice:
    """Return the policy that allocates most of what is free; the first such of `makers`.

    Parameters
    ----------
    forecast
        How many tasks of each class are expected; what counts is their proportion.
    state
        What is free. It is not changed.
    makers
        The policies, by name.
    together
        How many tasks arrive together.
    stay
        How many tasks arrive while one stays, on average; none leaves where it is not given.
    seed
        Of the samples.
    """
    samples = [sample(classes, forecast, state, stay, seed + k) for k in range(SAMPLES)]
    allocated: dict[str, float] = {}
    for name, maker in makers.items():
        policy = maker(fleet, classes, forecast, state.copy())
        allocated[name] = sum(replay(deepcopy(policy), classes, each, together) for each in samples) / SAMPLES
    return Choice(max(allocated, key=lambda name: allocated[name]), MappingProxyType(allocated))


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Tasks that come, and when they leave.

    Attributes
    ----------
    tasks
        The class of each, in the order in which they come.
    leave
        After how many arrivals in all each of them leaves; infinite where it does not.
    """

    tasks: IntArray
    leave: FloatArray


def sample(classes: Classes, forecast: IntArray, state: State, stay: float | None, seed: int) -> Sample:
    """Return tasks drawn from a forecast; see `choose`. How long each stays is exponentially distributed."""
    if stay is None:
        tasks = draw(classes, forecast, state, seed)
        return Sample(tasks, np.full(len(tasks), np.inf))
    random, count = np.random.default_rng(seed), math.ceil(WARM * stay)
    tasks = random.choice(len(classes), count, p=forecast / forecast.sum())
    return Sample(tasks, np.arange(count) + random.exponential(stay, count))


def replay(policy: Policy, classes: Classes, drawn: Sample, together: int = 1) -> float:
    """Return what a policy allocates: in the end if nobody leaves, else on average over the second half."""
    worth, taken = _worth(classes).tolist(), 0
    leaving: list[tuple[float, int, int, int]] = []
    seen: list[int] = []
    tasks, leave = drawn.tasks.tolist(), drawn.leave.tolist()
    for first in range(0, len(tasks), together):
        while leaving and leaving[0][0] <= first:
            _, task_class, node, gpus = heappop(leaving)
            policy.free(task_class, node, gpus)
            taken -= worth[task_class]
        some = tasks[first : first + together]
        for k, seat in enumerate(policy.seat_many(some)):
            if seat is not None:
                taken += worth[some[k]]
                heappush(leaving, (leave[first + k], some[k], *seat))
        seen.append(taken)
    return float(np.mean(seen[len(seen) // 2 :])) if np.isfinite(drawn.leave).any() else float(taken)


def draw(classes: Classes, forecast: IntArray, state: State, seed: int) -> IntArray:
    """Return the classes of tasks drawn from the forecast that ask for `ARRIVALS` of what is free."""
    random, worth = np.random.default_rng(seed), _worth(classes)
    total = int(forecast.sum())
    if not total or not (forecast @ classes.demand_milli):
        return random.permutation(np.repeat(np.arange(len(classes)), forecast))
    tasks = ARRIVALS * float(state.milli.sum()) * total / float(forecast @ worth)
    return random.choice(len(classes), int(tasks), p=forecast / total)


def scaled(forecast: IntArray, classes: Classes, milli: float) -> IntArray:
    """Return a forecast in the same proportions that asks for so many thousandths of GPUs.

    Numbers are cut to whole ones, and those that lose most by it are rounded up instead.
    """
    asked = float(forecast @ classes.demand_milli)
    exact = forecast * (milli / asked) if asked else forecast.astype(np.float64)
    whole = np.floor(exact).astype(np.int64)
    lost = exact - whole
    more = np.argsort(-lost, kind="stable")[: round(float(lost.sum()))]
    whole[more] += 1
    return whole


def _worth(classes: Classes) -> IntArray:
    """Return what a task of each class counts: its thousandths of GPUs, and 1 where it takes none."""
    return np.maximum(1, classes.demand_milli)
