"""`flare serve --backend fluidos` as a process: the six examples run, are cancelled, leave nothing."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest

from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.inventory import flavors_of
from flare_core.adapters.fluidos.kinds import RESERVATION
from flare_core.adapters.fluidos.names import name
from flare_core.inventory.demo import demo_inventory
from tests.fluidos.actor import FAIL, STALL, Actor
from tests.fluidos.driving import left
from tests.fluidos.proxy import Proxy
from tests.fluidos.worlds import Provider
from tests.gateway.ops.served import Served, served

Json = dict[str, Any]
EXAMPLES = sorted(
    each.name for each in (files("flare_core") / "examples").iterdir() if each.name[0].isdigit()
)
PATIENT_S = 90.0


def document(example: str) -> Json:
    """An example of the API reference; a deadline that has passed is put off."""
    text = (files("flare_core") / "examples" / example).read_text(encoding="utf-8")
    found: Json = json.loads(text)
    constraints = found["intent"].get("constraints", {})
    if "deadline" in constraints:
        constraints["deadline"] = (datetime.now(UTC) + timedelta(days=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return found


@pytest.fixture
def federation(cluster: Cluster, space: str) -> Iterator[Actor]:
    """The demonstration federation, sold by FLUIDOS providers; their names are this test's own."""
    flavors = flavors_of(demo_inventory(), namespace=space)
    for flavor in flavors:
        flavor["metadata"]["name"] += f"-{secrets.token_hex(3)}"
    sellers = sorted({flavor["spec"]["owner"]["nodeID"] for flavor in flavors})
    providers = [Provider(node, name(space, str(number))) for number, node in enumerate(sellers)]
    actor = Actor(cluster, space, providers, flavors, eager=True)
    actor.open()
    with actor.acting(pause_s=0.1):
        yield actor


@pytest.fixture
def gateway(tmp_path: Path, space: str, proxy: Proxy, federation: Actor) -> Iterator[Served]:
    """A gateway that buys there, with the federation's settings in its environment."""
    address = proxy.config.cluster.server
    kubeconfig = {
        "current-context": "hub",
        "contexts": [{"name": "hub", "context": {"cluster": "hub"}}],
        "clusters": [{"name": "hub", "cluster": {"server": address}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig))
    own = {
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "FLARE_FLUIDOS_NAMESPACE": space,
        "FLARE_POLL_S": "0.1",
        "FLARE_ORIGIN": "DE",
    }
    with served(tmp_path, "--backend", "fluidos", **own) as gateway:
        gateway.ready()
        yield gateway


def eventually(gateway: Served, what: Callable[[], object], wanted: object) -> None:
    until = time.monotonic() + PATIENT_S
    while (found := what()) != wanted:
        assert time.monotonic() < until, f"{found}\n{gateway.errors.read_text()[-4000:]}"
        time.sleep(0.1)


@pytest.fixture
def api(gateway: Served) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {gateway.token()}"}
    with httpx.Client(base_url=gateway.url, headers=headers, timeout=PATIENT_S) as api:
        yield api


def test_the_six_examples_run_and_leave_nothing_behind(
    cluster: Cluster, space: str, gateway: Served, api: httpx.Client, federation: Actor
) -> None:
    submitted = []
    for example in EXAMPLES:
        answer = api.post("/api/v1/intents", json=document(example))
        assert answer.status_code in (201, 202), f"{example}: {answer.text}"
        submitted.append(answer.headers["Location"])
    assert len(submitted) == 6

    def states() -> list[str]:
        return [api.get(intent).json()["status"] for intent in submitted]

    eventually(gateway, states, ["running"] * 6)
    assert left(cluster, space)
    assert all(len(sales) == 1 for sales in federation.sold.values())
    for intent in submitted:
        assert api.delete(intent).status_code == 202
    eventually(gateway, states, ["cancelled"] * 6)
    eventually(gateway, lambda: left(cluster, space), [])
    assert gateway.stop() == 0


def test_what_a_provider_refuses_runs_elsewhere(
    cluster: Cluster, space: str, gateway: Served, api: httpx.Client, federation: Actor
) -> None:
    def asked() -> list[str]:
        found = cluster.list(RESERVATION, space).items
        return sorted({item["spec"]["peeringCandidate"]["name"] for item in found})

    def told() -> str:
        found = api.get(intent).json()
        return "running" if found["status"] == "running" else f"{found['status']}: {found['message']}"

    federation.script["reserve", "*"] = STALL
    intent = api.post("/api/v1/intents", json=document(EXAMPLES[0])).headers["Location"]
    eventually(gateway, lambda: bool(asked()), True)
    refused = asked()
    for candidate in refused:
        federation.script["reserve", candidate.removeprefix("peeringcandidate-")] = FAIL
    federation.script["reserve", "*"] = ""
    eventually(gateway, told, "running")
    assert asked()
    assert not {*asked()} & {*refused}
    api.delete(intent)
    eventually(gateway, lambda: left(cluster, space), [])
