"""A fleet with tasks that come and go.

The engine knows columns, not intents: a task asks for cores, memory, and whole GPUs or a part of one, of
certain models. Prices, places and whatever else an intent may say are the matter of `flare_core.place`.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, Self

import numpy as np

from flare_core.errors import OptionsError, found_expected
from flare_core.inventory.types import IntArray
from flare_core.scale.assign import assigning
from flare_core.scale.fleet import WHOLE, Classes, Fleet, State
from flare_core.scale.fragmentation import Fragmentation
from flare_core.scale.guided import Guided
from flare_core.scale.policies import Maker, Policy, Seat, best_fit, first_match, gradient_descent
from flare_core.scale.replay import MAKERS, Choice, Planned, choose

VERSION: Final = 1
"""Of the snapshots."""
TOGETHER: Final = 64
"""Tasks of `Engine.submit_many` that are assigned at once."""
BEST_FIT: Final = "best fit"
PLAN: Final = "plan"


def _unplanned(fleet: Fleet, classes: Classes, forecast: IntArray, state: State) -> Guided:
    return Guided(fleet, classes, state, Fragmentation.of(fleet, classes, forecast))


_MAKERS: Final[Mapping[str, Maker]] = MappingProxyType(
    {
        "first match": first_match,
        BEST_FIT: best_fit,
        "gradient descent": gradient_descent,
        "assignment": assigning,
        PLAN: _unplanned,
    }
)


class Node(NamedTuple):
    """A machine: its name, milli-cores, MiB, GPUs, and the model of the GPUs where there are any."""

    name: str
    cpu_milli: int
    memory_mib: int
    gpus: int = 0
    model: str = ""


class Task(NamedTuple):
    """What a task asks for.

    Attributes
    ----------
    cpu_milli, memory_mib
        Beside the GPUs.
    gpus
        How many, all of one node.
    milli
        Thousandths of the GPU, where it asks for one; of several it takes all.
    models
        GPU models that will do; none listed: any.
    """

    cpu_milli: int
    memory_mib: int
    gpus: int = 0
    milli: int = WHOLE
    models: tuple[str, ...] = ()


class Placed(NamedTuple):
    """Where a task sits: the name of the node, and the numbers of its GPUs."""

    node: str
    gpus: tuple[int, ...]


class Engine:
    """A fleet, the tasks on it, and a policy that seats those that arrive.

    Nothing is refused that fits anywhere, nothing that sits is moved, and the same calls give the same seats.
    Until `plan` has been told what to expect, a task goes where it leaves least (best fit).

    Parameters
    ----------
    nodes
        The machines, all of different names.

    Raises
    ------
    OptionsError
        If the nodes are no fleet.

    Examples
    --------
    >>> engine = Engine([Node("a", 8000, 65536, 2, "nvidia-t4"), Node("b", 8000, 65536, 4, "nvidia-a10")])
    >>> engine.submit("one", Task(1000, 4096, gpus=2))
    Placed(node='a', gpus=(0, 1))
    >>> engine.submit("two", Task(1000, 4096, gpus=1, milli=300))
    Placed(node='b', gpus=(0,))
    >>> engine.submit("three", Task(1000, 4096, gpus=2, models=("nvidia-t4",)))
    >>> engine.release("one")
    >>> engine.submit("three", Task(1000, 4096, gpus=2, models=("nvidia-t4",)))
    Placed(node='a', gpus=(0, 1))
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._fleet = _fleet(nodes)
        self._shapes: dict[Task, int] = {}
        self._classes = _classes([], self._fleet)
        self._seated: dict[str, tuple[int, Seat]] = {}
        self._expected: dict[int, int] = {}
        self._name = BEST_FIT
        self._policy = self._made(State.of(self._fleet))

    @property
    def policy(self) -> str:
        """The name of the policy."""
        return self._name

    @property
    def tasks(self) -> Mapping[str, Placed]:
        """Where each task sits, in the order in which they were seated."""
        return MappingProxyType({name: self._placed(seat) for name, (_, seat) in self._seated.items()})

    @property
    def allocation(self) -> float:
        """Share of all GPUs that is taken; 0 where there are none."""
        capacity = self._fleet.capacity_milli
        return 1 - int(self._policy.state.milli.sum()) / capacity if capacity else 0.0

    @property
    def fragment(self) -> float:
        """GPUs that are free and of no use to the tasks that are expected; all, if none are.

        See `flare_core.scale.fragmentation`.
        """
        measure = Fragmentation.of(self._fleet, self._classes, self._forecast())
        return float(measure.of_nodes(self._policy.state).sum()) / WHOLE

    def submit(self, name: str, task: Task) -> Placed | None:
        """Seat a task; return None where it fits nowhere.

        Raises
        ------
        OptionsError
            If a task of this name sits already, or it asks for what no task can.
        """
        self._check(name, task)
        return self._sit(name, task, self._policy.seat(self._class_of(task)))

    def submit_many(self, tasks: Mapping[str, Task]) -> Mapping[str, Placed | None]:
        """Seat tasks that have arrived together; None for those that fit nowhere.

        Where the policy is assignment, `TOGETHER` of them are seated at a time, otherwise each by itself.

        Raises
        ------
        OptionsError
            If one of them cannot be submitted; then none is seated.
        """
        for name, task in tasks.items():
            self._check(name, task)
        names, classes = list(tasks), [self._class_of(task) for task in tasks.values()]
        found: list[Seat | None] = []
        for first in range(0, len(names), TOGETHER):
            found += self._policy.seat_many(classes[first : first + TOGETHER])
        return MappingProxyType(
            {name: self._sit(name, tasks[name], seat) for name, seat in zip(names, found, strict=True)}
        )

    def release(self, name: str) -> None:
        """Free what a task takes.

        Raises
        ------
        OptionsError
            If no such task sits.
        """
        if name not in self._seated:
            raise OptionsError(name, "no task of this name sits")
        task_class, seat = self._seated.pop(name)
        self._policy.free(task_class, *seat)

    def update_inventory(self, nodes: Iterable[Node]) -> tuple[str, ...]:
        """Replace the machines; return the tasks that lose their place, in the order of their seats.

        A task loses it where its node is gone, is of another model, or has become too small for those seated
        before it and itself. What a plan holds open stays open, as far as it has room.

        Raises
        ------
        OptionsError
            If the nodes are no fleet; then nothing changes.
        """
        fleet, before = _fleet(nodes), self._policy
        classes = _classes(self._shapes, fleet)
        at = {name: node for node, name in enumerate(fleet.names)}
        moved = {node: at[name] for node, name in enumerate(self._fleet.names) if name in at}
        state, suits = State.of(fleet), classes.suits(fleet)
        kept: dict[str, tuple[int, Seat]] = {}
        for name, (task_class, (node, gpus)) in self._seated.items():
            to = moved.get(node)
            if to is not None and suits[task_class, to] and state.has_room(classes, task_class, to, gpus):
                state.take(classes, task_class, to, gpus)
                kept[name] = task_class, (to, gpus)
        lost = tuple(name for name in self._seated if name not in kept)
        self._fleet, self._classes, self._seated = fleet, classes, kept
        self._policy = self._made(state)
        if isinstance(before, Guided) and isinstance(self._policy, Guided):
            self._policy.load(before.dump(), moved)
        return lost

    def plan(
        self,
        expected: Mapping[Task, int],
        *,
        among: Collection[str] = tuple(MAKERS),
        together: int = 1,
        stay: float | None = None,
        effort: float = 10.0,
        seed: int = 0,
    ) -> Choice:
        """Say which tasks are expected from now on, and take the policy that suits them best.

        The policies are replayed on samples of what is expected, in what is free now; see
        `flare_core.scale.replay`. A plan for them that proves best is improved before it is used.

        Parameters
        ----------
        expected
            Tasks and how many of them; what counts is their proportion.
        among
            Names of the policies that are tried; all of `flare_core.scale.replay.MAKERS`.
        together
            How many of them arrive together.
        stay
            How many tasks arrive while one stays, on average; without it none is expected to leave.
        effort
            Of the local search for the plan, CP-SAT's deterministic time.
        seed
            Of the samples.

        Raises
        ------
        OptionsError
            If one of the tasks asks for what no task can, or fewer than 0 or none at all are expected, or
            there is no such policy, or `stay` is not more than 0.
        """
        for task in expected:
            _check_task("expected", task)
        if not expected or min(expected.values()) < 0 or not sum(expected.values()):
            raise OptionsError("expected", "found no tasks, expected some")
        if stay is not None and not stay > 0:
            raise OptionsError("stay", found_expected(stay, "more than 0"))
        makers = {name: MAKERS[name] for name in among if name in MAKERS}
        if not makers or len(makers) < len(set(among)):
            raise OptionsError("among", found_expected(list(among), f"some of {', '.join(MAKERS)}"))
        self._expected = {self._class_of(task): count for task, count in expected.items()}
        state, forecast = self._policy.state, self._forecast()
        choice = choose(
            self._fleet, self._classes, forecast, state, makers=makers, together=together, seed=seed
        )
        maker = makers[choice.name]
        planned = isinstance(maker, Planned)
        if isinstance(maker, Planned):
            maker = Planned(maker.share, effort)
        self._name = PLAN if planned else choice.name
        self._policy = maker(self._fleet, self._classes, forecast, state)
        return choice

    def snapshot(self) -> str:
        """Return all there is to know as JSON: `restore` continues exactly as this engine would."""
        fleet = self._fleet
        models = [fleet.models[code] if code >= 0 else "" for code in fleet.model.tolist()]
        columns = (fleet.cpu_milli.tolist(), fleet.memory_mib.tolist(), fleet.gpus.tolist())
        document = {
            "version": VERSION,
            "nodes": list(zip(fleet.names, *columns, models, strict=True)),
            "classes": list(self._shapes),
            "tasks": [(name, task_class, *seat) for name, (task_class, seat) in self._seated.items()],
            "expected": list(self._expected.items()),
            "policy": self._name,
            "plan": self._policy.dump() if isinstance(self._policy, Guided) else None,
        }
        return json.dumps(document)

    @classmethod
    def restore(cls, text: str) -> Self:
        """Return the engine of a snapshot.

        Raises
        ------
        OptionsError
            If the text is no snapshot of this version.
        """
        try:
            document = json.loads(text)
            version = document["version"]
        except (ValueError, TypeError, KeyError):
            raise OptionsError("snapshot", "found no version, expected a snapshot") from None
        if version != VERSION:
            raise OptionsError("snapshot.version", found_expected(version, str(VERSION)))
        engine = cls(Node(*row) for row in document["nodes"])
        for cpu_milli, memory_mib, gpus, milli, models in document["classes"]:
            engine._class_of(Task(cpu_milli, memory_mib, gpus, milli, tuple(models)))
        state = State.of(engine._fleet)
        for name, task_class, node, gpus in document["tasks"]:
            state.take(engine._classes, task_class, node, gpus)
            engine._seated[name] = task_class, (node, gpus)
        engine._expected = {task_class: count for task_class, count in document["expected"]}
        engine._name = document["policy"]
        engine._policy = engine._made(state)
        if isinstance(engine._policy, Guided):
            engine._policy.load(document["plan"])
        return engine

    def _made(self, state: State) -> Policy:
        return _MAKERS[self._name](self._fleet, self._classes, self._forecast(), state)

    def _forecast(self) -> IntArray:
        forecast = np.zeros(len(self._classes), np.int64)
        for task_class, count in self._expected.items():
            forecast[task_class] = count
        return forecast

    def _check(self, name: str, task: Task) -> None:
        if name in self._seated:
            raise OptionsError(name, "a task of this name sits already")
        _check_task(name, task)

    def _class_of(self, task: Task) -> int:
        """Return the class of a task; a new one where none has asked for the same so far."""
        task = _canonical(task)
        if (found := self._shapes.get(task)) is None:
            found = self._shapes[task] = len(self._shapes)
            self._classes = self._classes.and_more(_classes([task], self._fleet))
            self._policy.extend(self._classes)
        return found

    def _sit(self, name: str, task: Task, seat: Seat | None) -> Placed | None:
        if seat is None:
            return None
        self._seated[name] = self._class_of(task), seat
        return self._placed(seat)

    def _placed(self, seat: Seat) -> Placed:
        node, gpus = seat
        return Placed(self._fleet.names[node], tuple(g for g in range(gpus.bit_length()) if gpus >> g & 1))


