"""Each limit at its edge: an offer just good enough, one just not, and one that does not say."""

import pytest

from tests.candidates.edges import EDGES, asking, saying
from tests.candidates.worlds import needs, offer, removed_by, screened

GOOD = [pytest.param(path, value, id=f"{path}-{value}") for path, e in EDGES.items() for value in e.good]
BAD = [pytest.param(path, value, id=f"{path}-{value}") for path, e in EDGES.items() for value in e.bad]
SHOWN_AS = {
    "workload.storage.volumes.*.size": "workload.storage.volumes",
    "workload.storage.volumes.*.type": "workload.storage.volumes",
}


@pytest.mark.parametrize(("path", "value"), GOOD)
def test_an_offer_at_the_limit_is_a_candidate(path: str, value: object) -> None:
    edge = EDGES[path]
    assert len(screened(asking(path, edge), [offer(saying(edge, value))])) == 1


@pytest.mark.parametrize(("path", "value"), BAD)
def test_an_offer_beyond_the_limit_is_removed_by_it_alone(path: str, value: object) -> None:
    edge = EDGES[path]
    found = screened(asking(path, edge), [offer(saying(edge, value))])
    assert len(found) == 0
    # Uptime has two independent defaults, of which the other may fail too.
    assert SHOWN_AS.get(path, path) in {step for step, _ in removed_by(found)}


# Every GPU task has a count; how many there are is the business of the tests of capacity.
@pytest.mark.parametrize(("path", "value"), [p for p in BAD if "gpu.count" not in str(p.id)])
def test_without_the_limit_the_same_offer_is_a_candidate(path: str, value: object) -> None:
    edge = EDGES[path]
    assert len(screened(edge.beside, [offer(saying(edge, value))])) == 1


DEFAULTS = [
    ("performance.latency_ms", 100, 100.1),
    ("performance.jitter_ms", 50, 50.5),
    ("performance.uptime_percent", 99.0, 98.9),
    ("energy.power_usage_effectiveness", 2.0, 2.1),
]


@pytest.mark.parametrize(("says", "good", "bad"), DEFAULTS, ids=[says for says, *_ in DEFAULTS])
def test_a_default_limit_removes_only_what_is_known_to_be_worse(says: str, good: object, bad: object) -> None:
    offers = [offer({says: value}, id=name) for name, value in (("a", good), ("b", bad), ("c", None))]
    assert screened({}, offers).rows.tolist() == [0, 2]


EXPLICIT = [
    ("constraints.max_latency_ms", 100),
    ("constraints.performance.max_jitter_ms", 50),
    ("constraints.performance.min_uptime_percent", 99.0),
    ("constraints.energy.power_usage_effectiveness", 2.0),
    ("sla.availability", "99%"),
]


@pytest.mark.parametrize(("path", "value"), EXPLICIT, ids=[path for path, _ in EXPLICIT])
def test_the_default_written_out_fails_what_is_unknown(path: str, value: object) -> None:
    assert len(screened({}, [offer()])) == 1
    found = screened({path: value}, [offer()])
    assert removed_by(found) == {
        (path, "at-most" if "latency" in path or "jitter" in path or "power" in path else "at-least")
    }


@pytest.mark.parametrize(
    "nothing",
    [
        {
            "workload.resources.gpu": {
                "model": "any",
                "architecture": "any",
                "tier": "any",
                "dedicated": False,
            }
        },
        {"workload.resources.gpu": {"compute_capability": "any", "interconnect": "any", "topology": "any"}},
        {"workload.resources.gpu": {"cores": 0, "memory": "0", "fp32_tflops": 0, "clock_speed": "0M"}},
        {"workload.resources.cpu": "0", "workload.resources.memory": "0"},
        {"constraints.location": "any", "constraints.compliance.data_residency": ["any"]},
        {"constraints.compliance": {"data_residency": [], "certifications": [], "audit_logging": False}},
        {"constraints.security": {"network_isolation": "public", "vpn_access": False}},
        {"constraints.energy.renewable_energy_only": False, "constraints.providers": []},
        {"constraints.performance.min_uptime_percent": 0, "sla.availability": 0},
    ],
    ids=lambda value: next(iter(value)),
)
def test_neutral_values_ask_for_nothing(nothing: dict[str, object]) -> None:
    silent = offer({"cpu": None, "memory": None, "storage": None, "country": None, "gpu.memory": None})
    assert len(screened(nothing, [silent])) == 1


def test_a_task_without_gpus_asks_nothing_of_gpus() -> None:
    asked = {
        "workload.resources.gpu": {"count": 0, "model": "nvidia-h100", "memory": "1Ti", "topology": "ring"}
    }
    gpu_less = offer({"gpu": None}, id="b")
    assert screened(asked, [offer(), gpu_less]).rows.tolist() == [0, 1]


REGIONS = [
    ("eu-west-1", True),
    ("eu-west", True),
    ("eu", True),
    ("EU-West", True),
    ("eu-wes", False),
    ("eu-west-", False),
    ("eu-west-10", False),
    ("west-1", False),
]


@pytest.mark.parametrize(("location", "lies_there"), REGIONS)
def test_a_region_matches_whole_or_up_to_a_dash(location: str, lies_there: bool) -> None:
    # "eu" in any case is the Union, which the offer's country decides.
    assert bool(len(screened({"constraints.location": location}, [offer()]))) == lies_there


