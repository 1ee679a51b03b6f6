"""A real cluster whose GPUs are used in thousandths: openb, its nodes and its tasks."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import flare_core as flare
from flare_core.inventory.openb import SLOTS, OpenbPods, read_openb_pods
from flare_core.inventory.write import to_document

pytestmark = pytest.mark.data

NOW = "2026-01-15T10:00:00Z"
T4 = "openb/T4-2-cpu104-mem524288"


@dataclass
class Node:
    """What is free on a node: thousandths by GPU, milli-cores, MiB."""

    milli: list[int] = field(default_factory=lambda: [SLOTS, SLOTS])
    cpu: int = 104_000
    memory: int = 524_288

    def takes(self, pods: OpenbPods, pod: int) -> bool:
        """Put a task on the first GPU with room for it."""
        share, cpu, memory = int(pods.gpu_milli[pod]), int(pods.cpu_milli[pod]), int(pods.memory_mib[pod])
        gpu = next((g for g, free in enumerate(self.milli) if free >= share), None)
        if gpu is None or self.cpu < cpu or self.memory < memory:
            return False
        self.milli[gpu] -= share
        self.cpu -= cpu
        self.memory -= memory
        return True

    def state(self, number: int) -> dict[str, Any]:
        """Return the node as an entry of ``node_states``."""
        return {
            "node": number,
            "free_gpus": [g for g, free in enumerate(self.milli) if free == SLOTS],
            "gpu_milli": {str(g): free for g, free in enumerate(self.milli) if free < SLOTS},
            "cpu": f"{self.cpu}m",
            "memory": f"{self.memory}Mi",
        }


@pytest.fixture(scope="module")
def pods(shared: Path) -> OpenbPods:
    return read_openb_pods(shared / "data" / "openb" / "openb_pod_list_default.csv")


@pytest.fixture(scope="module")
def parts(pods: OpenbPods) -> list[int]:
    """The tasks that take a part of one GPU, whichever it is."""
    fractional = (pods.num_gpu == 1) & (pods.gpu_milli < SLOTS) & (pods.gpu_spec.codes < 0)
    return [pod for pod in range(len(pods)) if fractional[pod]]


@pytest.fixture(scope="module")
def cluster(shared: Path, pods: OpenbPods, parts: list[int]) -> tuple[flare.Inventory, list[Node]]:
    """The T4 nodes, the first of them full of parts, first fit, and the nodes themselves."""
    read = flare.read_inventory(shared / "data" / "openb" / "openb_node_list_gpu_node.csv")
    offers: Any = to_document(read)["offers"]
    [offer] = [o for o in offers if o["id"] == T4]
    nodes = [Node() for _ in range(offer["nodes"])]
    for pod in parts[:600]:
        assert any(node.takes(pods, pod) for node in nodes)
    states = [node.state(number) for number, node in enumerate(nodes) if node != Node()]
    return flare.read_inventory({"version": 1, "offers": [{**offer, "node_states": states}]}), nodes


def intent(pods: OpenbPods, pod: int, memory_mib: int) -> flare.Intent:
    """A task of the trace: its part of the GPU is asked for by the memory that goes with it."""
    gpu_memory = int(pods.gpu_milli[pod]) * memory_mib // SLOTS
    resources = {
        "cpu": f"{pods.cpu_milli[pod]}m",
        "memory": f"{pods.memory_mib[pod]}Mi",
        "gpu": {"model": "any", "count": 1, "memory": f"{gpu_memory}Mi", "shared": True},
    }
    workload = {"type": "service", "name": pods.names[pod], "image": "registry.example/t:1"}
    return flare.read_intent(
        {"objective": "Cost_Minimization", "workload": {**workload, "resources": resources}}
    )


def test_what_is_left_of_every_gpu_is_known_to_the_thousandth(
    cluster: tuple[flare.Inventory, list[Node]],
) -> None:
    inventory, nodes = cluster
    groups = inventory.groups
    found = dict.fromkeys(range(len(nodes)), (0, 0))
    for group in range(len(groups)):
        free = dict.fromkeys(groups.free_indices(group, 2), SLOTS) | dict(groups.milli.get(group, {}))
        for k in range(int(groups.count[group])):
            found[groups.node(group, k)] = (free.get(0, 0), free.get(1, 0))
    assert found == {number: tuple(node.milli) for number, node in enumerate(nodes)}
    assert any(0 < milli < SLOTS for node in nodes for milli in node.milli)


def test_parts_take_what_they_ask_and_never_more_than_is_left(
    cluster: tuple[flare.Inventory, list[Node]], pods: OpenbPods, parts: list[int]
) -> None:
    inventory, nodes = cluster
    memory_mib = int(inventory.whole["gpu_memory_mib"][0])
    wanted = parts[600:606]
    intents = [intent(pods, pod, memory_mib) for pod in wanted]
    plan = flare.place(intents, inventory, now=NOW)
    assert flare.verify(plan, intents, inventory) == ()
    left = {(number, gpu): free for number, node in enumerate(nodes) for gpu, free in enumerate(node.milli)}
    rows = {p["intent"]: p["assignments"] for p in plan.to_dict()["placements"]}
    for pod in wanted:
        [row] = rows[pods.names[pod]]
        assert row["gpu_milli"] == pods.gpu_milli[pod]
        [gpu] = row["gpus"]
        left[row["node"], gpu] -= row["gpu_milli"]
    assert min(left.values()) >= 0


def test_whole_gpus_are_found_only_where_nobody_is(cluster: tuple[flare.Inventory, list[Node]]) -> None:
    inventory, nodes = cluster
    document = {
        "objective": "Cost_Minimization",
        "workload": {
            "type": "service",
            "name": "whole",
            "image": "registry.example/t:1",
            "resources": {"cpu": "1", "memory": "1Gi", "gpu": {"model": "nvidia-t4", "count": 2}},
        },
    }
    plan = flare.place(flare.read_intent(document), inventory, now=NOW)
    [row] = plan.to_dict()["placements"][0]["assignments"]
    assert (row["gpus"], row["gpu_milli"]) == ([0, 1], None)
    assert nodes[row["node"]].milli == [SLOTS, SLOTS]
