"""GPUs from the inside, from intent to document: links, shares, instances, efficiency and gangs."""

import json
from pathlib import Path
from typing import Any

import pytest

import flare_core as flare
from tests.worlds import Json, World, intent, offer, world

GPU = "workload__resources__gpu"
PATH = "workload.resources.gpu"
FAIL: dict[str, Any] = {"constraints__negotiation": {"fallback_strategy": "fail"}}


def told(one: World) -> Json:
    """Place one intent and return its placement."""
    [placement] = one.document()["placements"]
    assert isinstance(placement, dict)
    return placement


def gpus(placement: Json) -> list[tuple[str, int, list[int]]]:
    return [(row["offer"], row["node"], row["gpus"]) for row in placement["assignments"]]


def linked(name: str, pairs: list[list[int]], gpus: int = 4, price: object = 1, **changes: Any) -> Json:
    """Return an offer whose GPUs have NVLinks between these pairs and nothing else."""
    links = [[a, b, "nvlink", "50 GB/s"] for a, b in pairs]
    return offer(name, price, gpus, gpu__links=links, gpu__interconnect=None, **changes)


RING = [[0, 1], [1, 2], [2, 3], [3, 0]]
PATHS = [[0, 1], [1, 2], [2, 3]]
CLIQUE = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
STAR = [[0, 1], [0, 2], [0, 3]]

SHAPES = [("ring", RING, PATHS), ("all-to-all", CLIQUE, RING), ("mesh", RING, STAR)]


@pytest.mark.parametrize(("shape", "good", "bad"), SHAPES)
def test_a_shape_is_preferred_and_with_fail_it_is_a_condition(
    shape: str, good: list[list[int]], bad: list[list[int]]
) -> None:
    wish: dict[str, Any] = {f"{GPU}__topology": shape}
    one = intent(gpus=4, **wish)
    have, lack = linked("have", good, price=9), linked("lack", bad)
    chosen = told(world(one, have, lack))
    assert (gpus(chosen), chosen["relaxed"]) == ([("have", 0, [0, 1, 2, 3])], [])
    missed = told(world(one, lack))
    assert missed["status"] == "placed"
    assert missed["relaxed"] == [{"path": f"{PATH}.topology", "asked": shape, "got": "none"}]
    hard = intent(gpus=4, **wish, **FAIL)
    assert gpus(told(world(hard, have, lack))) == [("have", 0, [0, 1, 2, 3])]
    refused = told(world(hard, lack))
    assert (refused["status"], refused["error"]["error_code"]) == ("rejected", "INSUFFICIENT_RESOURCES")
    assert f"{PATH}.topology" in refused["error"]["message"]


def test_a_shape_that_nobody_tells_is_missed() -> None:
    asked = intent(gpus=2, workload__resources__gpu__topology="ring")
    placement = told(world(asked, offer("a", gpus=2)))
    assert placement["relaxed"] == [{"path": f"{PATH}.topology", "asked": "ring", "got": "unknown"}]


@pytest.mark.parametrize(("free", "chosen"), [([0, 1, 2, 3], [0, 1]), ([0, 2, 3], [2, 3]), ([1, 2], [1, 2])])
def test_the_linked_pair_among_the_free_gpus_is_taken(free: list[int], chosen: list[int]) -> None:
    node = linked("a", [[0, 1], [2, 3]], node_states=[{"node": 0, "free_gpus": free}])
    placement = told(world(intent(gpus=2, workload__resources__gpu__interconnect="nvlink"), node))
    assert gpus(placement) == [("a", 0, chosen)]
    got = [entry["got"] for entry in placement["relaxed"]]
    assert got == ([] if chosen != [1, 2] else ["none"])


def test_two_intents_find_the_two_pairs() -> None:
    wish: dict[str, Any] = {f"{GPU}__interconnect": "nvlink"}
    both = [intent("a", gpus=2, **wish), intent("b", gpus=2, **wish)]
    document = world(both, linked("n", [[0, 3], [1, 2]])).document()
    assert [gpus(p) for p in document["placements"]] == [[("n", 0, [0, 3])], [("n", 0, [1, 2])]]
    assert [p["relaxed"] for p in document["placements"]] == [[], []]


# --- InfiniBand between the nodes of a gang ---------------------------------------------------------


