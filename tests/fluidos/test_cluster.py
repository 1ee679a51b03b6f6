"""What an API server says, and what goes wrong on the way to it, as typed errors."""

import json
from pathlib import Path

import pytest
from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import User

from flare_core.adapters.fluidos.cluster import CHUNK, Cluster
from flare_core.adapters.fluidos.errors import (
    ClusterError,
    ConflictError,
    DeniedError,
    ExistsError,
    ExpiredError,
    InvalidError,
    MalformedError,
    NotFoundError,
    TemporaryError,
    ThrottledError,
    UnavailableError,
)
from flare_core.adapters.fluidos.kinds import CLUSTER_ROLE, NODE, SOLVER, Kind
from tests.fluidos.proxy import Fault, Proxy
from tests.fluidos.test_server import solver


def test_what_is_not_there(cluster: Cluster, space: str) -> None:
    assert cluster.find(SOLVER, "nobody", space) is None
    assert not cluster.delete(SOLVER, "nobody", space)
    with pytest.raises(NotFoundError):
        cluster.get(SOLVER, "nobody", space)
    with pytest.raises(NotFoundError):
        cluster.list(Kind("nobody.example.org", "v1", "Nobody", "nobodies"), space)


def test_what_is_there_already(cluster: Cluster, space: str) -> None:
    cluster.create(SOLVER, solver(), space)
    with pytest.raises(ExistsError):
        cluster.create(SOLVER, solver(), space)


def test_what_was_changed_in_between(cluster: Cluster, space: str) -> None:
    first = cluster.create(SOLVER, solver(), space)
    cluster.replace(SOLVER, {**first, "spec": {**first["spec"], "reserveAndBuy": True}})
    with pytest.raises(ConflictError) as conflict:
        cluster.replace(SOLVER, first)
    assert not isinstance(conflict.value, ExistsError)
    with pytest.raises(ConflictError):
        cluster.delete(SOLVER, "look-for-gpus", space, uid="another")


def test_what_no_server_takes(cluster: Cluster, space: str) -> None:
    with pytest.raises(InvalidError, match=r"spec\.intentID"):
        cluster.create(SOLVER, {"metadata": {"name": "empty"}, "spec": {}}, space)
    cluster.create(SOLVER, solver(), space)
    with pytest.raises(InvalidError):
        cluster.patch(SOLVER, "look-for-gpus", [{"op": "test", "path": "/spec/intentID", "value": 0}], space)


def test_an_apply_goes_on_with_its_own_fields(cluster: Cluster, space: str) -> None:
    body = solver()
    body["metadata"]["namespace"] = space
    assert cluster.apply(SOLVER, body)["metadata"]["generation"] == 1
    body["spec"]["reserveAndBuy"] = True
    assert cluster.apply(SOLVER, body)["spec"]["reserveAndBuy"] is True
    cluster.patch(SOLVER, "look-for-gpus", {"spec": {"reserveAndBuy": False}}, space)
    assert cluster.get(SOLVER, "look-for-gpus", space)["spec"]["reserveAndBuy"] is False


def test_a_list_is_read_to_its_end(cluster: Cluster, space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flare_core.adapters.fluidos.cluster.CHUNK", 3)
    assert CHUNK > 3
    for number in range(7):
        made = solver(f"solver-{number}")
        made["metadata"]["labels"] = {"example.org/odd": str(number % 2)}
        cluster.create(SOLVER, made, space)
    assert len(cluster.list(SOLVER, space).items) == 7
    assert len(cluster.list(SOLVER, space, labels="example.org/odd=1").items) == 3


def test_who_may_do_what(cluster: Cluster, server: SingleConfig, space: str) -> None:
    assert cluster.allowed("delete", SOLVER, space)
    with Cluster(server._replace(user=User())) as nobody, pytest.raises(DeniedError):
        nobody.list(SOLVER, space)


def test_the_way_to_a_server_is_a_kubeconfig(server: SingleConfig, cluster: Cluster, tmp_path: Path) -> None:
    if server.user is None or not server.user.token or not server.cluster.server.startswith("http:"):
        pytest.skip("this server's credentials are no token to be copied")
    context = {"cluster": "one", "user": "me", "namespace": "here"}
    config = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": context}],
        "clusters": [{"name": "one", "cluster": {"server": server.cluster.server}}],
        "users": [{"name": "me", "user": {"token": server.user.token}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    with Cluster.connect(path) as connected:
        assert connected.namespace == "here"
        assert connected.read("/version")["gitVersion"]
        connected.list(NODE)
        connected.list(CLUSTER_ROLE)


@pytest.mark.parametrize(
    "text", [None, "", "nonsense", "{}", '{"clusters": [], "contexts": []}', "[1]", "a: b: c"]
)
def test_no_usable_kubeconfig(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ClusterError, match="no usable kubeconfig"):
        Cluster.connect(path)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("409", ConflictError),
        ("422", InvalidError),
        ("429", ThrottledError),
        ("500", UnavailableError),
        ("503", UnavailableError),
        ("timeout", UnavailableError),
        ("reset", UnavailableError),
        ("lost", UnavailableError),
        ("malformed", MalformedError),
    ],
)
def test_what_goes_wrong_on_the_way(
    cluster: Cluster, space: str, proxy: Proxy, fault: str, error: type[ClusterError]
) -> None:
    with proxy.client(0.3) as wire, proxy.during(Fault(fault, lambda *_: True)) as (put,):
        with pytest.raises(error) as raised:
            wire.create(SOLVER, solver(), space)
        assert put.hits == 1
        assert raised.value.temporary == (fault not in ("409", "422"))
    assert (cluster.find(SOLVER, "look-for-gpus", space) is not None) == put.commits
    if isinstance(raised.value, ThrottledError):
        assert raised.value.retry_after_s == 1.0


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b'"text"',
        b"{}",
        b'{"kind": "Solver"}',
        b'{"kind": "Pod", "metadata": {"name": "a", "uid": "b"}}',
    ],
)
def test_an_answer_that_is_none(proxy: Proxy, space: str, answer: bytes) -> None:
    proxy.answer = answer
    with proxy.client() as wire:
        with pytest.raises(MalformedError):
            wire.get(SOLVER, "a", space)
        with pytest.raises(MalformedError):
            wire.list(SOLVER, space)


def test_a_watch_that_is_cut_and_one_that_expires(cluster: Cluster, space: str, proxy: Proxy) -> None:
    version = cluster.list(SOLVER, space).version
    cluster.create(SOLVER, solver(), space)
    with proxy.client() as wire:
        events = wire.watch(SOLVER, space, version=version, timeout_s=1)
        (event,) = [event for event in events if event.type != "BOOKMARK"]
        assert (event.type, event.object["metadata"]["name"]) == ("ADDED", "look-for-gpus")
        with pytest.raises(ExpiredError):
            list(wire.watch(SOLVER, space, version="1", timeout_s=1))
        proxy.down = True
        with pytest.raises(TemporaryError):
            list(wire.watch(SOLVER, space, version=version, timeout_s=1))


def test_an_error_never_holds_a_token(server: SingleConfig, space: str) -> None:
    secret = "-".join(["very", "secret"])
    with Cluster(server._replace(user=User(token=secret))) as stranger, pytest.raises(DeniedError) as denied:
        stranger.list(SOLVER, space)
    assert secret not in str(denied.value)
    assert secret not in repr(denied.value)
