"""The manifest grants all that the backend does, and nothing that it does not do."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightkube.config.kubeconfig import SingleConfig

from flare_core import read_intent
from flare_core.adapters.fluidos.backend import FluidosBackend
from flare_core.adapters.fluidos.cluster import Cluster, Event, Json, Listing
from flare_core.adapters.fluidos.kinds import (
    CONFIG_MAP,
    CONTRACT,
    DISCOVERY,
    KNOWN_CLUSTER,
    PEERING_CANDIDATE,
    SECRET,
    TRANSACTION,
    Kind,
)
from flare_core.adapters.fluidos.rbac import manifest, rights
from flare_core.adapters.fluidos.settings import FluidosSettings, Identity
from flare_core.adapters.gateway.backend.port import BackendError, Order, Phase
from tests.fluidos.accounts import account, eventually
from tests.fluidos.actor import Actor
from tests.fluidos.driving import Clock, Driver, left
from tests.fluidos.schemas import faults
from tests.fluidos.worlds import flavor, order, providers

BUYER = Identity(domain="fluidos.eu", node_id="hub", ip="10.0.0.1:30000")
SETTINGS = [
    FluidosSettings(),
    FluidosSettings(namespace="other", nodes=True, delete_candidates=True),
    FluidosSettings(secrets_namespace="vault", buyer=BUYER),
]


class Recorder(Cluster):
    """Remembers what was asked for."""

    def __init__(self, config: SingleConfig) -> None:
        super().__init__(config)
        self.asked: set[tuple[str, str]] = set()

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Json:
        self.asked.add(("get", kind.kind))
        return super().get(kind, name, namespace)

    def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Listing:
        self.asked.add(("list", kind.kind))
        return super().list(kind, namespace, labels=labels)

    def create(self, kind: Kind, body: Any, namespace: str | None = None) -> Json:
        self.asked.add(("create", kind.kind))
        return super().create(kind, body, namespace)

    def patch(self, kind: Kind, name: str, change: Any, namespace: str | None = None, *more: str) -> Json:
        self.asked.add(("patch", kind.kind))
        return super().patch(kind, name, change, namespace, *more)

    def delete(self, kind: Kind, name: str, namespace: str | None = None, *, uid: str | None = None) -> bool:
        self.asked.add(("delete", kind.kind))
        return super().delete(kind, name, namespace, uid=uid)

    def watch(self, kind: Kind, namespace: str | None = None, **more: Any) -> Iterator[Event]:
        self.asked.add(("watch", kind.kind))
        return super().watch(kind, namespace, **more)


def granted(settings: FluidosSettings) -> set[tuple[str, str]]:
    return {(verb, right.kind.kind) for right in rights(settings) for verb in right.verbs}


@pytest.fixture
def actor(cluster: Cluster, space: str) -> Actor:
    sellers = providers(space)
    actor = Actor(cluster, space, sellers, [flavor(seller) for seller in sellers])
    actor.open()
    return actor


def lived(backend: FluidosBackend, actor: Actor, **more: Any) -> Driver:
    """Buy, run and give back."""
    driver = Driver(backend, actor, order(list(actor.flavors.values()), **more))
    assert driver.until(Phase.RUNNING, Phase.COMPLETED) is not None, driver.refusal
    assert driver.release().phase is Phase.RELEASED
    return driver


WORKLOAD: Json = {
    "ports": [{"port": 80, "expose": True, "domain": "a.example.org"}],
    "storage": {"volumes": [{"name": "data", "size": "1Gi", "type": "persistent", "path": "/data"}]},
}


def test_an_account_with_these_roles_alone_buys_runs_and_gives_back(
    server: SingleConfig, cluster: Cluster, space: str, actor: Actor
) -> None:
    settings = FluidosSettings(namespace=space)
    name = f"flare-{secrets.token_hex(4)}"
    roles = manifest(settings, account=name, namespace=space)
    with account(server, cluster, roles, name, space) as own:
        assert eventually(lambda: own.allowed("create", DISCOVERY, space))
        assert eventually(lambda: own.allowed("create", right_of(settings, "Deployment")))
        driver = lived(FluidosBackend(own, settings, clock=Clock()), actor, **WORKLOAD)
    assert not [each for each in driver.failures if "403" in str(each)]
    assert left(cluster, space) == []


def right_of(settings: FluidosSettings, kind: str) -> Kind:
    return next(each.kind for each in rights(settings) if each.kind.kind == kind)


UNSEEN = {
    *(("watch", kind.kind) for kind in (DISCOVERY, PEERING_CANDIDATE, CONTRACT)),  # where watches follow it
    ("delete", DISCOVERY.kind),  # once there are older ones
    ("list", KNOWN_CLUSTER.kind),  # the doctor
}


def test_what_is_granted_is_what_is_used(server: SingleConfig, space: str, actor: Actor) -> None:
    settings = FluidosSettings(namespace=space)
    with Recorder(server) as recorder:
        backend = FluidosBackend(recorder, settings, clock=Clock())
        discovered(backend, actor)
        for each in orders(actor):
            driver = Driver(backend, actor, each)
            driver.until(Phase.RUNNING, Phase.COMPLETED)
            driver.release()
    assert recorder.asked == granted(settings) - UNSEEN


def discovered(backend: FluidosBackend, actor: Actor) -> None:
    for _ in range(10):
        try:
            backend.discover()
        except BackendError:
            actor.step()
        else:
            return
    pytest.fail("no Discovery succeeded")


def orders(actor: Actor) -> tuple[Order, Order]:
    """A service with everything around it, and a job."""
    one, other = actor.flavors.values()
    service = order([one], **WORKLOAD)
    document: Any = service.intent.to_dict()
    inside = document["intent"]
    inside["workload"]["scaling"] = {"min_replicas": 1, "max_replicas": 3, "auto_scale": True}
    rules = [{"port": 80, "protocol": "TCP", "source": "10.0.0.0/8", "action": "allow"}]
    inside["constraints"] = {"security": {"firewall_rules": rules}}
    return replace(service, intent=read_intent(document)), order([other], kind="job")


@pytest.mark.parametrize("settings", SETTINGS, ids=["plain", "nodes", "secrets"])
def test_the_manifest_is_valid_and_binds_one_account(settings: FluidosSettings) -> None:
    objects = manifest(settings, account="flare", namespace="gateway")
    assert [faults(each) for each in objects] == [[]] * len(objects)
    bindings = [each for each in objects if each["kind"].endswith("Binding")]
    subject = {"kind": "ServiceAccount", "name": "flare", "namespace": "gateway"}
    assert all(each["subjects"] == [subject] for each in bindings)
    rules = [rule for each in objects if each["kind"].endswith("Role") for rule in each["rules"]]
    assert not [rule for rule in rules for part in rule.values() if "*" in part]


def test_secrets_are_out_of_reach_unless_they_are_to_be_copied() -> None:
    plain, _, copying = map(granted, SETTINGS)
    assert not [verb for verb, kind in plain if kind == SECRET.kind]
    assert ("get", SECRET.kind) in copying
    assert ("get", CONFIG_MAP.kind) in plain
    assert ("get", CONFIG_MAP.kind) not in copying  # the buyer is stated


def test_only_what_lies_in_namespaces_unknown_needs_a_cluster_role() -> None:
    for right in rights(FluidosSettings()):
        assert (right.namespace == "fluidos") == right.kind.group.endswith(
            "fluidos.eu"
        ) or right.kind == CONFIG_MAP


def test_each_setting_adds_what_it_needs_and_no_more() -> None:
    plain = granted(FluidosSettings())
    assert granted(FluidosSettings(delete_candidates=True)) - plain == {("delete", PEERING_CANDIDATE.kind)}
    more = granted(FluidosSettings(nodes=True)) - plain
    assert more == {("list", "Node"), ("watch", "Node"), ("watch", "Pod")}


def test_transactions_are_read_only_to_delete_them() -> None:
    assert {verb for verb, kind in granted(FluidosSettings()) if kind == TRANSACTION.kind} == {
        "delete",
        "get",
    }


def test_the_manifest_of_the_documentation_is_the_one_for_the_default_settings() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "reference" / "fluidos-rbac.yaml"
    assert list(yaml.safe_load_all(page.read_text())) == list(manifest(FluidosSettings()))
