"""Nodes as offers: FLUIDOS's annotations in all their spellings, NVIDIA's labels and AMD's."""

from typing import Any

import pytest

from flare_core import InventoryError, read_inventory
from flare_core.inventory.write import to_document
from tests.fluidos.objects import Json, flat, flavor, node, offer, put, read

ANNOTATED = {
    "gpu.fluidos.eu/vendor": "nvidia",
    "gpu.fluidos.eu/model": "nvidia-a100",
    "gpu.fluidos.eu/count": "4",
    "gpu.fluidos.eu/memory-per-gpu": "80Gi",
    "gpu.fluidos.eu/cores": "6912",
    "gpu.fluidos.eu/tier": "premium",
    "gpu.fluidos.eu/architecture": "ampere",
    "gpu.fluidos.eu/compute-capability": "8.0",
    "gpu.fluidos.eu/clock-speed": "1.41G",
    "gpu.fluidos.eu/fp32-tflops": "19.5",
    "gpu.fluidos.eu/interconnect": "nvlink",
    "gpu.fluidos.eu/interconnect-bandwidth-gbps": "600",
    "gpu.fluidos.eu/topology": "nvswitch",
    "gpu.fluidos.eu/multi-gpu-efficiency": "0.95",
    "gpu.fluidos.eu/sharing-capable": "true",
    "gpu.fluidos.eu/sharing-strategy": "mig",
    "nvidia.fluidos.eu/mig-capable": "true",
    "gpu.fluidos.eu/dedicated": "true",
    "gpu.fluidos.eu/interruptible": "false",
    "location.fluidos.eu/region": "eu-west-1",
    "location.fluidos.eu/zone": "zone-a",
    "cost.fluidos.eu/hourly-rate": "4.5",
    "cost.fluidos.eu/currency": "EUR",
    "network.fluidos.eu/bandwidth-gbps": "100",
    "network.fluidos.eu/latency-ms": "5",
    "provider.fluidos.eu/name": "provider-1",
    "provider.fluidos.eu/preemptible": "false",
    "workload.fluidos.eu/training-score": "0.95",
}
DOCUMENTED = {
    "gpu.fluidos.eu/memory-per-gpu": "gpu.fluidos.eu/memory",
    "gpu.fluidos.eu/compute-capability": "gpu.fluidos.eu/compute_capability",
    "gpu.fluidos.eu/clock-speed": "gpu.fluidos.eu/clock_speed",
    "gpu.fluidos.eu/fp32-tflops": "gpu.fluidos.eu/fp32_tflops",
    "gpu.fluidos.eu/interconnect-bandwidth-gbps": "gpu.fluidos.eu/interconnect_bandwidth",
    "gpu.fluidos.eu/multi-gpu-efficiency": "gpu.fluidos.eu/multi_gpu_efficiency",
    "gpu.fluidos.eu/sharing-capable": "gpu.fluidos.eu/shared",
    "gpu.fluidos.eu/sharing-strategy": "gpu.fluidos.eu/sharing_strategy",
    "nvidia.fluidos.eu/mig-capable": "gpu.fluidos.eu/multi_instance",
    "cost.fluidos.eu/hourly-rate": "cost.fluidos.eu/hourly_rate",
    "network.fluidos.eu/bandwidth-gbps": "network.fluidos.eu/bandwidth",
}
PRICE = {"cost.fluidos.eu/hourly-rate": "2"}


def test_an_annotated_node_is_an_offer_with_places_as_they_are_named() -> None:
    found = offer(node(annotations=ANNOTATED))
    assert found == {
        "id": "gpu-1",
        "provider": "provider-1",
        "region": "eu-west-1",
        "zone": "zone-a",
        "nodes": 1,
        "price.hourly": "4.50 EUR/hour",
        "price.billing": "gpu",
        "cpu": "64",
        "memory": "256Gi",
        "gpu.model": "nvidia-a100",
        "gpu.count": 4,
        "gpu.memory": "80Gi",
        "gpu.cores": 6912,
        "gpu.clock_speed": "1410MHz",
        "gpu.compute_capability": 8,
        "gpu.architecture": "ampere",
        "gpu.tier": "premium",
        "gpu.fp32_tflops": 19.5,
        "gpu.interconnect": "nvlink",
        "gpu.interconnect_bandwidth": "4800Gbps",
        "gpu.topology": "nvswitch",
        "gpu.multi_gpu_efficiency": 0.95,
        "gpu.shared": True,
        "gpu.sharing_strategy": "mig",
        "gpu.dedicated": True,
        "performance.latency_ms": 5,
        "performance.network_bandwidth": "100Gbps",
    }


def test_the_documented_spelling_means_the_same() -> None:
    documented = {DOCUMENTED.get(key, key): value for key, value in ANNOTATED.items()}
    assert documented.keys() != ANNOTATED.keys()
    assert offer(node(annotations=documented)) == offer(node(annotations=ANNOTATED))


