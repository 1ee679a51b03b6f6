"""The doctor finds each thing that is missing, and nothing where all is there."""

import secrets
from collections.abc import Callable

import pytest
from lightkube.config.kubeconfig import SingleConfig

from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.doctor import Finding, examine
from flare_core.adapters.fluidos.errors import UnavailableError
from flare_core.adapters.fluidos.kinds import CONFIG_MAP, DISCOVERY, KNOWN_CLUSTER, SERVICE_ACCOUNT, Kind
from flare_core.adapters.fluidos.rbac import manifest, rights
from flare_core.adapters.fluidos.settings import IDENTITY, FluidosSettings, Identity
from tests.fluidos.accounts import account, eventually
from tests.fluidos.actor import Actor
from tests.fluidos.versions import is_new
from tests.fluidos.worlds import flavor, providers


@pytest.fixture
def settings(space: str) -> FluidosSettings:
    return FluidosSettings(namespace=space)


@pytest.fixture
def federation(cluster: Cluster, space: str) -> Actor:
    sellers = providers(space)
    actor = Actor(cluster, space, sellers, [flavor(sellers[0])])
    actor.open()
    return actor


def wrong(findings: tuple[Finding, ...], check: str) -> list[str]:
    return [each.told for each in findings if each.check == check and not each.ok]


def told(findings: tuple[Finding, ...], check: str) -> str:
    (found,) = (each for each in findings if each.check == check)
    assert found.ok
    return found.told


@pytest.mark.usefixtures("federation")
def test_a_federation_with_all_it_needs_is_well(cluster: Cluster, settings: FluidosSettings) -> None:
    found = examine(cluster, settings)
    ill = {each.check for each in found if not each.ok}
    assert ill <= (set() if is_new(cluster) else {"version", "kinds"}), ill
    assert any(each.told.startswith("Kubernetes v1.") for each in found)
    assert told(found, "identity") == "hub0000001 of fluidos.eu"
    assert told(found, "providers") == "2 known"
    assert told(found, "candidates") == "1 flavors, 1 of them with GPUs"


@pytest.mark.usefixtures("federation")
def test_each_right_that_is_missing_is_named(
    server: SingleConfig, cluster: Cluster, space: str, settings: FluidosSettings
) -> None:
    name = f"flare-{secrets.token_hex(4)}"
    bare = [
        {"apiVersion": "v1", "kind": SERVICE_ACCOUNT.kind, "metadata": {"name": name, "namespace": space}}
    ]
    with account(server, cluster, bare, name, space) as own:
        found = examine(own, settings)
    denied = wrong(found, "rights")
    assert len(denied) == sum(len(right.verbs) for right in rights(settings))
    assert f"may not create reservations in {space}" in denied
    assert "may not patch resourceslices" in denied
    assert f"may not get configmaps {IDENTITY} in {space}" in denied


@pytest.mark.usefixtures("federation")
def test_the_manifest_makes_the_rights_whole(
    server: SingleConfig, cluster: Cluster, space: str, settings: FluidosSettings
) -> None:
    name = f"flare-{secrets.token_hex(4)}"
    with account(server, cluster, manifest(settings, account=name, namespace=space), name, space) as own:
        assert eventually(lambda: not wrong(examine(own, settings), "rights"))


def test_an_empty_namespace_lacks_identity_and_providers(cluster: Cluster, settings: FluidosSettings) -> None:
    found = examine(cluster, settings)
    assert wrong(found, "providers") == ["none is known: nothing can be offered"]
    assert len(wrong(found, "identity")) == 1


def test_an_identity_without_an_address_is_no_identity(
    cluster: Cluster, space: str, settings: FluidosSettings
) -> None:
    data = {"domain": "fluidos.eu", "nodeID": "hub"}
    cluster.create(CONFIG_MAP, {"metadata": {"name": IDENTITY, "namespace": space}, "data": data})
    (missing,) = wrong(examine(cluster, settings), "identity")
    assert "says no ip and no port" in missing
    stated = FluidosSettings(namespace=space, buyer=Identity(domain="d", node_id="n", ip="1.2.3.4:5"))
    assert told(examine(cluster, stated), "identity") == "n of d, as set"


@pytest.mark.parametrize(("phase", "ok"), [("Solved", True), ("Running", True), ("Failed", False)])
def test_the_newest_discovery_is_told_of(
    cluster: Cluster, space: str, settings: FluidosSettings, phase: str, ok: bool
) -> None:
    meta = {"name": "discovery-a", "namespace": space}
    spec = {"solverID": "a", "subscribe": False}
    cluster.create(DISCOVERY, {"metadata": meta, "spec": spec})
    status = {"status": {"phase": {"phase": phase}}}
    cluster.patch(DISCOVERY, "discovery-a", status, space, "status")
    (found,) = (each for each in examine(cluster, settings) if each.check == "discovery")
    assert (found.ok, found.told) == (ok, f"discovery-a: {phase}")


class Less(Cluster):
    """A server without some of the kinds, or of another version."""

    lacks: tuple[str, ...] = ()
    version: dict[str, str] | None = None

    def read(self, path: str) -> dict[str, object]:
        answer = super().read(path)
        if path == "/version" and self.version is not None:
            return {**answer, **self.version}
        listed = answer.get("resources")
        kept = [each for each in listed if each["name"] not in self.lacks] if listed else listed
        return {**answer, "resources": kept}


@pytest.fixture
def less(server: SingleConfig) -> Callable[..., Less]:
    def make(**more: object) -> Less:
        made = Less(server)
        for name, value in more.items():
            setattr(made, name, value)
        return made

    return make


def test_a_kind_that_is_not_served_is_named_with_what_brings_it(
    less: Callable[..., Less], settings: FluidosSettings
) -> None:
    with less(lacks=("reservations", "resourceslices", "jobs")) as cluster:
        found = wrong(examine(cluster, settings), "kinds")
    assert [each.rpartition(": ")[2] for each in sorted(found)] == [
        "this Kubernetes is too old",
        "install FLUIDOS",
        "install Liqo",
    ]


@pytest.mark.parametrize(
    ("version", "ok"),
    [
        ({"major": "1", "minor": "23+", "gitVersion": "v1.23.4"}, False),
        ({"major": "1", "minor": "24", "gitVersion": "v1.24.0"}, True),
        ({"major": "2", "minor": "0", "gitVersion": "v2.0.0"}, True),
        ({"major": "", "minor": "", "gitVersion": ""}, False),
    ],
)
def test_an_old_server_is_told_of(
    less: Callable[..., Less], settings: FluidosSettings, version: dict[str, str], ok: bool
) -> None:
    with less(version=version) as cluster:
        (found,) = (each for each in examine(cluster, settings) if each.check == "version")
    assert found.ok is ok


def test_a_server_that_does_not_answer_is_an_error(server: SingleConfig, settings: FluidosSettings) -> None:
    gone = server._replace(cluster=server.cluster.__class__(server="http://127.0.0.1:9"))
    with Cluster(gone) as cluster, pytest.raises(UnavailableError):
        examine(cluster, settings)


def test_a_kind_that_nobody_installed_is_a_finding_and_no_crash(
    less: Callable[..., Less], settings: FluidosSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "flare_core.adapters.fluidos.doctor.KNOWN_CLUSTER", Kind("no.such.group", "v1", "None", "nones")
    )
    assert KNOWN_CLUSTER.plural == "knownclusters"
    with less() as cluster:
        assert wrong(examine(cluster, settings), "cluster")