def at(name: str, path: str, interconnect: str = "infiniband", price: object = 1, **changes: Any) -> Json:
    fabric = {"path": path.split("/"), "interconnect": interconnect, "bandwidth": "100 Gb/s"}
    return offer(name, price, fabric=fabric, **changes)


WANT: dict[str, Any] = {f"{GPU}__interconnect": "infiniband"}


def test_infiniband_is_preferred_and_with_fail_it_is_a_condition() -> None:
    together = [at("a", "dc/s1", price=9), at("b", "dc/s2", price=9)]
    apart = [at("c", "dc/s1", "ethernet"), at("d", "ec/s1", "ethernet")]
    gang = intent("j", "job", 2, **WANT)
    chosen = told(world(gang, *together, *apart))
    assert {row["offer"] for row in chosen["assignments"]} == {"a", "b"}
    assert chosen["relaxed"] == []
    missed = told(world(gang, *apart))
    entry = {"path": f"{PATH}.interconnect", "asked": "infiniband", "got": "ethernet"}
    assert (missed["status"], missed["relaxed"]) == ("placed", [entry])
    hard = intent("j", "job", 2, **WANT, **FAIL)
    assert {row["offer"] for row in told(world(hard, *together, *apart))["assignments"]} == {"a", "b"}
    refused = told(world(hard, *apart))
    assert (refused["status"], refused["error"]["error_code"]) == ("rejected", "INSUFFICIENT_RESOURCES")


def test_on_one_node_a_gang_needs_no_fabric() -> None:
    placement = told(world(intent("j", "job", 2, **WANT, **FAIL), offer("a", 2, 2)))
    assert (placement["status"], placement["relaxed"]) == ("placed", [])


def test_a_gang_goes_close_together_where_the_price_is_the_same() -> None:
    offers = [at("a", "dc/s1/l1"), at("b", "dc/s2/l1"), at("c", "dc/s2/l2"), at("d", "dc/s2/l2")]
    near = told(world(intent("j", "job", 2), *offers))
    assert [row["offer"] for row in near["assignments"]] == ["c", "d"]
    three = told(world(intent("j", "job", 3), *offers))
    assert [row["offer"] for row in three["assignments"]] == ["b", "c", "d"]
    batch = told(world(intent("j", "batch", 2), *offers))
    assert [row["offer"] for row in batch["assignments"]] == ["a", "b"]


def test_distance_costs_performance() -> None:
    near = told(world(intent("j", "job", 2), at("a", "dc/s1", nodes=2)))
    far = told(world(intent("j", "job", 2), at("a", "dc/s1"), at("b", "dc/s2")))
    alone = told(world(intent("j", "batch", 2), at("a", "dc/s1", nodes=2)))
    assert far["performance_tflops"] < near["performance_tflops"] < alone["performance_tflops"] == 21.0
    assert {row["efficiency"] for row in near["assignments"]} == {1.0}  # of one GPU; the fabric is apart


# --- efficiency -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "placed"), [(0.9, True), (0.900001, False)])
def test_an_efficiency_is_a_condition_to_the_millionth(asked: float, placed: bool) -> None:
    node = offer("a", gpus=4, gpu__multi_gpu_efficiency=0.9)
    placement = told(world(intent(gpus=4, workload__resources__gpu__multi_gpu_efficiency=asked), node))
    assert (placement["status"] == "placed") is placed
    if placed:
        assert placement["assignments"][0]["efficiency"] == 0.9
        assert placement["performance_tflops"] == 37.8
    else:
        assert f"{PATH}.multi_gpu_efficiency" in placement["error"]["message"]


# --- shares and instances ---------------------------------------------------------------------------

SLOTS: dict[str, Any] = {"gpu__shared": True, "gpu__sharing_strategy": "mps", "gpu__sharing_slots": 3}
SHARED: dict[str, Any] = {f"{GPU}__shared": True}


def test_shares_of_several_intents_lie_on_one_gpu_and_add_up_to_its_price() -> None:
    three = [intent(name, **SHARED) for name in "abc"]
    placements = world(three, offer("o", 1, 1, **SLOTS)).document()["placements"]
    assert [gpus(p) for p in placements] == [[("o", 0, [0])]] * 3
    assert [p["hourly_cost"] for p in placements] == ["0.333334 EUR/hour"] * 3
    assert [p["assignments"][0]["gpu_milli"] for p in placements] == [333] * 3
    four = world([*three, intent("d", **SHARED)], offer("o", 1, 1, **SLOTS)).document()
    assert [p["status"] for p in four["placements"]].count("placed") == 3


