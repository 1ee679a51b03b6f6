"""What one node has room for, beside what is used already."""

import pytest

from flare_core.inventory.types import ELASTIC
from tests.candidates.worlds import offer, removed_by, screened

GPU = "workload.resources.gpu"
COUNT = f"{GPU}.count"
REPLICAS = "workload.scaling.min_replicas"


def used(gpus: int, **more: object) -> dict[str, object]:
    return {"used": {"gpus": gpus, **more}}


@pytest.mark.parametrize(
    ("asked", "tasks"),
    [
        ({COUNT: 1}, 4),
        ({COUNT: 2}, 2),
        ({COUNT: 3}, 1),
        ({"workload.resources.cpu": "16"}, 4),
        ({"workload.resources.cpu": "16001m"}, 3),
        ({"workload.resources.memory": "128Gi"}, 2),
        ({"workload.resources.memory": "129Gi"}, 1),
    ],
)
def test_a_node_holds_as_many_tasks_as_its_scarcest_resource(asked: dict[str, object], tasks: int) -> None:
    found = screened({REPLICAS: 9, **asked}, [offer()])
    assert found.group_tasks.tolist() == [tasks]
    assert found.group_nodes.tolist() == [2]


def test_volumes_of_all_tasks_on_a_node_add_up() -> None:
    volume = {"name": "v", "size": "300Gi", "type": "temporary", "path": "/v"}
    asked = {REPLICAS: 9, "workload.storage.volumes": [volume]}
    offers = [offer(), offer({"storage": "elastic"}, id="b")]
    assert screened(asked, offers).group_tasks.tolist() == [3, 4]


def test_no_node_is_said_to_hold_more_tasks_than_there_are() -> None:
    assert screened({REPLICAS: 2, "workload.resources": {"cpu": "1m"}}, [offer()]).group_tasks.tolist() == [2]
    headroom = {REPLICAS: 2, "workload.scaling.auto_scale": True, "workload.scaling.max_replicas": 3}
    assert screened(headroom, [offer()]).group_tasks.tolist() == [3]


def test_elastic_offers_have_as_many_nodes_as_one_pays_for() -> None:
    assert screened({}, [offer({"nodes": None})]).group_nodes.tolist() == [ELASTIC]


def test_used_gpus_lie_on_the_first_nodes() -> None:
    found = screened({COUNT: 4}, [offer(used(3))])
    assert found.group.tolist() == [1]  # only the second node has four
    assert removed_by(screened({COUNT: 4}, [offer({**used(3), "nodes": 1})])) == {(COUNT, "gpus")}


def test_groups_of_several_offers_know_their_candidate() -> None:
    offers = [offer(used(3)), offer({"country": "US"}, id="b"), offer(used(2), id="c")]
    found = screened({COUNT: 1, REPLICAS: 9, "constraints.location": "EU"}, offers)
    assert found.rows.tolist() == [0, 2]
    assert found.group_candidate.tolist() == [0, 0, 1, 1]
    assert found.group_tasks.tolist() == [1, 4, 2, 4]
    assert found.group_nodes.tolist() == [1, 1, 1, 1]


def test_a_used_node_that_is_billed_whole_is_not_offered() -> None:
    whole = {"price.billing": "node"}
    found = screened({COUNT: 1}, [offer({**used(1), **whole})])
    assert found.group_tasks.tolist() == [1]
    assert found.group_nodes.tolist() == [1]
    all_used = offer({**used(1), **whole, "nodes": 1})
    assert removed_by(screened({COUNT: 1}, [all_used])) == {(COUNT, "gpus")}
    no_gpus = {"workload.resources": {"cpu": "1"}}
    assert removed_by(screened(no_gpus, [all_used])) == {("workload.resources", "node")}
    assert len(screened(no_gpus, [offer({**used(1), "nodes": 1})])) == 1


def test_an_offer_without_nodes_has_no_room() -> None:
    assert removed_by(screened({COUNT: 1}, [offer({"nodes": 0})])) == {(COUNT, "gpus")}
    nothing: dict[str, object] = {"workload.resources": {}}
    assert removed_by(screened(nothing, [offer({"nodes": 0})])) == {("workload.resources", "node")}


def test_what_is_free_on_different_nodes_does_not_make_a_node() -> None:
    """GPUs are free on one node only and cores on the other only: neither lacks, both together do."""
    states = [
        {"node": 0, "free_gpus": [], "cpu": "64", "memory": "256Gi"},
        {"node": 1, "free_gpus": [0, 1, 2, 3], "cpu": "1", "memory": "256Gi"},
    ]
    split = [offer({"node_states": states})]
    assert len(screened({"workload.resources.cpu": "1"}, split)) == 1
    found = screened({"workload.resources.cpu": "2"}, split)
    assert removed_by(found) == {("workload.resources", "node")}
    assert removed_by(screened({"workload.resources.cpu": "65"}, split)) == {
        ("workload.resources.cpu", "cpu")
    }


def test_a_task_never_spans_nodes() -> None:
    found = screened({COUNT: 4}, [offer({"gpu.count": 2})])
    assert removed_by(found) == {(COUNT, "gpus")}


def test_a_task_without_gpus_fits_nodes_with_and_without_them() -> None:
    found = screened({"workload.resources": {"cpu": "1"}}, [offer(used(8)), offer({"gpu": None}, id="b")])
    # Half-used nodes gave up their cores with their GPUs.
    assert found.rows.tolist() == [1]