NVIDIA_LABELS = {
    "nvidia.com/gpu.count": "8",
    "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
    "nvidia.com/gpu.memory": "81920",
    "nvidia.com/gpu.family": "ampere",
    "nvidia.com/gpu.compute.major": "8",
    "nvidia.com/gpu.compute.minor": "0",
    "nvidia.com/mig.capable": "true",
    "topology.kubernetes.io/region": "us-east-1",
    "topology.kubernetes.io/zone": "us-east-1b",
}


def nvidia(**more: str) -> Json:
    changed = {f"nvidia.com/{key.replace('__', '.').replace('_', '-')}": value for key, value in more.items()}
    return {**NVIDIA_LABELS, **changed}


def test_the_labels_of_gpu_feature_discovery_make_an_offer() -> None:
    found = offer(node(annotations=PRICE, labels=nvidia(), resources={"nvidia.com/gpu": "8"}))
    assert found["gpu.model"] == "nvidia-a100"
    assert (found["gpu.count"], found["gpu.memory"], found["gpu.compute_capability"]) == (8, "80Gi", 8)
    assert (found["region"], found["zone"]) == ("us-east-1", "us-east-1b")
    assert found["gpu.shared"] is False
    assert found["provider"] == "local"


@pytest.mark.parametrize(
    ("product", "memory", "model", "size"),
    [
        ("NVIDIA-H100-PCIe-80GB", "81559", "nvidia-h100", "80Gi"),
        ("NVIDIA-RTX-A6000", "49140", "nvidia-rtx-a6000", "48Gi"),
        ("Tesla-T4", "15360", "nvidia-t4", "16Gi"),
        ("NVIDIA-T4-SHARED", "15360", "nvidia-t4", "16Gi"),
    ],
)
def test_products_are_normalised_and_memory_is_that_of_one_gpu(
    product: str, memory: str, model: str, size: str
) -> None:
    labels = nvidia(gpu__product=product, gpu__memory=memory, gpu__count="2", gpu__compute__major="")
    found = offer(node(annotations=PRICE, labels=labels, resources={"nvidia.com/gpu": "2"}))
    assert (found["gpu.model"], found["gpu.memory"], found["gpu.count"]) == (model, size, 2)


@pytest.mark.parametrize(
    ("labels", "allocatable", "expected"),
    [
        ({"gpu__replicas": "4"}, "32", (8, "time-slicing", 4, False)),
        ({"gpu__replicas": "4", "gpu__sharing_strategy": "mps"}, "32", (8, "mps", 4, False)),
        ({"gpu__replicas": "4", "gpu__count": "32"}, "32", (8, "time-slicing", 4, False)),
        ({"gpu__replicas": "1"}, "8", (8, None, None, None)),
        ({"mig__strategy": "mixed"}, "6", (6, "mig", None, None)),
    ],
)
def test_shared_gpus_are_counted_whole(labels: dict[str, str], allocatable: str, expected: Any) -> None:
    found = offer(node(annotations=PRICE, labels=nvidia(**labels), resources={"nvidia.com/gpu": allocatable}))
    told = ("gpu.count", "gpu.sharing_strategy", "gpu.sharing_slots", "gpu.dedicated")
    assert tuple(found.get(path) for path in told) == expected


def test_no_more_gpus_than_pods_can_have() -> None:
    found = offer(node(annotations=ANNOTATED, resources={"nvidia.com/gpu": "3"}))
    assert found["gpu.count"] == 3
    assert found["gpu.memory"] == "80Gi"


def test_annotations_go_before_labels() -> None:
    labels = {**NVIDIA_LABELS, "nvidia.com/gpu.product": "NVIDIA-H100-PCIe-80GB"}
    assert offer(node(annotations=ANNOTATED, labels=labels))["gpu.model"] == "nvidia-a100"


@pytest.mark.parametrize(
    "labels",
    [
        {
            "amd.com/gpu.device-id": "74a1",
            "amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM",
            "amd.com/gpu.vram": "192G",
            "amd.com/gpu.cu-count": "304",
            "amd.com/gpu.family": "AI",
        },
        {
            "beta.amd.com/gpu.product-name.AMD_Instinct_MI300X_OAM": "8",
            "beta.amd.com/gpu.vram.192G": "8",
            "beta.amd.com/gpu.cu-count.304": "8",
        },
        {"amd.com/gpu.product": "amd-mi300x", "amd.com/gpu.memory": "192Gi", "amd.com/gpu.count": "8"},
    ],
    ids=["now", "before", "as-documented"],
)
def test_amds_labels_make_an_offer_in_each_of_their_forms(labels: dict[str, str]) -> None:
    found = offer(node(annotations=PRICE, labels=labels, resources={"amd.com/gpu": "8"}))
    assert (found["gpu.model"], found["gpu.count"], found["gpu.memory"]) == ("amd-mi300x", 8, "192Gi")
    assert found["gpu.cores"] == 19456