def _fleet(nodes: Iterable[Node]) -> Fleet:
    try:
        return Fleet.of(list(nodes))
    except ValueError as error:
        raise OptionsError("nodes", str(error)) from None


def _check_task(path: str, task: Task) -> None:
    whole = min(task.cpu_milli, task.memory_mib, task.gpus) >= 0
    if not (whole and 0 < task.milli <= WHOLE):
        expected = f"nothing less than zero, and 1 to {WHOLE} thousandths of a GPU"
        raise OptionsError(path, found_expected(task, expected))


def _canonical(task: Task) -> Task:
    """Return the task without what does not matter."""
    milli = task.milli if task.gpus == 1 else WHOLE
    return task._replace(milli=milli, models=tuple(sorted(set(task.models))) if task.gpus else ())


def _classes(tasks: Iterable[Task], fleet: Fleet) -> Classes:
    """Return a class for each of some canonical tasks, in their order."""
    rows = list(tasks)
    gpus = np.array([task.gpus for task in rows], np.int64)
    allowed = [[not task.models or model in task.models for model in fleet.models] for task in rows]
    return Classes(
        cpu_milli=np.array([task.cpu_milli for task in rows], np.int64),
        memory_mib=np.array([task.memory_mib for task in rows], np.int64),
        gpus=gpus,
        milli=np.where(gpus > 0, np.array([task.milli for task in rows], np.int64), 0),
        allowed=np.array(allowed, np.bool_).reshape(len(rows), len(fleet.models)),
    )