def test_a_whole_task_keeps_others_off_its_gpu() -> None:
    both = [intent("a", **SHARED), intent("b")]
    document = world(both, offer("o", 2, 2, **SLOTS)).document()
    rows = [p["assignments"][0] for p in document["placements"]]
    assert sorted(gpu for row in rows for gpu in row["gpus"]) == [0, 1]
    assert [row["gpu_milli"] for row in rows] == [333, None]
    crowded = world(both, offer("o", 1, 1, **SLOTS)).document()
    assert sorted(p["status"] for p in crowded["placements"]) == ["placed", "rejected"]


MIG: dict[str, Any] = {
    "gpu__model": "nvidia-a100",
    "gpu__memory": "80Gi",
    "gpu__cores": 6912,
    "gpu__shared": True,
    "gpu__sharing_strategy": "mig",
}


def test_instances_are_named_and_paid_by_their_slices() -> None:
    pair: dict[str, Any] = {f"{GPU}__multi_instance": True, f"{GPU}__memory": "10Gi"}
    placement = told(world(intent(tasks=2, gpus=2, **pair), offer("o", 7, 1, **MIG), offer("p", 1, 2)))
    assert gpus(placement) == [("o", 0, [0, 0])] * 2
    assert [row["mig_profile"] for row in placement["assignments"]] == ["1g.10gb"] * 2
    assert placement["hourly_cost"] == "4.00 EUR/hour"  # four of seven slices
    assert placement["assignments"][0]["gpu_milli"] is None


def test_memory_slices_run_out_before_compute_slices() -> None:
    """Two instances of 40 GB have all eight memory slices, and six of the seven compute slices."""
    small: dict[str, Any] = {f"{GPU}__multi_instance": True, f"{GPU}__memory": "10Gi"}
    large: dict[str, Any] = {f"{GPU}__multi_instance": True, f"{GPU}__memory": "40Gi"}
    asked = [intent("a", tasks=2, **large), intent("b", **small)]
    both = world(asked, offer("o", 7, 1, **MIG)).document()
    assert sorted(p["status"] for p in both["placements"]) == ["placed", "rejected"]


# --- the examples of the reference ------------------------------------------------------------------

EXAMPLES = Path(flare.__file__).parent / "examples"
THEN = "2024-11-01T00:00:00Z"


def example(name: str, *, bare: bool = False, fail: bool = False) -> Json:
    """Place an example in the demonstration federation; `bare`: where nothing is linked but by PCIe."""
    asked = json.loads((EXAMPLES / f"{name}.json").read_text())
    if fail:
        asked["intent"]["constraints"]["negotiation"] = {"fallback_strategy": "fail"}
    stock = json.loads((EXAMPLES / "federation.json").read_text())
    for gpu in [one["gpu"] for one in stock["offers"] if bare and one.get("gpu")]:
        gpu |= {"interconnect": "pcie", "interconnect_bandwidth": None, "topology": None, "links": None}
    plan = flare.place(flare.read_intent(asked), flare.read_inventory(stock), now=THEN)
    [placement] = plan.to_dict()["placements"]
    return placement  # type: ignore[no-any-return]  # a document


@pytest.mark.parametrize(
    ("name", "tasks"), [("03-distributed-training", 2), ("06-communication-aware-training", 1)]
)
def test_training_goes_where_nvlink_is(name: str, tasks: int) -> None:
    path = f"{PATH}.interconnect"
    linked = example(name)
    assert (linked["status"], linked["relaxed"]) == ("placed", [])
    assert [len(row["gpus"]) for row in linked["assignments"]] == [4] * tasks
    assert all(row["efficiency"] > 0.98 for row in linked["assignments"])
    assert example(name, fail=True)["assignments"] == linked["assignments"]
    bare = example(name, bare=True)
    assert bare["status"] == "placed"
    assert bare["relaxed"] == [{"path": path, "asked": "nvlink", "got": "pcie"}]
    assert all(row["efficiency"] < 0.9 for row in bare["assignments"])
    refused = example(name, bare=True, fail=True)
    assert refused["status"] == "rejected"
    assert path in refused["error"]["message"]
