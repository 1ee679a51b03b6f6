"""The openb trace: nodes grouped by kind, tasks as columns."""

import random
from pathlib import Path

import pytest

from flare_core.errors import InventoryError
from flare_core.inventory.build import combine
from flare_core.inventory.openb import (
    openb_node_names,
    parse_openb_nodes,
    read_openb_nodes,
    read_openb_pods,
)
from flare_core.inventory.prices import settle

NODES = (
    "openb-node-0001,64000,262144,2,P100",
    "openb-node-0003,64000,262144,2,P100",
    "openb-node-0000,96000,393216,8,V100M32",
    "openb-node-0002,32000,262144,0,",
    "openb-node-0004,96000,393216,8,G2",
)
POD_TIMES = "gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time"


def nodes(*rows: str) -> str:
    return "\n".join(["sn,cpu_milli,memory_mib,gpu,model", *rows])


def test_equal_nodes_are_one_offer_and_keep_their_names(tmp_path: Path) -> None:
    path = tmp_path / "nodes.csv"
    path.write_text(nodes(*NODES))
    found = combine([read_openb_nodes(path)])
    assert dict(openb_node_names(path)) == {
        "openb/G2-8-cpu96-mem393216": ("openb-node-0004",),
        "openb/P100-2-cpu64-mem262144": ("openb-node-0001", "openb-node-0003"),
        "openb/V100M32-8-cpu96-mem393216": ("openb-node-0000",),
        "openb/cpu32-mem262144": ("openb-node-0002",),
    }
    assert set(found.ids) == set(openb_node_names(path))
    assert [found.value("nodes", row) for row in range(len(found))] == [
        len(openb_node_names(path)[name]) for name in found.ids
    ]
    row = found.row("openb/V100M32-8-cpu96-mem393216")
    assert [found.value(c, row) for c in ("gpu_model", "gpu_count", "gpu_memory_mib", "cpu_milli")] == [
        *("nvidia-v100", 8, 32768, 96000)
    ]
    assert [found.value(c, row) for c in ("provider", "region", "hourly_ueur", "billing")] == [
        *("alibaba", "openb", 0, "gpu")
    ]


def test_gpus_are_shared_to_the_thousandth() -> None:
    found = combine([parse_openb_nodes(nodes(*NODES), "nodes.csv")[0]])
    for row in range(len(found)):
        said = tuple(found.value(name, row) for name in ("shared", "sharing_strategy", "sharing_slots"))
        gpus = found.value("gpu_count", row)
        assert said == ((True, "time-slicing", 1000) if gpus else (None, None, None))


def test_nodes_without_a_price_are_not_suspicious() -> None:
    found = combine(settle([parse_openb_nodes(nodes(*NODES), "nodes.csv")[0]]))
    assert not found.label["price_flag"].values


def test_the_order_of_nodes_does_not_matter(tmp_path: Path) -> None:
    expected, path = parse_openb_nodes(nodes(*NODES), "nodes.csv")[0], tmp_path / "nodes.csv"
    path.write_text(nodes(*NODES))
    names = openb_node_names(path)
    for seed in range(20):
        shuffled = nodes(*random.Random(seed).sample(NODES, len(NODES)))
        path.write_text(shuffled)
        assert parse_openb_nodes(shuffled, "nodes.csv")[0] == expected
        assert openb_node_names(path) == names


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("n,64000,262144,two,P100", "found 'two', expected a whole number"),
        ("n,-1,262144,2,P100", "found '-1', expected a whole number"),
        ("n,64000,262144,2,X99", "found \"2 × 'X99'\", expected a number of known GPUs"),
        ("n,64000,262144,2,", "found \"2 × ''\", expected a number of known GPUs"),
        ("n,64000,262144,0,P100", "found \"0 × 'P100'\", expected a number of known GPUs"),
        ("n,64000", "more or fewer cells"),
    ],
)
def test_a_bad_node_is_told_and_skipped(row: str, reason: str) -> None:
    offers, tally = parse_openb_nodes(nodes(NODES[0], row), "openb/nodes.csv")
    assert (tally.rows, tally.used, tally.offers) == (2, 1, 1)
    assert offers.warnings[0].startswith(f"openb/nodes.csv:3: skipped: {reason}")


def test_tasks_are_columns_with_and_without_times(tmp_path: Path) -> None:
    path = tmp_path / "pods.csv"
    path.write_text(
        f"name,cpu_milli,memory_mib,num_gpu,gpu_milli,{POD_TIMES}\n"
        "openb-pod-0000,12000,16384,1,460,,LS,Running,0,12537496,0\n"
        "openb-pod-0001,6000,12288,8,1000,V100M16|V100M32,BE,Running,427061,12902960,427061\n"
    )
    pods = read_openb_pods(path)
    assert len(pods) == 2
    assert pods.names == ("openb-pod-0000", "openb-pod-0001")
    assert (pods.num_gpu.tolist(), pods.gpu_milli.tolist()) == ([1, 8], [460, 1000])
    assert [pods.gpu_spec[row] for row in range(2)] == [None, "V100M16|V100M32"]
    assert (pods.created_s.tolist(), pods.deleted_s.tolist()) == ([0, 427061], [12537496, 12902960])
    with pytest.raises(ValueError, match="read-only"):
        pods.cpu_milli[0] = 1
    path.write_text("name,cpu_milli,memory_mib,num_gpu,gpu_milli\nx,1,2,0,0\n")
    assert read_openb_pods(path).created_s.tolist() == [-1]


def test_a_bad_task_is_an_error_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "pods.csv"
    path.write_text("name,cpu_milli,memory_mib,num_gpu,gpu_milli\nx,1,2,0,0\ny,1,2,0,half\n")
    with pytest.raises(InventoryError, match=r"pods.csv:3:gpu_milli: found 'half'"):
        read_openb_pods(path)
    path.write_text("name,cpu_milli,memory_mib,num_gpu,gpu_milli\nx,1,2\n")
    with pytest.raises(InventoryError, match=r"pods.csv:2: found more or fewer cells"):
        read_openb_pods(path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "rows", "kinds", "gpus"), [("gpu", 1213, 15, 6212), ("all", 1523, 27, 6212)]
)
def test_the_real_nodes(shared: Path, name: str, rows: int, kinds: int, gpus: int) -> None:
    path = shared / "data" / "openb" / f"openb_node_list_{name}_node.csv"
    _, tally = parse_openb_nodes(path.read_text(), str(path))
    assert (tally.rows, tally.used, tally.offers, tally.skipped) == (rows, rows, kinds, {})
    found = combine([read_openb_nodes(path)])
    assert int((found.whole["nodes"] * found.whole["gpu_count"]).sum()) == gpus
    assert sum(map(len, openb_node_names(path).values())) == rows


@pytest.mark.data
@pytest.mark.parametrize(("name", "rows"), [("default", 8152), ("multigpu20", 8324), ("gpuspec33", 8152)])
def test_the_real_tasks(shared: Path, name: str, rows: int) -> None:
    pods = read_openb_pods(shared / "data" / "openb" / f"openb_pod_list_{name}.csv")
    assert len(pods) == rows
    assert int(pods.num_gpu.max()) == 8
    assert bool((pods.created_s >= 0).all()) == (name != "multigpu20")
