"""Every scenario in every phase, timed by pytest-benchmark: ``pytest benchmarks/``.

With ``--benchmark-disable`` each runs once and is not timed.
"""

from collections.abc import Callable
from functools import cache
from time import process_time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.phases import PHASES, Call, Loaded, load, read
from benchmarks.scenarios import SCENARIOS, Scenario

pytestmark = [
    pytest.mark.bench,
    pytest.mark.benchmark(timer=process_time, min_rounds=5, max_time=0.5, warmup=False),
]

WORLDS = [pytest.param(s, size, id=f"{s.name}-{size}") for s in SCENARIOS for size in s.sizes]


@cache
def loaded(scenario: Scenario, size: int) -> Loaded:
    return load(scenario.build(size))


@pytest.mark.parametrize(("scenario", "size"), WORLDS)
def test_read(benchmark: BenchmarkFixture, scenario: Scenario, size: int) -> None:
    benchmark(read(scenario.build(size)))


@pytest.mark.parametrize(("name", "phase"), PHASES, ids=[name for name, _ in PHASES])
@pytest.mark.parametrize(("scenario", "size"), WORLDS)
def test_phase(
    benchmark: BenchmarkFixture, scenario: Scenario, size: int, name: str, phase: Callable[[Loaded], Call]
) -> None:
    benchmark.group = name
    benchmark(phase(loaded(scenario, size)))
