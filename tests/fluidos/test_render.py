"""``flare fluidos``: everything is printed without a cluster, valid and in order; with one, it is asked."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightkube.config.kubeconfig import SingleConfig

import flare_core
from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.rbac import manifest
from flare_core.adapters.fluidos.settings import FluidosSettings
from tests.fluidos.actor import Actor
from tests.fluidos.cli import kubeconfig, run
from tests.fluidos.objects import flavor
from tests.fluidos.orders import intent
from tests.fluidos.schemas import faults
from tests.fluidos.versions import is_new
from tests.fluidos.worlds import flavor as sold_by
from tests.fluidos.worlds import providers

EXAMPLES = sorted((Path(flare_core.__file__).parent / "examples").glob("0*.json"))
NOW = "2024-12-01T00:00:00Z"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def wanted(tmp_path: Path) -> Path:
    path = tmp_path / "intent.json"
    path.write_text(json.dumps({"intent": intent()}))
    return path


@pytest.fixture
def offered(tmp_path: Path) -> Path:
    path = tmp_path / "flavors.yaml"
    path.write_text(yaml.safe_dump(flavor()))
    return path


def test_the_examples_render_to_valid_objects(capsys: Capture) -> None:
    done = run(capsys, "render", *EXAMPLES, "--now", NOW)
    assert done.status == 0
    assert [faults(each) for each in done.objects] == [[]] * len(done.objects)
    kinds = [each["kind"] for each in done.objects]
    assert kinds.count("Namespace") == kinds.count("NamespaceOffloading") == 6
    assert kinds.count("Reservation") == kinds.count("Allocation") >= 6
    assert "&id" not in done.out


def test_objects_stand_in_the_order_of_their_creation(capsys: Capture, wanted: Path, offered: Path) -> None:
    done = run(capsys, "render", wanted, "--inventory", offered)
    assert [each["kind"] for each in done.objects] == [
        "Reservation",
        "Allocation",
        "Namespace",
        "NamespaceOffloading",
        "Deployment",
    ]
    reservation, allocation, namespace, offloading, deployment = done.objects
    flavors = "peeringcandidate-fluidos.eu-k8slice-1a2b"
    assert reservation["spec"]["peeringCandidate"]["name"] == flavors
    assert reservation["spec"]["configuration"]["data"]["gpu"]["count"] == 2
    contract = allocation["spec"]["contract"]["name"]
    assert contract == "contract-fluidos-eu-k8slice-1a2b-b18e"
    pinned = deployment["spec"]["template"]["spec"]["nodeSelector"]
    assert pinned == {"kubernetes.io/hostname": contract}
    where = namespace["metadata"]["name"]
    assert offloading["metadata"]["namespace"] == deployment["metadata"]["namespace"] == where


def test_the_same_is_printed_each_time(capsys: Capture, wanted: Path, offered: Path) -> None:
    words = ("render", wanted, "--inventory", offered, "--now", NOW)
    assert run(capsys, *words).out == run(capsys, *words).out


def test_files_are_written_in_order(capsys: Capture, wanted: Path, offered: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "deep"
    done = run(capsys, "render", wanted, "--inventory", offered, "--output", folder)
    assert (done.status, done.out) == (0, "")
    names = sorted(path.name for path in folder.iterdir())
    assert [name.split("-")[1] for name in names] == [
        "reservation",
        "allocation",
        "namespace",
        "namespaceoffloading",
        "deployment",
    ]
    read = [yaml.safe_load((folder / name).read_text()) for name in names]
    assert read == run(capsys, "render", wanted, "--inventory", offered).objects


def test_a_folder_that_cannot_be_written_is_wrong_input(
    capsys: Capture, wanted: Path, offered: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    done = run(capsys, "render", wanted, "--inventory", offered, "--output", taken)
    assert done.status == 2
    assert "cannot be written" in done.err


def test_json_is_one_list(capsys: Capture, wanted: Path, offered: Path) -> None:
    listed = run(capsys, "render", wanted, "--inventory", offered, "--json").document
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "List")
    assert listed["items"] == run(capsys, "render", wanted, "--inventory", offered).objects


def test_an_intent_that_cannot_be_placed_has_no_objects_and_is_told(
    capsys: Capture, tmp_path: Path, offered: Path
) -> None:
    path = tmp_path / "intent.json"
    resources = {"gpu": {"model": "amd-mi300x", "count": 1}}
    path.write_text(json.dumps({"intent": intent(resources=resources)}))
    done = run(capsys, "render", path, "--inventory", offered)
    assert done.status == 3
    assert "demo is not placed: " in done.err
    assert not [each for each in done.objects if each]


def test_what_objects_cannot_do_is_told(capsys: Capture) -> None:
    done = run(capsys, "render", EXAMPLES[1], "--now", NOW)
    assert "video-processing-batch: the content of volume 'video-input' is not fetched" in done.err
    assert "here names stand in for them" in done.err


def test_texts_of_users_are_text_in_yaml(capsys: Capture, tmp_path: Path, offered: Path) -> None:
    nasty = ["A=yes", "B=1e3", "C=- {x: *y}", "D=\u2028\u202e\x1b[31m", "E='\"", "F=#", "G=a\nb: c"]
    path = tmp_path / "intent.json"
    path.write_text(json.dumps({"intent": intent(env=nasty, commands=["echo 'a: b'\n---\nkind: Secret"])}))
    done = run(capsys, "render", path, "--inventory", offered)
    env = done.objects[-1]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert [f"{each['name']}={each['value']}" for each in env] == nasty
    assert [each["kind"] for each in done.objects].count("Deployment") == 1
    assert "\x1b" not in done.out


def test_a_solver_is_printed_and_what_it_does_not_say_is_told(capsys: Capture) -> None:
    done = run(capsys, "render", EXAMPLES[0], "--solver")
    (solver,) = done.objects
    assert (solver["kind"], faults(solver)) == ("Solver", [])
    assert "not said: constraints.location: a flavor states a region and no country" in done.err


def test_settings_come_from_variables(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, wanted: Path, offered: Path
) -> None:
    monkeypatch.setenv("FLARE_FLUIDOS_BUYER_DOMAIN", "example.org")
    monkeypatch.setenv("FLARE_FLUIDOS_BUYER_NODE_ID", "hub")
    monkeypatch.setenv("FLARE_FLUIDOS_BUYER_IP", "10.0.0.1:30000")
    done = run(capsys, "render", wanted, "--inventory", offered, "--namespace", "elsewhere")
    reservation = done.objects[0]
    assert reservation["metadata"]["namespace"] == "elsewhere"
    assert reservation["spec"]["buyer"] == {"domain": "example.org", "nodeID": "hub", "ip": "10.0.0.1:30000"}
    monkeypatch.setenv("FLARE_FLUIDOS_COLOUR", "red")
    refused = run(capsys, "render", wanted, "--inventory", offered)
    assert refused.status == 2
    assert "FLARE_FLUIDOS_COLOUR" in refused.err


def test_the_roles_are_printed(capsys: Capture) -> None:
    done = run(capsys, "rbac", "--account", "gateway", "--account-namespace", "prod")
    assert done.objects == list(manifest(FluidosSettings(), account="gateway", namespace="prod"))
    assert run(capsys, "rbac", "--json").document["items"][0]["metadata"]["name"] == "flare"


# --- with a cluster ------------------------------------------------------------------------------


@pytest.fixture
def way(server: SingleConfig, tmp_path: Path) -> Path:
    return kubeconfig(server, tmp_path)


@pytest.fixture
def actor(cluster: Cluster, space: str) -> Any:
    """A federation whose controllers work by themselves while a test runs."""
    sellers = providers(space)
    actor = Actor(cluster, space, sellers, [sold_by(seller) for seller in sellers])
    actor.open()
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            actor.step()

    thread = threading.Thread(target=work)
    thread.start()
    yield actor
    stop.set()
    thread.join()


@pytest.mark.usefixtures("actor")
def test_the_federation_is_asked_what_it_offers(
    capsys: Capture, way: Path, space: str, tmp_path: Path
) -> None:
    out = tmp_path / "offers.json"
    done = run(capsys, "inventory", "--kubeconfig", way, "--namespace", space, "--convert", out, "--json")
    assert done.status == 0, done.err
    assert done.document["offers"] == 2
    assert [each["gpu"]["model"] for each in json.loads(out.read_text())["offers"]] == ["nvidia-h100"] * 2
    drawn = run(capsys, "inventory", "--kubeconfig", way, "--namespace", space)
    assert "nvidia-h100" in drawn.out
    assert run(capsys, "inventory", "--kubeconfig", way, "--namespace", space, "--warnings").status == 0


def test_a_federation_that_does_not_answer_is_told_of(capsys: Capture, way: Path, space: str) -> None:
    done = run(capsys, "inventory", "--kubeconfig", way, "--namespace", space, "--wait", "0.1")
    assert done.status == 2
    assert "no Discovery has succeeded yet" in done.err


def test_the_doctor_leaves_with_a_status(
    capsys: Capture, cluster: Cluster, way: Path, space: str, actor: Actor
) -> None:
    healthy = run(capsys, "doctor", "--kubeconfig", way, "--namespace", space)
    assert (healthy.status == 0, "FAIL" in healthy.out) == (is_new(cluster), not is_new(cluster))
    ill = run(capsys, "doctor", "--kubeconfig", way, "--namespace", f"{space}-not", "--json")
    assert (ill.status, ill.document["ok"]) == (3, False)
    missing = {each["check"] for each in ill.document["findings"] if not each["ok"]}
    assert missing >= {"identity", "providers"}


def test_a_kubeconfig_that_is_none_is_wrong_input(capsys: Capture, tmp_path: Path) -> None:
    for name, text in (("absent", None), ("broken", "{"), ("empty", "{}")):
        path = tmp_path / name
        if text is not None:
            path.write_text(text)
        done = run(capsys, "doctor", "--kubeconfig", path)
        assert done.status == 2
        assert "no usable kubeconfig" in done.err