def test_a_node_without_gpus_is_offered_without() -> None:
    found = offer(node(annotations=PRICE, resources={"ephemeral-storage": "100Gi"}))
    assert not [path for path in found if path.startswith("gpu.")]
    assert found["storage"] == "100Gi"


def test_the_cloud_a_node_runs_in_is_its_provider() -> None:
    placed = put(node(annotations=PRICE, labels=NVIDIA_LABELS), "spec.providerID", "aws:///us-east-1b/i-1")
    found = offer(placed)
    assert (found["provider"], found["country"]) == ("aws", "US")  # of provider and region together


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (put(node(annotations=ANNOTATED), "spec.unschedulable", True), "unschedulable"),
        (put(node(annotations=ANNOTATED), "metadata.labels", {"liqo.io/type": "virtual-node"}), "virtual"),
        (
            put(node(annotations=ANNOTATED), "status.conditions", [{"type": "Ready", "status": "Unknown"}]),
            "not ready",
        ),
        (node(annotations=PRICE, labels=nvidia(gpu__product="NVIDIA-A100-SXM4-40GB-MIG-1g.5gb")), "MIG"),
    ],
)
def test_some_nodes_are_left_out_with_the_reason(changed: Json, reason: str) -> None:
    inventory = read(changed, node("other", annotations=ANNOTATED))
    assert inventory.ids == ("other",)
    assert [told for told in inventory.warnings if reason in told and "gpu-1" in told]


@pytest.mark.parametrize(
    ("annotations", "told"),
    [
        ({"cost.fluidos.eu/hourly-rate": "free"}, "annotations.cost.fluidos.eu/hourly-rate: found 'free'"),
        ({**PRICE, "cost.fluidos.eu/currency": "USD"}, "hourly-rate: found 'USD'"),
        ({**PRICE, "gpu.fluidos.eu/count": "4"}, "gpu.model: is missing"),
        ({**ANNOTATED, "gpu.fluidos.eu/memory-per-gpu": "big"}, "found 'big'"),
        ({**PRICE, "offer.flare.io/country": "Atlantis"}, "offer.flare.io/country: found 'Atlantis'"),
        ({}, "price: is missing"),
    ],
)
def test_what_is_wrong_is_reported_with_node_and_annotation(annotations: Json, told: str) -> None:
    with pytest.raises(InventoryError, match="Node gpu-1: ") as refused:
        read(node(annotations=annotations))
    assert told in refused.value.message


def test_dollars_need_a_rate() -> None:
    dollars = {**PRICE, "cost.fluidos.eu/currency": "USD"}
    assert offer(node(annotations=dollars), usd_eur="0.92")["price.hourly"] == "1.84 EUR/hour"


def test_a_node_can_say_whatever_an_offer_can() -> None:
    own = {
        "offer.flare.io/energy.carbon_intensity": "278",
        "offer.flare.io/compliance.certifications": '["SOC2", "ISO27001"]',
        "offer.flare.io/persistent_storage": "true",
        "offer.flare.io/country": "DE",
        "offer.flare.io/unknown": "x",
    }
    found = offer(node(annotations={**PRICE, **own}))
    assert found["energy.carbon_intensity"] == 278
    assert found["compliance.certifications"] == ["ISO27001", "SOC2"]
    assert (found["persistent_storage"], found["country"]) == (True, "DE")


def pod(node_name: str, phase: str = "Running", **requests: str) -> Json:
    containers = [{"name": "a", "resources": {"requests": requests}}, {"name": "b"}]
    starting = [{"name": "c", "resources": {"requests": {"cpu": "3"}}}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"nodeName": node_name, "containers": containers, "initContainers": starting},
        "status": {"phase": phase},
    }


def test_what_pods_ask_for_is_used() -> None:
    inventory = read(
        node(annotations=ANNOTATED),
        pod("gpu-1", **{"cpu": "500m", "memory": "16Gi", "nvidia.com/gpu": "1"}),
        pod("gpu-1", "Succeeded", **{"nvidia.com/gpu": "1"}),
        pod("other", **{"nvidia.com/gpu": "1"}),
    )
    (state,) = flat(to_document(inventory)["offers"][0])["node_states"]  # type: ignore[index]  # a list of one
    assert state == {"node": 0, "free_gpus": [1, 2, 3], "cpu": "61", "memory": "240Gi"}


def test_a_node_that_a_flavor_stands_for_is_not_offered_twice() -> None:
    owned = put(flavor(), "metadata.ownerReferences", [{"kind": "Node", "name": "gpu-1"}])
    listed = {"apiVersion": "v1", "kind": "List", "items": [owned, node(annotations=ANNOTATED)]}
    inventory = read_inventory(listed)
    assert inventory.ids == ("fluidos.eu-k8slice-1a2b",)
    assert "left out: a flavor stands for it: gpu-1" in inventory.warnings
