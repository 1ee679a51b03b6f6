"""What a task takes of a GPU on each kind of them, and what of a node's GPUs is left to take."""

from typing import Any

import pytest

from flare_core.candidates.inside import Cut, Inside, cut_of, is_shared, partly_free
from flare_core.inventory.kinds import GpuKind
from flare_core.requirements.types import Share
from flare_core.sharing.states import CLOSED
from tests.candidates.worlds import inventory, needs, offer, removed_by, screened

GPU = "workload.resources.gpu"
A100 = {"gpu.model": "nvidia-a100", "gpu.memory": "40Gi", "gpu.shared": True, "gpu.sharing_strategy": "mig"}
MPS = {"gpu.shared": True, "gpu.sharing_strategy": "mps", "gpu.cores": 4096}


def kind(**said: Any) -> GpuKind:
    """Return a kind of GPU of which nothing is known but what is said."""
    unknown = dict.fromkeys(GpuKind._fields)
    return GpuKind(**{**unknown, "gpu_model": "nvidia-x1", "gpu_count": 4, **said})


def share(memory: int | None = None, cores: int | None = None, **more: Any) -> Share:
    return Share(
        **{
            "memory_mib": memory,
            "cores": cores,
            "fp32_tflops": None,
            "instances": False,
            "apart": True,
            **more,
        }
    )


SLICED: dict[str, Any] = {
    "shared": True,
    "sharing_strategy": "mps",
    "sharing_slots": 4,
    "gpu_memory_mib": 40960,
}


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        (share(), (1, 4)),
        (share(10240), (1, 4)),
        (share(10241), (2, 4)),
        (share(40960), (4, 4)),
        (share(40961), None),
        (share(10240, 2049), (3, 4)),
        (share(cores=4096), (4, 4)),
        (share(instances=True), None),
        (None, None),
    ],
)
def test_a_share_is_the_fewest_slots_that_cover_what_is_asked(
    asked: Share | None, part: tuple[int, int] | None
) -> None:
    found = cut_of(kind(**SLICED, gpu_cores=4096), asked)
    assert (None if found is None else found[2:]) == part


def test_what_is_not_known_of_a_gpu_covers_nothing() -> None:
    unknown = {**SLICED, "gpu_memory_mib": None}
    assert cut_of(kind(**unknown), share(1)) is None
    assert cut_of(kind(**SLICED), share(cores=1)) is None
    assert cut_of(kind(**unknown), share()) is not None


@pytest.mark.parametrize(
    ("asked", "profile", "slices"),
    [
        (share(instances=True), "1g.5gb", 1),
        (share(5 * 1024, instances=True), "1g.5gb", 1),
        (share(6 * 1024, instances=True), "1g.10gb", 1),
        (share(12 * 1024, instances=True), "3g.20gb", 3),
        (share(cores=1000, instances=True), "2g.10gb", 2),
        (share(fp32_tflops=10.0, instances=True), "4g.20gb", 4),
        (share(), "1g.5gb", 1),
    ],
)
def test_an_instance_is_of_the_smallest_profile_that_covers_what_is_asked(
    asked: Share, profile: str, slices: int
) -> None:
    a100 = kind(
        gpu_model="nvidia-a100", gpu_memory_mib=40960, gpu_cores=6912, fp32_tflops=19.5,
        shared=True, sharing_strategy="mig",
    )  # fmt: skip
    found = cut_of(a100, asked)
    assert isinstance(found, Cut)
    assert (found.share, found.part, found.whole) == (profile, slices, 7)


@pytest.mark.parametrize(
    ("said", "shares"),
    [
        ({"shared": True, "sharing_strategy": "mig"}, True),
        ({"shared": True, "sharing_strategy": "mps", "sharing_slots": 2}, True),
        ({"shared": True, "sharing_strategy": "time-slicing", "sharing_slots": 1}, False),
        ({"shared": True, "sharing_strategy": "time-slicing"}, False),
        ({"shared": True}, False),
        ({"shared": False, "sharing_strategy": "mig"}, False),
        ({"sharing_strategy": "mig"}, False),
    ],
)
def test_an_offer_shares_where_it_says_how(said: dict[str, Any], shares: bool) -> None:
    assert is_shared(kind(**said)) is shares


