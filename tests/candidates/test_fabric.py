"""Where the candidates of a gang hang in the fabric, and what distance costs a task."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.candidates.types import Candidates, Fabric
from flare_core.topology.efficiency import DEFAULT
from tests.candidates.worlds import JOB, offer, screened

GANG: dict[str, object] = {**JOB, "workload.job.parallel_tasks": 3}


def along(path: list[str] | None, id: str, **more: object) -> dict[str, Any]:
    """Return an offer whose nodes hang at the end of a path."""
    at = {} if path is None else {"fabric.path": path}
    return offer({**at, **{key.replace("__", "."): value for key, value in more.items()}}, id=id)


def gang(*offers: dict[str, Any], **asked: object) -> Candidates:
    return screened({**GANG, **asked}, offers)


def shares(fabric: Fabric, a: int, b: int) -> int:
    """Return how many leading elements the paths of two nodes have in common, of candidates `a` and `b`."""
    same = (fabric.prefix[a] == fabric.prefix[b]) & (fabric.prefix[a] >= 0)
    return int(np.argmin([*same, False]))


def test_only_gangs_have_a_fabric() -> None:
    paths = [along(["dc", "s"], "a"), along(["dc", "t"], "b")]
    for asked in (JOB, {**GANG, "workload.type": "batch"}, {"workload.scaling.min_replicas": 3}):
        fabric = screened(asked, paths).fabric
        assert (fabric.depth, fabric.loss.shape, fabric.infiniband.tolist()) == (0, (2, 0), [False, False])
    assert gang(*paths).fabric.depth == 2


PATHS: list[list[str] | None] = [
    ["dc", "s1", "l1"],
    ["dc", "s1", "l2"],
    ["dc", "s2", "l1"],
    ["ec", "s1", "l1"],
]


@pytest.mark.parametrize(
    ("a", "b", "common"), [(0, 0, 3), (0, 1, 2), (0, 2, 1), (0, 3, 0), (2, 3, 0), (1, 1, 3)]
)
def test_equal_names_on_different_ways_are_different_places(a: int, b: int, common: int) -> None:
    fabric = gang(*[along(path, f"o{k}") for k, path in enumerate(PATHS)]).fabric
    assert fabric.depth == 3
    assert shares(fabric, a, b) == common


def test_shorter_paths_repeat_their_last_element() -> None:
    short, longer, deeper, like = (["dc"], ["dc", "s"], ["dc", "s", "s"], ["dc", "dc"])
    fabric = gang(*[along(p, f"o{k}") for k, p in enumerate((short, longer, deeper, like))]).fabric
    assert fabric.depth == 3
    assert [shares(fabric, k, k) for k in range(4)] == [3, 3, 3, 3]
    assert (fabric.prefix >= 0).all()
    assert [shares(fabric, 0, k) for k in (1, 2)] == [1, 1]


def test_the_longest_path_is_that_of_any_offer() -> None:
    """One that is no candidate counts, too, so that budgets and limits do not change what distance costs."""
    far = along(["dc", "s", "l", "x"], "far", country="US")
    fabric = gang(along(["dc"], "a"), far, **{"constraints.location": "IE"}).fabric
    assert fabric.prefix.shape == (1, 4)


def test_an_unknown_path_shares_the_failure_domain_and_nothing_below() -> None:
    """Not even with another node of its own offer."""
    fabric = gang(
        along(None, "a"), along(None, "b"), along(None, "c", zone="other"), along(["x", "y"], "d")
    ).fabric
    assert fabric.depth == 2
    assert [shares(fabric, 0, k) for k in range(4)] == [1, 1, 0, 0]
    assert shares(fabric, 3, 3) == 2


def test_without_any_path_there_is_one_level() -> None:
    fabric = gang(along(None, "a"), along(None, "b", zone="other")).fabric
    assert (fabric.depth, fabric.loss.shape) == (1, (2, 3))
    assert [shares(fabric, 0, k) for k in (0, 1)] == [1, 0]


@pytest.mark.parametrize(
    ("path", "interconnect", "known"),
    [
        (["x"], "infiniband", True),
        (["x"], "ethernet", False),
        (["x"], None, False),
        (None, "infiniband", False),
    ],
)
def test_infiniband_needs_a_place_in_its_fabric(
    path: list[str] | None, interconnect: str | None, known: bool
) -> None:
    found = gang(along(path, "a", fabric__interconnect=interconnect)).fabric
    assert found.infiniband.tolist() == [known]


# --- what distance costs ----------------------------------------------------------------------------


def kept(rating: float, gbps: float, span: int) -> float:
    """Return what part of its speed a GPU keeps, by the formula of the documentation."""
    load = 2 * 1000 * DEFAULT.kappa * rating
    return 1 / (1 + load / (DEFAULT.eta_fabric * gbps / 8 * DEFAULT.taper ** (span - 1)))


@pytest.mark.parametrize(
    ("says", "gbps"),
    [
        ({"fabric__bandwidth": "400 Gb/s", "performance__network_bandwidth": "25Gbps"}, 400),
        ({"performance__network_bandwidth": "25Gbps"}, 25),
        ({}, 10),
    ],
    ids=["of-the-fabric", "else-of-the-network", "else-ten-gigabits"],
)
def test_a_task_loses_what_its_node_is_slow(says: dict[str, object], gbps: float) -> None:
    found = gang(along(["x", "y"], "a", gpu__fp32_tflops=100, **says))
    assert found.performance_mtflops.tolist() == [100_000]
    lost = [100_000 * (1 - kept(100, gbps, span)) for span in (1, 2, 3)]
    assert found.fabric.loss[0].tolist() == [0, *(pytest.approx(each, abs=1) for each in lost)]


@given(
    rating=st.floats(0.1, 5000),
    gbps=st.floats(0.1, 5000),
    more=st.floats(1, 10),
    depth=st.integers(1, 5),
)
def test_farther_is_never_faster_and_a_faster_fabric_never_slower(
    rating: float, gbps: float, more: float, depth: int
) -> None:
    path = [f"x{k}" for k in range(depth)]
    found = gang(
        along(path, "a", gpu__fp32_tflops=rating, fabric__bandwidth=f"{gbps:.6f} Gb/s"),
        along(path, "b", gpu__fp32_tflops=rating, fabric__bandwidth=f"{gbps * more:.6f} Gb/s"),
    )
    slow, fast = found.fabric.loss
    assert slow[0] == fast[0] == 0
    assert (np.diff(slow) >= 0).all()
    assert (np.diff(fast) >= 0).all()
    assert (fast <= slow).all()
    assert (slow <= found.performance_mtflops[0]).all()
