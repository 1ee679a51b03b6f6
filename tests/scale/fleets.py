"""Small random fleets, and the plainest Python that says the same as the columns."""

from collections import Counter
from fractions import Fraction
from math import exp
from random import Random

import numpy as np

from flare_core.inventory.types import IntArray
from flare_core.scale.fleet import Classes, Fleet

MODELS = ("A10", "G2", "T4")
Free = tuple[int, int, tuple[int, ...]]
"""What is free on a node: milli-cores, MiB, thousandths of each GPU."""


def fleet_of(random: Random, nodes: int = 8) -> Fleet:
    """Return nodes of few kinds, some without GPUs."""
    kinds = [(4000, 64, 0), (8000, 64, 1), (8000, 128, 2), (16000, 256, 4)]
    rows = [(f"n{k:02}", *random.choice(kinds), random.choice(MODELS)) for k in range(nodes)]
    return Fleet.of([*rows, ("n", 16000, 256, 4, "T4")])


def classes_of(random: Random, fleet: Fleet, tasks: int = 60) -> tuple[Classes, IntArray]:
    """Return the classes of random tasks, and the class of each task."""
    gpus = np.array(random.choices([0, 1, 1, 1, 2, 4], k=tasks))
    allowed = np.array([[random.random() < 0.8 for _ in fleet.models] for _ in range(tasks)], np.bool_)
    return Classes.of(
        np.array(random.choices([500, 1000, 2000, 4000], k=tasks)),
        np.array(random.choices([4, 8, 64], k=tasks)),
        gpus,
        np.array(random.choices([100, 300, 500, 810, 1000], k=tasks)),
        allowed,
    )


class Plain:
    """A fleet in dictionaries, and what can be said of it slowly."""

    def __init__(self, fleet: Fleet, classes: Classes, forecast: list[int]) -> None:
        self.fleet, self.classes, self.forecast = fleet, classes, forecast
        self.free: dict[int, Free] = {
            n: (int(fleet.cpu_milli[n]), int(fleet.memory_mib[n]), (1000,) * int(fleet.gpus[n]))
            for n in range(len(fleet))
        }

    def fits(self, j: int, n: int) -> bool:
        cpu, memory, gpus = self.free[n]
        enough = sum(free >= self.classes.milli[j] for free in gpus) >= self.classes.gpus[j]
        room = bool(cpu >= self.classes.cpu_milli[j] and memory >= self.classes.memory_mib[j])
        return room and self._allowed(j, n) and bool(enough)

    def _allowed(self, j: int, n: int) -> bool:
        return not self.classes.gpus[j] or (
            self.fleet.model[n] >= 0 and self.classes.allowed[j, self.fleet.model[n]]
        )

    def ways(self, j: int, n: int) -> list[tuple[int, ...]]:
        """Return the sets of GPUs that a task may take of a node that it fits on."""
        _, _, gpus = self.free[n]
        many, milli = int(self.classes.gpus[j]), int(self.classes.milli[j])
        if many == 1 and milli < 1000:
            return [(g,) for g, free in enumerate(gpus) if free >= milli]
        return [tuple([g for g, free in enumerate(gpus) if free == 1000][:many])]

    def after(self, j: int, n: int, way: tuple[int, ...]) -> Free:
        cpu, memory, gpus = self.free[n]
        left = tuple(free - int(self.classes.milli[j]) * (g in way) for g, free in enumerate(gpus))
        return cpu - int(self.classes.cpu_milli[j]), memory - int(self.classes.memory_mib[j]), left

    def typical(self) -> list[tuple[int, int]]:
        """Return the frequent kinds: a class of each, and how many of its tasks are expected."""
        kinds: Counter[tuple[object, ...]] = Counter()
        member: dict[tuple[object, ...], int] = {}
        for j, tasks in enumerate(self.forecast):
            kind: tuple[object, ...] = (
                int(self.classes.cpu_milli[j]),
                int(self.classes.gpus[j]),
                int(self.classes.milli[j]),
                tuple(self.classes.allowed[j].tolist()),
            )
            kinds[kind] += tasks
            member.setdefault(kind, j)
        taken: list[tuple[int, int]] = []
        for kind, tasks in sorted(kinds.items(), key=lambda item: (-item[1], member[item[0]])):
            if tasks and sum(count for _, count in taken) < 0.95 * sum(self.forecast):
                taken.append((member[kind], tasks))
        return taken

    def fragment(self, n: int, free: Free) -> Fraction:
        cpu, _, gpus = free
        lost = Fraction(0)
        typical = self.typical()
        for j, tasks in typical:
            milli = int(self.classes.milli[j])
            fitting = [each for each in gpus if each >= milli]
            many = int(self.classes.gpus[j])
            fits = many and self._allowed(j, n) and cpu >= self.classes.cpu_milli[j] and len(fitting) >= many
            lost += tasks * (sum(gpus) - (sum(fitting) if fits else 0))
        return lost / sum(tasks for _, tasks in typical)

    def first_match(self, j: int, n: int, way: tuple[int, ...]) -> int:
        return 0

    def best_fit(self, j: int, n: int, way: tuple[int, ...]) -> int:
        cpu, _, gpus = self.after(j, n, way)
        most = int(self.fleet.cpu_milli.max()), 1000 * self.fleet.width
        return int(100 * (1 - 0.5 * cpu / most[0] - 0.5 * sum(gpus) / most[1]))

    def gradient_descent(self, j: int, n: int, way: tuple[int, ...]) -> int:
        gain = self.fragment(n, self.free[n]) - self.fragment(n, self.after(j, n, way))
        return int(100 / (1 + exp(float(-gain / 1000))))