@pytest.mark.parametrize(
    ("location", "country"),
    [("Asia", "JP"), ("Asia", "AU"), ("Asia", "KZ"), ("IE", "IE"), ("Australia", "AU")],
)
def test_classes_and_country_codes_are_places(location: str, country: str) -> None:
    asked = {"constraints.location": location}
    assert len(screened(asked, [offer({"country": country})])) == 1
    assert len(screened(asked, [offer({"country": "TR"})])) == 0


RATINGS = [("A", 1.2, 1.21), ("B", 1.4, 1.41), ("C", 1.6, 1.61), ("D", 1.8, 1.81), ("E", 2.0, None)]


@pytest.mark.parametrize(("letter", "good", "bad"), RATINGS)
def test_the_rating_follows_from_the_pue_where_none_is_stated(
    letter: str, good: float, bad: float | None
) -> None:
    asked = {"constraints.energy.energy_efficiency_rating": letter}
    pue = "energy.power_usage_effectiveness"
    offers = [offer({pue: value}, id=name) for name, value in (("a", good), ("b", bad))]
    assert screened(asked, offers).rows.tolist() == [0]


def test_a_stated_rating_counts_more_than_the_pue() -> None:
    stated = {"energy.power_usage_effectiveness": 1.1, "energy.energy_efficiency_rating": "C"}
    assert len(screened({"constraints.energy.energy_efficiency_rating": "B"}, [offer(stated)])) == 0


@pytest.mark.parametrize(
    "unknown", ["gpu.power_w", "energy.carbon_intensity", "energy.power_usage_effectiveness"]
)
def test_a_carbon_cap_fails_whatever_is_not_known(unknown: str) -> None:
    known = {"gpu.power_w": 100, "energy.carbon_intensity": 10, "energy.power_usage_effectiveness": 1}
    asked = {"constraints.energy.max_carbon_footprint": "50 kg CO2/h"}
    assert len(screened(asked, [offer(known)])) == 1
    found = screened(asked, [offer({**known, unknown: None})])
    assert removed_by(found) == {("constraints.energy.max_carbon_footprint", "carbon")}


def test_a_carbon_cap_needs_no_gpu_power_for_a_task_without_gpus() -> None:
    known = {"energy.carbon_intensity": 100, "energy.power_usage_effectiveness": 1}
    asked = {
        "workload.resources": {"cpu": "10", "memory": "10Gi"},
        "constraints.energy.max_carbon_footprint": "2.54 gCO2/h",  # (10 * 2.12 W + 10 * 0.42 W) * 0.1 g/Wh
    }
    assert len(screened(asked, [offer(known)])) == 1
    asked["constraints.energy.max_carbon_footprint"] = "2.539 gCO2/h"
    assert len(screened(asked, [offer(known)])) == 0


def test_an_interconnect_is_preferred_and_its_misses_are_counted() -> None:
    asked = {"workload.resources.gpu.count": 2, "workload.resources.gpu.interconnect": "nvlink"}
    links = (("a", "pcie"), ("b", "nvswitch"), ("c", None))
    found = screened(asked, [offer({"gpu.interconnect": link}, id=name) for name, link in links])
    assert found.rows.tolist() == [0, 1, 2]
    assert found.misses.tolist() == [1, 0, 1]
    assert found.missed.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "asked",
    [
        {"workload.resources.gpu.interconnect": "nvswitch"},
        {"workload.resources.gpu": {"count": 4, "interconnect": "infiniband"}},
        {
            "workload.resources.gpu": {"count": 1, "interconnect": "infiniband"},
            "workload.type": "batch",
            "workload.job.parallel_tasks": 3,
        },
    ],
    ids=["one-gpu-needs-no-link", "one-task-needs-no-fabric", "a-batch-needs-no-fabric"],
)
def test_links_that_nothing_would_use_are_not_asked_for(asked: dict[str, object]) -> None:
    wanted = needs(asked)
    assert wanted.preferences == ()
    assert all(limit.rule != "interconnect" for limit in wanted.limits)


SHARING = [
    ({"gpu.shared": True, "gpu.sharing_strategy": "mps", "gpu.sharing_slots": 2}, 2),
    ({"gpu.shared": True, "gpu.sharing_strategy": "time-slicing", "gpu.sharing_slots": 4}, 4),
    ({"gpu.shared": True, "gpu.sharing_strategy": "time-slicing", "gpu.sharing_slots": 1}, 1),
    ({"gpu.shared": True, "gpu.sharing_strategy": "mps"}, 1),
    ({"gpu.shared": True}, 1),
    ({"gpu.shared": False, "gpu.sharing_strategy": "mps", "gpu.sharing_slots": 2}, 1),
    ({}, 1),
]


@pytest.mark.parametrize(("says", "slots"), SHARING)
def test_a_shared_task_takes_whole_gpus_where_none_are_shared(says: dict[str, object], slots: int) -> None:
    many = {"workload.scaling": {"min_replicas": 20, "max_replicas": 20}}
    found = screened({**many, "workload.resources.gpu.shared": True}, [offer(says)])
    assert len(found) == 1
    assert (found.cut[0] >= 0) == (slots > 1)
    assert found.task_ueur.tolist() == [2_000_000 // slots]
    assert found.group_tasks.tolist() == [4 * slots]
    unshared = screened(many, [offer(says)])
    assert (unshared.cut.tolist(), unshared.task_ueur.tolist()) == ([-1], [2_000_000])
    assert unshared.group_tasks.tolist() == [4]