def test_parts_that_may_be_meant_and_are_cut_differently_offer_nothing() -> None:
    """An A100 of unknown memory has profiles of 5 GB or of 10 GB."""
    vague = {**A100, "gpu.memory": None}
    assert removed_by(screened({f"{GPU}.multi_instance": True}, [offer(vague)])) == {
        (f"{GPU}.multi_instance", "share")
    }
    assert len(screened({f"{GPU}.multi_instance": True}, [offer(A100)])) == 1


# --- figures of a share -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "memory", "part"),
    [(1, "20Gi", (1, 4)), (2, "20Gi", (1, 4)), (1, "41Gi", (3, 4)), (2, "80Gi", (4, 4))],
)
def test_price_performance_and_power_are_of_the_part(count: int, memory: str, part: tuple[int, int]) -> None:
    """Of GPUs of 80 GiB in quarters at 2 EUR, 100 TFLOPS and 200 W."""
    says = {
        **MPS, "gpu.sharing_slots": 4,
        "gpu.fp32_tflops": 100, "gpu.multi_gpu_efficiency": 1, "gpu.power_w": 200,
        "energy.carbon_intensity": 100, "energy.power_usage_effectiveness": 1,
    }  # fmt: skip
    found = screened({GPU: {"count": count, "shared": True, "memory": memory}}, [offer(says)])
    gpus = count * part[0] / part[1]
    assert found.task_ueur.tolist() == [gpus * 2_000_000]
    assert found.performance_mtflops.tolist() == [gpus * 100_000]
    assert found.carbon_ug.tolist() == [gpus * 200 * 100 * 1000]


def test_the_price_of_a_part_is_rounded_up_once_more() -> None:
    says = {**MPS, "gpu.sharing_slots": 3, "price.hourly": "1 EUR/hour", "gpu.count": 3}
    found = screened({GPU: {"count": 2, "shared": True}}, [offer(says)])
    assert found.task_ueur.tolist() == [2 * 111_112]  # a third of 333,334


def test_two_instances_on_one_gpu_cost_two_parts_of_it() -> None:
    says = {**A100, "gpu.count": 1, "price.hourly": "7 EUR/hour"}
    found = screened({GPU: {"count": 2, "multi_instance": True}}, [offer(says)])
    assert found.task_ueur.tolist() == [2_000_000]


# --- what is left of a node -------------------------------------------------------------------------


def test_partly_used_gpus_are_those_neither_free_nor_taken() -> None:
    states = [{"node": 0, "free_gpus": [0], "gpu_milli": {"1": 600, "2": 249}}]
    stock = inventory(offer({**MPS, "gpu.sharing_slots": 4, "nodes": 1, "node_states": states}))
    cut = cut_of(Inside(stock, needs()).kinds[0], share())
    assert cut is not None
    assert partly_free(stock, 0, cut.card) == {1: 2, 2: 0}


def test_thousandths_of_a_mig_gpu_tell_no_layout() -> None:
    used = [{"gpu": 1, "profile": "3g.20gb", "start": 4}]
    states = [{"node": 0, "free_gpus": [0], "gpu_milli": {"2": 600}, "mig": used}]
    stock = inventory(offer({**A100, "nodes": 1, "node_states": states}))
    cut = cut_of(Inside(stock, needs()).kinds[0], share(instances=True))
    assert cut is not None
    assert partly_free(stock, 0, cut.card) == {1: (("3g.20gb", 4),), 2: CLOSED}


@pytest.mark.parametrize(
    ("asked", "tasks"),
    [
        ({"count": 1, "shared": True}, 4 + 4 + 2),
        ({"count": 2, "shared": True}, 5),
        ({"count": 3, "shared": True}, 2),
        ({"count": 4, "shared": True}, 0),
        ({"count": 1, "shared": True, "memory": "41Gi"}, 2),
        ({"count": 1}, 2),
        ({"count": 2}, 1),
    ],
)
def test_a_node_holds_so_many_tasks_by_number_alone(asked: dict[str, object], tasks: int) -> None:
    """Two of four GPUs of 80 GiB are free, one has two of its four slots, one is taken."""
    states = [{"node": 0, "free_gpus": [0, 3], "gpu_milli": {"1": 500}}]
    stock = inventory(offer({**MPS, "gpu.sharing_slots": 4, "nodes": 1, "node_states": states}))
    assert Inside(stock, needs({GPU: asked})).tasks.tolist() == [tasks]
