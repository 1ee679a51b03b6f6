"""What one task on a candidate is worth, and what its figures rest on."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flare_core.candidates.latency import with_latency
from flare_core.catalog.regions import distance_km, estimate_latency_ms, region
from flare_core.inventory.build import build_inventory
from flare_core.inventory.types import Inventory
from tests.candidates.worlds import JOB, inventory, needs, offer, removed_by, screened

GREEN = {"energy.carbon_intensity": 100, "energy.power_usage_effectiveness": 1.5, "gpu.power_w": 200}


def columns(**said: object) -> Inventory:
    """Offers of one GPU, one for each entry of the lists."""
    size = max(len(value) for value in said.values() if isinstance(value, list))
    gpus = {"gpu_model": "nvidia-x1", "gpu_count": 4}
    known: dict[str, object] = {"provider": "p", "region": "r", "hourly_ueur": 10, **gpus, **said}
    listed = {name: v if isinstance(v, list) else [v] * size for name, v in known.items()}
    return build_inventory(listed, [f"o{i}" for i in range(size)])


def test_performance_is_gpus_times_rating_times_efficiency_in_thousandths() -> None:
    pairs = columns(gpu_count=2, fp32_tflops=[989.4, 0.0002, None], multi_gpu_efficiency=0.95)
    found = screened({"workload.resources.gpu.count": 2}, pairs)
    assert found.efficiency_ppm.tolist() == [950_000] * 3
    assert found.performance_mtflops.tolist() == [1_879_860, 0, 0]
    assert found.performance_known.tolist() == [True, True, False]
    assert any(warning.startswith("1 of 3 candidates have GPUs of unknown") for warning in found.warnings)


def test_a_task_without_gpus_performs_nothing_and_that_is_known() -> None:
    found = screened({"workload.resources": {"cpu": "1"}}, [offer({"gpu": None})])
    assert (found.performance_mtflops.tolist(), found.performance_known.tolist()) == ([0], [True])


def test_latency_adds_a_millisecond_for_each_second_of_cold_start() -> None:
    says = {"performance.latency_ms": 18.25, "performance.cold_start_time": "45s"}
    offers = [offer(says), offer({"performance.cold_start_time": "2m"}, id="b"), offer(id="c")]
    found = screened({}, offers)
    assert found.latency_us.tolist() == [63_250, 220_000, 100_000]
    assert found.latency_known.tolist() == [True, False, False]
    assert found.network_ms[0] == 18.25
    assert "2 of 3 candidates have an unknown latency: it counts as the limit, 100ms" in found.warnings


def test_carbon_is_power_times_pue_times_intensity() -> None:
    asked = {"workload.resources": {"cpu": "8", "memory": "32Gi", "gpu": {"count": 2}}}
    offers = [offer(GREEN), offer({**GREEN, "gpu.power_w": 300}, id="b"), offer(id="c")]
    found = screened(asked, offers)
    host_w = 8 * 2.12 + 32 * 0.42
    expected = [round((2 * watts + host_w) * 1.5 * 100 * 1000) for watts in (200, 300)]
    assert found.carbon_ug.tolist() == [*expected, expected[1]]  # unknown counts as the worst known
    assert found.carbon_known.tolist() == [True, True, False]
    assert any("unknown emissions" in warning for warning in found.warnings)


def test_where_no_emission_is_known_all_count_the_same() -> None:
    assert screened({}, [offer(), offer(id="b")]).carbon_ug.tolist() == [0, 0]


def test_an_absurd_figure_does_not_overflow() -> None:
    found = screened({}, columns(power_w=[1e9], carbon_intensity=1e9, pue=1.5, fp32_tflops=1e20))
    assert found.carbon_ug.tolist() == found.performance_mtflops.tolist() == [2**53]


def test_unknown_uptime_is_perfect_by_default_and_refused_when_asked_for() -> None:
    offers = [offer(), offer({"performance.uptime_percent": 99.5}, id="b")]
    several = {"workload.scaling.min_replicas": 2}
    assert screened(several, offers).uptime.tolist() == [1.0, 0.995]
    asked = {**several, "sla.availability": "99.99%"}
    found = screened(asked, offers)
    assert found.uptime.tolist() == [0.995]  # one offer may be worse than several together
    assert removed_by(found) == {("sla.availability", "known")}
    unscreened = replace(needs(asked), limits=())
    assert screened(unscreened, offers).uptime.tolist() == [0.0, 0.995]


def test_a_job_needs_the_availability_of_each_offer() -> None:
    offers = [offer({"performance.uptime_percent": 99.5}), offer(id="b")]
    asked = {**JOB, "workload.job.parallel_tasks": 2, "sla.availability": "99.6%"}
    assert removed_by(screened(asked, offers)) == {("sla.availability", "at-least")}


def test_offers_of_one_provider_region_and_zone_fall_together() -> None:
    places = [
        ("p1", "eu-west-1", "a"),
        ("p1", "eu-west-1", "a"),
        ("p1", "eu-west-1", "b"),
        ("p1", "eu-west-1", None),
        ("p1", "eu-west-1", None),
        ("p1", "eu-west-2", "a"),
        ("p2", "eu-west-1", "a"),
    ]
    offers = [
        offer({"provider": p, "region": r, "zone": z}, id=f"o{i}") for i, (p, r, z) in enumerate(places)
    ]
    domain = screened({}, offers).domain.tolist()
    assert domain[0] == domain[1]
    assert domain[3] == domain[4]
    assert len(set(domain)) == 5


DUBLIN = region("aws", "eu-west-1")


def test_an_unknown_latency_is_estimated_where_both_places_are_known() -> None:
    offers = [
        offer({"provider": "aws", "region": "us-east-1", "country": "US"}),
        offer({"provider": "aws", "performance.latency_ms": 7}, id="b"),
        offer({"provider": "nobody", "region": "nowhere-1"}, id="c"),
    ]
    assert DUBLIN is not None
    here, there = (DUBLIN.lat, DUBLIN.lon), region("aws", "us-east-1")
    assert there is not None
    expected = estimate_latency_ms(distance_km(here, (there.lat, there.lon)))
    plain = inventory(*offers)
    seen = with_latency(plain, here)
    assert seen.value("latency_ms", 0) == expected
    assert [seen.value("latency_ms", row) for row in (1, 2)] == [7, None]
    assert seen.value("latency_estimated", 0) is True
    assert all(seen.value("latency_estimated", row) is not True for row in (1, 2))
    assert with_latency(plain, None) is plain
    assert plain.value("latency_ms", 0) is None


def test_an_estimate_counts_as_known_and_is_told() -> None:
    assert DUBLIN is not None
    near = inventory(offer({"provider": "aws"}))
    asked = {"constraints.max_latency_ms": 50}
    assert len(screened(asked, near)) == 0
    found = screened(asked, with_latency(near, (DUBLIN.lat, DUBLIN.lon)))
    assert found.latency_known.tolist() == [True]
    assert "1 of 1 candidates have a latency estimated from distance" in found.warnings
    assert len(screened({"constraints.max_latency_ms": 1}, with_latency(near, (DUBLIN.lat, DUBLIN.lon)))) == 0


SUNDAY = {
    "availability.maintenance_windows": [
        {"start": "2026-01-04T02:00:00Z", "end": "2026-01-04T04:00:00Z", "frequency": "weekly"}
    ]
}


@pytest.mark.parametrize(
    ("changes", "removed"),
    [
        ({}, set()),  # it may begin after the maintenance
        ({"workload.job.timeout": "166h"}, set()),
        ({"workload.job.timeout": "597601s"}, {("", "offer-calendar")}),
        ({"constraints.deadline": "2026-01-18T05:00:00Z", "workload.job.timeout": "1h"}, set()),
        (
            {"constraints.deadline": "2026-01-18T04:59:59Z", "workload.job.timeout": "1h"},
            {("constraints.deadline", "too-late")},
        ),
        (
            {"constraints.availability.days_of_week": ["Mon"], "workload.job.timeout": "25h"},
            {("constraints.availability", "needed-times")},
        ),
        (
            {
                "constraints.availability.days_of_week": ["Mon"],
                "constraints.deadline": "2026-01-19T01:59:59Z",
            },
            {("constraints.deadline", "too-late")},
        ),
        (
            {
                "constraints.availability.days_of_week": ["Mon"],
                "constraints.deadline": "2026-01-19T02:00:00Z",
            },
            set(),
        ),
    ],
)
def test_a_job_needs_its_offer_during_its_run_alone(
    changes: dict[str, object], removed: set[tuple[str, str]]
) -> None:
    """It is 03:00 on a Sunday, in the hours of maintenance, which are two."""
    found = screened(needs({**JOB, **changes}, now=datetime(2026, 1, 18, 3, tzinfo=UTC)), [offer(SUNDAY)])
    assert removed_by(found) == removed


@pytest.mark.parametrize("until", [{}, {"constraints.deadline": "2026-01-19T00:00:00Z"}])
def test_a_service_takes_maintenance_as_it_is_and_is_told(until: dict[str, object]) -> None:
    asked = needs(until, now=datetime(2026, 1, 18, 3, tzinfo=UTC))
    found = screened(asked, [offer(SUNDAY), offer(id="b")])
    assert found.rows.tolist() == [0, 1]
    assert any(warning.startswith("1 of 2 candidates have maintenance") for warning in found.warnings)
