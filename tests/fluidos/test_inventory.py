"""Which objects become offers: fresh ones, once each, less what was sold; and nothing makes reading crash."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flare_core import InventoryError, OptionsError, read_inventory
from flare_core.errors import FlareError
from flare_core.inventory.fluidos import Reading, Sold, is_objects
from flare_core.inventory.write import to_document
from tests.fluidos.objects import GPU, Json, candidate, discovery, flavor, node, put, read, with_gpu

A, B, C = (flavor(f"fluidos.eu-k8slice-{name}") for name in ("aaaa", "bbbb", "cccc"))
IDS = tuple(each["metadata"]["name"] for each in (A, B, C))


def test_candidates_that_can_be_had_are_offered() -> None:
    inventory = read(candidate(A), candidate(B, available=False), candidate(C))
    assert inventory.ids == (IDS[0], IDS[2])
    assert f"left out: not available: {IDS[1]}" in inventory.warnings


def test_only_what_the_newest_discovery_found_is_fresh() -> None:
    old = discovery([candidate(A), candidate(B)], name="old", ended="2026-01-15T09:00:00Z")
    # Later, though its text sorts before: FLUIDOS writes the local offset of whoever writes.
    new = discovery([candidate(B)], name="new", ended="2026-01-15T08:30:00-02:00")
    inventory = read(candidate(A), candidate(B), new, old)
    assert inventory.ids == (IDS[1],)
    assert f"left out: stale, not in the newest discovery: {IDS[0]}" in inventory.warnings


def test_a_discovery_that_failed_makes_nothing_stale() -> None:
    solved = discovery([candidate(A)], ended="2026-01-15T09:00:00Z")
    failed = discovery([], name="later", ended="2026-01-15T10:00:00Z", phase="Failed")
    assert read(candidate(A), solved, failed).ids == (IDS[0],)


def test_the_live_candidate_decides_whether_it_can_still_be_had() -> None:
    with pytest.raises(InventoryError, match=f"no usable offer.*left out: not available: {IDS[0]}"):
        read(discovery([candidate(A)]), candidate(A, available=False))


def test_a_discovery_alone_tells_what_it_found() -> None:
    assert read(discovery([candidate(A), candidate(B, available=False)])).ids == (IDS[0],)


def test_a_candidate_goes_before_the_flavor_of_the_same_name() -> None:
    dearer = put(A, "spec.flavorType.typeData.characteristics.gpu.hourly_rate", 99)
    inventory = read(dearer, candidate(A))
    assert inventory.value("hourly_ueur", 0) == 18_400_000


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (put(A, "spec.availability", False), "sold"),
        (put(A, "spec.flavorType.typeIdentifier", "Service"), "no K8Slice"),
        (put(A, "spec.flavorType.typeIdentifier", "VM"), "no K8Slice"),
    ],
)
def test_what_is_sold_or_no_slice_is_left_out(changed: Json, reason: str) -> None:
    inventory = read(changed, B)
    assert inventory.ids == (IDS[1],)
    assert f"left out: {reason}: {IDS[0]}" in inventory.warnings


def test_a_flavor_listed_twice_is_one_offer_and_two_that_differ_are_none() -> None:
    assert read(A, deepcopy(A), B).ids == (IDS[0], IDS[1])
    differs = put(A, "spec.flavorType.typeData.characteristics.gpu.count", 8)
    inventory = read(A, differs, B)
    assert inventory.ids == (IDS[1],)
    assert [told for told in inventory.warnings if IDS[0] in told and "differ" in told]


def test_a_bad_object_does_not_spoil_the_others() -> None:
    bad = put(A, "spec.flavorType.typeData.characteristics.gpu.memory", "much")
    inventory = read(bad, B, candidate(put(C, "spec.flavorType.typeData.characteristics.gpu.count", "x")))
    assert inventory.ids == (IDS[1],)
    wrong = [told for told in inventory.warnings if "skipped" in told]
    assert any(f"Flavor {IDS[0]}: " in told and "gpu.memory" in told for told in wrong)
    assert any(f"PeeringCandidate {IDS[2]}: " in told and "gpu.count" in told for told in wrong)


def test_another_accelerator_is_no_error() -> None:
    inventory = read(with_gpu(model="google-tpu-v4", vendor="google"), B)
    assert inventory.ids == (IDS[1],)
    assert "1 offers of accelerators that are no GPU are left out" in inventory.warnings


# --- GPUs that were sold -------------------------------------------------------------------------


def rest(name: str, cpu: str, count: int = 4, **gpu: object) -> Json:
    """What comes back of a flavor after a partial sale: less cores, and all of its GPUs."""
    made = flavor(name, gpu={**GPU, "count": count, **gpu})
    return put(made, "spec.flavorType.typeData.characteristics.cpu", cpu)


def sale(**changed: Any) -> Sold:
    told = {"flavor": "old", "node_id": "prov000001", "model": "H100", "gpus": 2, "advertised": 4}
    return Sold(**{**told, "cpu_left_milli": 32000, **changed})


def free(*objects: Json, sold: tuple[Sold, ...]) -> dict[str, list[int]]:
    """Free GPUs by offer."""
    document: Any = to_document(read(*objects, sold=sold))
    counts = {each["id"]: list(range(each["gpu"]["count"])) for each in document["offers"]}
    states = {each["id"]: each["node_states"] for each in document["offers"] if "node_states" in each}
    return {**counts, **{name: state[0]["free_gpus"] for name, state in states.items()}}


def test_the_rest_of_a_flavor_is_offered_without_the_gpus_that_were_sold() -> None:
    document: Any = to_document(read(rest("rest", "32"), sold=[sale()]))
    (state,) = document["offers"][0]["node_states"]
    # Cores and memory are already less: FLUIDOS deducts those.
    assert state == {"node": 0, "free_gpus": [2, 3], "cpu": "32", "memory": "251Gi"}


@pytest.mark.parametrize(
    ("objects", "sold", "expected"),
    [
        ([rest("r", "32")], sale(node_id="other"), {"r": [0, 1, 2, 3]}),
        ([rest("r", "32", model="nvidia-a100", memory="160Gi")], sale(), {"r": [0, 1, 2, 3]}),
        ([rest("r", "64")], sale(), {"r": [0, 1, 2, 3]}),  # it has more than is left: another node
        ([rest("r", "20")], sale(), {"r": [2, 3]}),  # somebody bought of it since
        ([rest("r", "32"), rest("full", "64")], sale(), {"r": [2, 3], "full": [0, 1, 2, 3]}),
        ([rest("r", "32"), rest("less", "16")], sale(), {"r": [2, 3], "less": [0, 1, 2, 3]}),
        ([rest("r", "32", count=2, memory="160Gi")], sale(), {"r": [0, 1]}),  # it did drop
        ([rest("r", "32", count=3, memory="240Gi")], sale(), {"r": [1, 2]}),  # by one of two
        ([rest("r", "32")], sale(gpus=4), {"r": []}),
        ([rest("r", "32")], sale(cpu_left_milli=None), {"r": [2, 3]}),
        ([rest("old", "64"), rest("r", "32")], sale(), {"old": [0, 1, 2, 3], "r": [2, 3]}),
    ],
)
def test_sold_gpus_are_deducted_from_the_rest_alone(
    objects: list[Json], sold: Sold, expected: dict[str, list[int]]
) -> None:
    assert free(*objects, sold=(sold,)) == expected


def test_two_sales_of_one_node_add_up() -> None:
    sales = (sale(gpus=1), sale(flavor="older", gpus=2, cpu_left_milli=48000))
    assert free(rest("r", "32"), sold=sales) == {"r": [3]}


# --- as files and documents ----------------------------------------------------------------------

LIST = {"apiVersion": "v1", "kind": "List", "items": [A, B]}
TYPED = {
    "apiVersion": "nodecore.fluidos.eu/v1alpha1",
    "kind": "FlavorList",
    "metadata": {"resourceVersion": "7"},
    "items": [{key: value for key, value in each.items() if key != "kind"} for each in (A, B)],
}


@pytest.mark.parametrize(
    "source",
    [LIST, TYPED, [A, B], json.dumps(LIST), json.dumps([A, B])],
    ids=["list", "typed-list", "objects", "text", "text-of-objects"],
)
def test_objects_are_known_in_whatever_form_they_come(source: Any) -> None:
    assert read_inventory(source).ids == IDS[:2]


@pytest.mark.parametrize("name", ["a.yaml", "a.yml", "a.json"])
def test_files_of_objects_are_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(json.dumps(LIST) if name.endswith("json") else yaml.safe_dump_all([A, None, B]))
    inventory = read_inventory(path)
    assert inventory.ids == IDS[:2]
    assert str(path) in inventory.source


def test_a_file_of_another_name_is_read_when_told_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "flavors"
    path.write_text(yaml.safe_dump(LIST))
    assert read_inventory(path, format="fluidos").ids == IDS[:2]


def test_flavors_and_other_offers_are_read_together() -> None:
    own = {
        "offers": [
            {"id": "a", "provider": "p", "region": "r", "price": {"hourly": "1 EUR/hour"}, "gpu": None}
        ]
    }
    assert read_inventory([LIST, own]).ids == ("a", *IDS[:2])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: &x [1]\nb: *x\n", "found an alias"),
        ("a: 1\na: 2\n", "a key twice"),
        ("a: [1\n", "no YAML"),
        ("\tx", "no YAML"),
        ("a: !!python/object/apply:os.system [x]\n", "no usable offer"),
        ("- 1\n- two\n", "no usable offer"),
        ("", "no usable offer"),
        ("[" * 5000, "no YAML"),
    ],
)
def test_other_yaml_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(" " + text if text.startswith("[") else text)
    with pytest.raises(InventoryError) as refused:
        read_inventory(path)
    assert told in str(refused.value) or "nested" in str(refused.value)


def test_dates_in_yaml_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    newest = discovery([candidate(A)], ended="X")
    path.write_text(yaml.safe_dump_all([newest]).replace("X", "2026-01-15T10:00:00Z"))
    assert read_inventory(path).ids == (IDS[0],)


@pytest.mark.parametrize(
    ("reading", "path"),
    [
        ({"prices_per": "rack"}, "prices_per"),
        ({"places": "somewhere"}, "places"),
        ({"usd_eur": "0"}, "usd_eur"),
    ],
)
def test_a_reading_that_is_none_is_refused(reading: Json, path: str) -> None:
    with pytest.raises(OptionsError) as refused:
        Reading(**reading)
    assert refused.value.path == path


def test_what_is_no_object_is_not_taken_for_one() -> None:
    assert not any(
        map(is_objects, ({}, [], {"kind": "List"}, {"apiVersion": "v1", "kind": 1}, [A, {}], None))
    )


# --- anything at all -----------------------------------------------------------------------------

ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
QUANTITIES = st.sampled_from(
    ["0", "1", "80Gi", "320Gi", "-1", "1e400", "9999999999999999999", "NaN", " 4 ", "4m"]
)
PATHS = [
    *(f"spec.flavorType.typeData.characteristics.gpu.{key}" for key in (*GPU, "shared", "sharing_strategy")),
    *(f"spec.flavorType.typeData.characteristics.{key}" for key in ("cpu", "memory", "gpu")),
    *(f"spec.flavorType.typeData.properties.{key}" for key in ("latency", "securityStandards")),
    *("spec.flavorType.typeData.properties", "spec.flavorType.typeData", "spec.flavorType", "spec"),
    *("spec.price", "spec.price.amount", "spec.price.period", "spec.owner", "spec.availability", "metadata"),
    "spec.flavorType.typeData.properties.additionalProperties",
]


@given(st.sampled_from(PATHS), ANY | QUANTITIES)
def test_whatever_stands_in_a_flavor_it_is_read_or_reported(path: str, value: object) -> None:
    try:
        inventory = read(put(flavor(price={}), path, value), B)
    except FlareError as error:
        pytest.fail(f"the sound flavor was lost: {error}")
    assert IDS[1] in inventory.ids


NODE_KEYS = [
    "gpu.fluidos.eu/count",
    "gpu.fluidos.eu/model",
    "gpu.fluidos.eu/memory",
    "cost.fluidos.eu/hourly-rate",
]
LABELS = ["nvidia.com/gpu.product", "nvidia.com/gpu.replicas", "nvidia.com/gpu.memory", "amd.com/gpu.vram"]


@given(
    st.dictionaries(st.sampled_from(NODE_KEYS), ANY | QUANTITIES),
    st.dictionaries(st.sampled_from(LABELS), ANY),
)
def test_whatever_a_node_says_it_is_read_or_reported(annotations: Json, labels: Json) -> None:
    assert IDS[1] in read(node(annotations=annotations, labels=labels), B).ids


CHANGES = st.lists(st.tuples(st.sampled_from(PATHS), ANY | QUANTITIES), min_size=1, max_size=3)
SOUND = node("sound", annotations={"cost.fluidos.eu/hourly-rate": "1"})


def stays_sound(changes: list[tuple[str, object]], some: Any, other: Any, several: list[Any]) -> None:
    """Whatever stands beside it, in whatever kind of object: a sound flavor and a sound node are offered."""
    spoilt = flavor(price={})
    for path, value in changes:
        try:
            spoilt = put(spoilt, path, value)
        except (AttributeError, TypeError):
            break  # a value of another kind stands in the way now
    spec, metadata = spoilt.get("spec"), spoilt.get("metadata")
    whole = isinstance(spec, dict) and isinstance(metadata, dict) and "name" in metadata
    others = [
        spoilt,
        candidate(spoilt) if whole else {},
        {"apiVersion": "v1", "kind": "List", "items": several},
        {"apiVersion": some, "kind": "Discovery", "metadata": some, "status": other},
        {"apiVersion": "v1", "kind": "Node", "metadata": some, "spec": some, "status": other},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "spec": {"nodeName": "sound", "containers": some},
            "status": other,
        },
        {"apiVersion": "v1", "kind": "PeeringCandidate", "spec": {"available": True, "flavor": some}},
        *several,
    ]
    for each in others:
        assert {IDS[1], "sound"} <= set(read(each, B, SOUND).ids)


FUZZ = given(CHANGES, ANY, ANY, st.lists(ANY, max_size=3))


@settings(max_examples=50)
@FUZZ
def test_s9_no_object_spoils_the_reading(changes: Any, some: Any, other: Any, several: Any) -> None:
    stays_sound(changes, some, other, several)


@pytest.mark.t1
@settings(max_examples=1500)
@FUZZ
def test_s9_no_object_spoils_the_reading_at_full_count(
    changes: Any, some: Any, other: Any, several: Any
) -> None:
    stays_sound(changes, some, other, several)
