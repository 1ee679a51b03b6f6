"""From an order to Kubernetes objects: the right kinds, pinned, sized, labelled, valid by every schema."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flare_core
from flare_core import place, read_intent
from flare_core.adapters.fluidos import deploy, names
from flare_core.adapters.fluidos.inventory import flavors_of
from flare_core.adapters.fluidos.settings import FluidosSettings
from flare_core.inventory.demo import demo_inventory
from tests.fluidos.orders import KEY, SPACE, container, deployed, intent, nodes_of, of_kind, order, seat, the
from tests.fluidos.schemas import faults

EXAMPLES = sorted((Path(flare_core.__file__).parent / "examples").glob("0*.json"))
DAY = "2026-01-16T10:00:00Z"
LATER = "2026-01-17T10:00:00Z"


def kinds(objects: Any) -> list[str]:
    return [each["kind"] for each in objects]


# --- the six examples ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flavors() -> flare_core.Inventory:
    return flare_core.read_inventory(list(flavors_of(demo_inventory(), elastic=2)))


@pytest.mark.parametrize(
    ("example", "expected"),
    list(
        zip(
            EXAMPLES,
            [
                ["Service", "Ingress", "PersistentVolumeClaim", "Deployment", "HorizontalPodAutoscaler"],
                ["PersistentVolumeClaim", "Job"],
                ["Service", "PersistentVolumeClaim", "Job"],
                ["Job"],
                ["Service", "Ingress", "PersistentVolumeClaim", "Deployment"],
                ["PersistentVolumeClaim", "Job"],
            ],
            strict=True,
        )
    ),
    ids=lambda value: value.stem if isinstance(value, Path) else None,
)
def test_an_example_deploys(example: Path, expected: list[str], flavors: flare_core.Inventory) -> None:
    wanted = read_intent(example)
    plan = place(wanted, flavors, now="2024-12-01T00:00:00Z").to_dict()
    (placement,) = plan["placements"]
    assert placement["status"] == "placed"
    objects = deployed(order(intent=wanted, placement=placement))
    assert list(dict.fromkeys(kinds(objects))) == expected
    assert [faults(each) for each in objects] == [[]] * len(objects)


def test_there_are_six_examples() -> None:
    assert len(EXAMPLES) == 6


# --- services ------------------------------------------------------------------------------------


def test_a_service_is_a_deployment_pinned_to_the_node_that_was_bought() -> None:
    placed = order(seats=[seat(0), seat(1)])
    objects = deployed(placed)
    assert kinds(objects) == ["Deployment"]
    spec = the(objects, "Deployment")
    pod = spec["template"]["spec"]
    assert spec["replicas"] == 2
    assert pod["nodeSelector"] == {"kubernetes.io/hostname": "virtual-f-0"}
    # No more was bought than runs: nothing is left for a pod that takes another one's place.
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert pod["automountServiceAccountToken"] is False
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


def test_every_object_is_labelled_named_and_put_into_the_namespace() -> None:
    ports = [{"port": 80, "expose": True, "domain": "a.example.org"}]
    placed = order(intent(ports=ports, scaling={"auto_scale": True}), user="ana@example.org")
    for each in deployed(placed):
        assert each["metadata"]["namespace"] == SPACE
        assert each["metadata"]["labels"] == names.labels(placed)
        assert each["metadata"]["labels"]["flare.io/intent-id"] == KEY[:-2]


def test_each_virtual_node_has_a_controller_and_claims_of_its_own() -> None:
    volumes = [{"name": "data", "size": "10Gi", "type": "persistent", "path": "/data"}]
    seats = [seat(0), seat(1, "g"), seat(2, "g")]
    objects = deployed(order(intent(storage={"volumes": volumes}, scaling={"min_replicas": 3}), seats))
    one, other = of_kind(objects, "Deployment")
    assert (one["metadata"]["name"], other["metadata"]["name"]) == ("demo-0", "demo-1")
    assert (one["spec"]["replicas"], other["spec"]["replicas"]) == (1, 2)
    assert [
        each["spec"]["template"]["spec"]["nodeSelector"]["kubernetes.io/hostname"] for each in (one, other)
    ] == ["virtual-f-0", "virtual-g-0"]
    claims = {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "PersistentVolumeClaim")}
    assert {name: spec["resources"]["requests"]["storage"] for name, spec in claims.items()} == {
        "demo-data-0": "10Gi",
        "demo-data-1": "20Gi",
    }
    assert claims["demo-data-0"]["accessModes"] == ["ReadWriteOnce"]
    assert claims["demo-data-1"]["accessModes"] == ["ReadWriteMany"]  # of machines unknown
    mounted = other["spec"]["template"]["spec"]["volumes"][0]
    assert mounted == {"name": "data", "persistentVolumeClaim": {"claimName": "demo-data-1"}}


# --- what a task asks for ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("placed", "slots", "expected"),
    [
        (seat(0), {}, {"nvidia.com/gpu": "2"}),
        (seat(0, gpu_model="amd-mi300x"), {}, {"amd.com/gpu": "2"}),
        (seat(0, gpu_model="intel-max-1550"), {}, {"gpu.intel.com/i915": "2"}),
        (seat(0, mig_profile="1g.10gb"), {}, {"nvidia.com/mig-1g.10gb": "2"}),
        (seat(0, mig_profile="1g.10gb+me"), {}, {"nvidia.com/mig-1g.10gb.me": "2"}),
        (seat(0, gpus=[3], gpu_milli=250), {"f": 4}, {"nvidia.com/gpu": "1"}),
        (seat(0, gpus=[3], gpu_milli=500), {"f": 4}, {"nvidia.com/gpu": "2"}),
        (seat(0, gpus=[3], gpu_milli=334), {"f": 3}, {"nvidia.com/gpu": "1"}),
        (seat(0, gpus=[0, 1], gpu_milli=333), {"f": 3}, {"nvidia.com/gpu": "2"}),
        (seat(0), {"f": 4}, {"nvidia.com/gpu": "8"}),  # two whole GPUs of four slots each
        (seat(0, gpus=[], gpu_model=None), {}, {}),
    ],
)
def test_gpus_are_asked_for_as_device_plugins_count_them(
    placed: Any, slots: dict[str, int], expected: dict[str, str]
) -> None:
    resources = container(order(seats=[placed]), slots=slots)["resources"]
    assert resources["limits"] == {"cpu": "8", "memory": "64Gi", **expected}
    assert resources["requests"] == resources["limits"]


def test_what_is_bought_is_what_the_tasks_ask_for() -> None:
    volumes = [
        {"name": "data", "size": "10Gi", "type": "persistent", "path": "/data"},
        {"name": "tmp", "size": "5Gi", "type": "temporary", "path": "/scratch"},
    ]
    document = intent("job", storage={"volumes": volumes}, job={"parallel_tasks": 3, "timeout": "24h"})
    seats = [seat(0, end_time=DAY), seat(1, end_time=DAY), seat(2, "g", end_time=DAY)]
    assert deploy.demand(order(document, seats)) == {
        "f/0": {
            "cpu": "16",
            "memory": "128Gi",
            "pods": "2",
            "ephemeral-storage": "10Gi",
            "storage": "20Gi",
            "nvidia.com/gpu": "4",
        },
        "g/0": {
            "cpu": "8",
            "memory": "64Gi",
            "pods": "1",
            "ephemeral-storage": "5Gi",
            "storage": "10Gi",
            "nvidia.com/gpu": "2",
        },
    }


def test_tasks_one_after_the_other_need_their_place_once() -> None:
    document = intent("batch", job={"parallel_tasks": 3, "timeout": "24h"})
    seats = [seat(0, end_time=DAY), seat(1, end_time=DAY), seat(2, start_time=DAY, end_time=LATER)]
    placed = order(document, seats)
    assert deploy.demand(placed)["f/0"]["nvidia.com/gpu"] == "4"
    spec = the(deployed(placed), "Job")
    assert (spec["completions"], spec["parallelism"]) == (3, 2)
    assert spec["activeDeadlineSeconds"] == 2 * 86400


# --- jobs ----------------------------------------------------------------------------------------


def job(kind: str = "job", seats: Any = (), **fields: Any) -> Any:
    wanted = {"parallel_tasks": len(seats) or 1, "timeout": "24h", **fields}
    return order(intent(kind, job=wanted), seats or [seat(0, end_time=DAY)])


def test_a_job_is_indexed_and_ends_in_time() -> None:
    spec = the(deployed(job(max_retries=2)), "Job")
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 1, 1)
    assert spec["backoffLimit"] == 2
    assert spec["activeDeadlineSeconds"] == 86400
    assert spec["template"]["spec"]["activeDeadlineSeconds"] == 86400
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert "successPolicy" not in spec
    assert "backoffLimitPerIndex" not in spec


def test_a_batch_retries_each_task_by_itself() -> None:
    seats = [seat(task, end_time=DAY) for task in range(3)]
    spec = the(deployed(job("batch", seats, max_retries=2)), "Job")
    assert (spec["backoffLimitPerIndex"], spec["backoffLimit"]) == (2, 6)
    many = the(deployed(job("batch", seats, max_retries=2**31 - 1)), "Job")
    assert many["backoffLimit"] == 2**31 - 1


def test_any_one_task_is_enough_where_that_was_asked_for() -> None:
    seats = [seat(0, end_time=DAY), seat(1, end_time=DAY)]
    spec = the(deployed(job(seats=seats, completion_policy="Any")), "Job")
    assert spec["successPolicy"] == {"rules": [{"succeededCount": 1}]}


def test_tasks_of_a_gang_find_each_other_across_nodes() -> None:
    seats = [seat(0, end_time=DAY), seat(1, "g", end_time=DAY)]
    objects = deployed(job(seats=seats))
    headless = the(objects, "Service")
    assert headless["clusterIP"] == "None"
    jobs = of_kind(objects, "Job")
    pods = [each["spec"]["template"]["spec"] for each in jobs]
    assert {pod["subdomain"] for pod in pods} == {of_kind(objects, "Service")[0]["metadata"]["name"]}
    told = [{e["name"]: e["value"] for e in pod["containers"][0]["env"]} for pod in pods]
    assert [each["FLARE_TASK_OFFSET"] for each in told] == ["0", "1"]
    assert {(each["FLARE_TASKS"], each["FLARE_TASK_ZERO"]) for each in told} == {("2", "demo-0-0.demo")}


def test_what_the_user_sets_is_not_set_for_him() -> None:
    seats = [seat(0, end_time=DAY), seat(1, end_time=DAY)]
    document = intent("job", job={"parallel_tasks": 2, "timeout": "24h"}, env=["FLARE_TASKS=mine"])
    env = [(each["name"], each["value"]) for each in container(order(document, seats))["env"]]
    assert [value for name, value in env if name == "FLARE_TASKS"] == ["mine"]


# --- container -----------------------------------------------------------------------------------


def test_variables_reach_the_container_as_they_are_written() -> None:
    env = container(order(intent(env=["A=1=2", "B=", "C=$(A) $$ $A"])))["env"]
    assert env == [
        {"name": "A", "value": "1=2"},
        {"name": "B", "value": ""},
        {"name": "C", "value": "$$(A) $$$ $A"},
    ]


def test_secrets_are_references_never_values() -> None:
    secrets = [{"name": "hf-token", "env": "HF_TOKEN"}]
    placed = order(intent(secrets=secrets))
    assert container(placed)["env"] == [
        {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf-token", "key": "HF_TOKEN"}}}
    ]
    assert "Secret" not in kinds(deployed(placed))
    assert deploy.secret_names(placed) == ("hf-token",)


def test_a_volume_with_a_source_is_told_of_and_remarked_upon() -> None:
    source = {"type": "s3", "uri": "s3://bucket/ab", "credentials": "aws-readonly"}
    volumes = [{"name": "in", "size": "1Gi", "type": "temporary", "path": "/in", "source": source}]
    placed = order(intent(storage={"volumes": volumes}))
    (made,) = deployed(placed)
    for holder in (made, made["spec"]["template"]):
        assert holder["metadata"]["annotations"]["flare.io/volume-sources"] == (
            '[{"credentials": "aws-readonly", "path": "/in", "type": "s3", "uri": "s3://bucket/ab", '
            '"volume": "in"}]'
        )
    assert [told for told in deploy.remarks(placed) if "'in' is not fetched" in told]
    assert deploy.secret_names(placed) == ("aws-readonly",)


def test_temporary_volumes_are_room_on_the_node() -> None:
    volumes = [{"name": "tmp", "size": "200Gi", "type": "temporary", "path": "/scratch"}]
    placed = order(intent(storage={"volumes": volumes}))
    spec = the(deployed(placed), "Deployment")["template"]["spec"]
    assert {"name": "tmp", "emptyDir": {"sizeLimit": "200Gi"}} in spec["volumes"]
    assert spec["containers"][0]["resources"]["requests"]["ephemeral-storage"] == "200Gi"


@pytest.mark.parametrize(("gpus", "expected"), [(1, None), (2, "32Gi")])
def test_processes_on_several_gpus_share_memory(gpus: int, expected: str | None) -> None:
    resources = {"memory": "64Gi", "gpu": {"model": "nvidia-h100", "count": gpus}}
    spec = the(deployed(order(intent(resources=resources))), "Deployment")["template"]["spec"]
    sizes = [volume["emptyDir"]["sizeLimit"] for volume in spec.get("volumes", ()) if "emptyDir" in volume]
    assert sizes == ([] if expected is None else [expected])


def test_a_workload_without_wishes_asks_for_nothing() -> None:
    bare = order(intent(resources={}), [seat(0, gpus=[], gpu_model=None)])
    assert container(bare) == {"name": "demo", "image": "demo:1"}


# --- scaling -------------------------------------------------------------------------------------


def test_replicas_follow_cpu_and_gpus() -> None:
    document = intent(scaling={"max_replicas": 7, "auto_scale": True, "target_cpu_percent": 55})
    spec = the(deployed(order(document)), "HorizontalPodAutoscaler")
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 7)
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "demo"}
    cpu, gpu = spec["metrics"]
    assert cpu["resource"]["target"] == {"type": "Utilization", "averageUtilization": 55}
    assert gpu["pods"]["metric"]["name"] == "DCGM_FI_DEV_GPU_UTIL"
    assert gpu["pods"]["target"]["averageValue"] == "80"


def test_what_replicas_may_grow_by_is_dealt_out() -> None:
    document = intent(scaling={"min_replicas": 3, "max_replicas": 10, "auto_scale": True})
    objects = deployed(order(document, [seat(0), seat(1, "g"), seat(2, "g")]))
    bounds = [each["spec"] for each in of_kind(objects, "HorizontalPodAutoscaler")]
    assert [(each["minReplicas"], each["maxReplicas"]) for each in bounds] == [(1, 5), (2, 5)]


@pytest.mark.parametrize(
    ("resources", "settings", "scaled"),
    [
        ({"cpu": "1"}, FluidosSettings(), True),
        ({"gpu": {"model": "any"}}, FluidosSettings(), True),
        ({"gpu": {"model": "any"}}, FluidosSettings(gpu_metric=None), False),
        ({}, FluidosSettings(), False),
    ],
)
def test_what_nothing_measures_is_not_scaled(resources: Any, settings: FluidosSettings, scaled: bool) -> None:
    placed = order(intent(resources=resources, scaling={"auto_scale": True}))
    assert ("HorizontalPodAutoscaler" in kinds(deployed(placed, settings))) is scaled
    assert any("not scaled" in told for told in deploy.remarks(placed, settings)) is not scaled


# --- settings ------------------------------------------------------------------------------------


def test_settings_reach_the_objects() -> None:
    volumes = [{"name": "data", "size": "10Gi", "type": "persistent", "path": "/data"}]
    ports = [{"port": 80, "expose": True, "domain": "a.example.org"}]
    placed = order(intent(ports=ports, storage={"volumes": volumes}))
    settings = FluidosSettings(
        storage_class=None,
        ingress_class="nginx",
        ingress_annotations={"cert-manager.io/cluster-issuer": "letsencrypt"},
        ingress_tls=False,
        image_pull_secrets=("registry",),
    )
    objects = deployed(placed, settings)
    assert "storageClassName" not in the(objects, "PersistentVolumeClaim")
    (entrance,) = of_kind(objects, "Ingress")
    assert entrance["metadata"]["annotations"] == {"cert-manager.io/cluster-issuer": "letsencrypt"}
    assert entrance["spec"]["ingressClassName"] == "nginx"
    assert "tls" not in entrance["spec"]
    pod = the(objects, "Deployment")["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert deploy.url(placed, settings) == "http://a.example.org"
    assert the(deployed(placed), "PersistentVolumeClaim")["storageClassName"] == "liqo"


# --- anything ------------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)


@settings(max_examples=20)  # each is held to several schemas, which takes its time
@given(
    NAMES, st.lists(WORDS, max_size=3), WORDS, st.sampled_from(["service", "job", "batch"]), st.integers(1, 4)
)
def test_whatever_is_asked_for_makes_valid_objects(
    name: str, commands: list[str], value: str, kind: str, tasks: int
) -> None:
    volumes = [{"name": name, "size": "1Gi", "type": "persistent", "path": "/data"}]
    more: Any = {"ports": [{"port": 80, "expose": True}]} if kind == "service" else {}
    seats = [
        seat(task, "f" if task % 2 else "g", end_time=None if kind == "service" else DAY)
        for task in range(tasks)
    ]
    document = intent(
        kind, name=name, commands=commands, env=[f"A={value}"], storage={"volumes": volumes}, **more
    )
    placed = order(document, seats)
    objects = deployed(placed)
    assert [faults(each) for each in objects] == [[]] * len(objects)
    assert all(len(each["metadata"]["name"]) <= 63 for each in objects)
    assert objects == deploy.objects(placed, nodes_of(placed), namespace=SPACE)


def test_a_node_that_was_not_bought_is_not_deployed_to() -> None:
    with pytest.raises(KeyError):
        deploy.objects(order(), {}, namespace=SPACE)
