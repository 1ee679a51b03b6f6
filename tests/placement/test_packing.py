"""What a packing adds up to, and how likely it is up."""

from itertools import product
from math import ceil, prod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.placement.packing import Load, Totals, k_of_n, totals, up_probability
from tests.placement.problems import load, problem
from tests.worlds import intent, offer


def test_sums_and_worst_values_over_two_offers() -> None:
    one = problem(
        intent("j", "batch", 3, workload__job__timeout="90m"),
        offer("a", price="0.333333", performance__latency_ms=5),
        offer("b", price=1, gpus=3, gpu__fp32_tflops="40", performance__cold_start_time="10s"),
    )
    found = totals(one.asks[0], (load(one, "a"), load(one, "b", 2)))
    carbon = round((300 + 2.12 + 1.68) * 1.25 * 200 * 1000)
    assert found == Totals(
        tasks=3,
        misses=0,
        primary=500_000 + 2 * 500_001,
        hourly_ueur=333_333 + 2 * 333_334,
        cost_ueur=500_000 + 2 * 500_001,
        total_ueur=500_000 + 2 * 500_001,
        performance_mtflops=10_500 + 2 * 40_000,
        prefixes=(),
        latency_us=35_000,
        carbon_ug=3 * carbon,
        carbon_peak_ug=3 * carbon,
        last_start=0,
        span=0,
        off_fabric=False,
    )


def test_a_node_billed_whole_counts_once_for_all_of_its_tasks() -> None:
    one = problem(intent(tasks=5), offer("a", price=6, gpus=3, nodes=None, price__billing="node"))
    both = (load(one, "a", 3), load(one, "a", 2)._replace(node=1))
    found = totals(one.asks[0], both)
    assert (found.hourly_ueur, found.primary, found.cost_ueur) == (12_000_000, 12_000_000, 12_000_000)


def test_misses_are_counted_by_the_task_and_preference() -> None:
    one = problem(
        intent(tasks=3, gpus=2, workload__resources__gpu__interconnect="nvlink"),
        offer("a", gpus=4, gpu__interconnect="pcie"),
        offer("b", gpus=2),
    )
    assert totals(one.asks[0], (load(one, "a", 2), load(one, "b"))).misses == 2


def test_nothing_placed_is_nothing() -> None:
    nothing = totals(problem(intent(), offer("a")).asks[0], ())
    assert nothing == Totals(0, 0, 0, 0, 0, 0, 0, (), 0, 0, 0, 0, 0, False)


def test_what_is_paid_by_the_hour_is_the_highest_at_any_moment() -> None:
    one = problem(intent("j", "batch", 4, workload__job__timeout="1h"), offer("a", price=2, gpus=2))
    [node] = (load(one, "a"),)
    begun = tuple(node._replace(start=start) for start in (0, 1800, 3600, 5401))
    found = totals(one.asks[0], begun)
    assert (found.hourly_ueur, found.total_ueur, found.last_start) == (2_000_000, 4_000_000, 5401)
    assert found.carbon_peak_ug * 2 == found.carbon_ug


def brute(domains: list[tuple[int, float]]) -> float:
    """Add up the probabilities of all states of up and down in which half of the tasks are up."""
    n = sum(tasks for tasks, _ in domains)
    return sum(
        prod(u if up else 1 - u for up, (_, u) in zip(state, domains, strict=True))
        for state in product((True, False), repeat=len(domains))
        if sum(tasks for up, (tasks, _) in zip(state, domains, strict=True) if up) >= ceil(n / 2)
    )


DOMAINS = st.lists(st.tuples(st.integers(1, 4), st.floats(0, 1)), min_size=1, max_size=6)


@given(DOMAINS)
def test_the_probability_is_that_of_all_states_added_up(domains: list[tuple[int, float]]) -> None:
    assert k_of_n(domains) == pytest.approx(brute(domains), abs=1e-12)


@given(DOMAINS)
def test_the_order_of_domains_does_not_matter_to_the_last_bit(domains: list[tuple[int, float]]) -> None:
    assert k_of_n(domains[::-1]) == k_of_n(domains) == k_of_n(sorted(domains))


@pytest.mark.parametrize(
    ("split", "expected"),
    [((2,), 0.9), ((1, 1), 0.99), ((3,), 0.9), ((2, 1), 0.9), ((1, 1, 1), 0.972), ((2, 2), 0.99)],
)
def test_known_probabilities_at_90_percent(split: tuple[int, ...], expected: float) -> None:
    assert k_of_n([(tasks, 0.9) for tasks in split]) == pytest.approx(expected)


def test_nodes_of_a_domain_fall_together_at_the_lowest_uptime_used_in_it() -> None:
    low: dict[str, Any] = {"constraints__performance__min_uptime_percent": 80}
    one = problem(
        intent(tasks=4, **low),
        offer("a", zone="z", performance__uptime_percent=99.0),
        offer("b", zone="z", performance__uptime_percent=90.0),
        offer("c", gpus=2, performance__uptime_percent=95.0),
        offer("d", zone="z", provider="p2", performance__uptime_percent=99.5),
    )

    def up(*loads: Load) -> float:
        return up_probability(one.asks[0], loads)

    a, b, c, d = load(one, "a"), load(one, "b"), load(one, "c", 2), load(one, "d")
    assert up(a) == 0.99
    assert up(a, b) == 0.9
    assert up(a, b, c) == pytest.approx(1 - 0.1 * 0.05)
    assert up(a, d) == pytest.approx(1 - 0.01 * 0.005)  # same zone's name, another provider
