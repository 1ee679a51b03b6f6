"""FLUIDOS behind the port: refusals, double sales, losses, what runs and ends, what nobody knows."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from flare_core import place, read_intent
from flare_core.adapters.fluidos import kinds, names
from flare_core.adapters.fluidos.backend import FluidosBackend
from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.errors import ExistsError
from flare_core.adapters.fluidos.settings import FluidosSettings, Identity
from flare_core.adapters.gateway.backend.port import BackendError, Order, Phase, RefusedError
from tests.fluidos.actor import FAIL, STALL, Actor
from tests.fluidos.driving import QUICK, Clock, Driver, Start, first, left
from tests.fluidos.proxy import Fault, Proxy
from tests.fluidos.worlds import NOW, flavor, intent, name_of, order

# Refusals


@pytest.mark.parametrize("step", ["reserve", "purchase", "allocate", "slice"])
def test_what_a_provider_refuses_is_named_and_the_whole_gang_undone(
    cluster: Cluster, space: str, start: Start, actor: Actor, step: str
) -> None:
    actor.script[step, first(actor)] = FAIL
    driver = start()
    assert driver.until(Phase.RUNNING) is None
    assert driver.refusal is not None
    assert driver.refusal.capacity == ((first(actor), 0),)
    assert left(cluster, space) == []


def test_what_others_bought_meanwhile_is_refused_before_anything_is_made(
    cluster: Cluster, space: str, backend: FluidosBackend, actor: Actor
) -> None:
    actor._available(first(actor), value=False)
    with pytest.raises(RefusedError, match="taken already"):
        backend.reserve(order([actor.flavors[first(actor)]]))
    assert left(cluster, space) == []


def test_what_is_not_offered_is_refused(
    cluster: Cluster, space: str, backend: FluidosBackend, actor: Actor
) -> None:
    with pytest.raises(RefusedError, match="not offered"):
        backend.reserve(order([flavor(actor.providers["prov000000"])]))
    assert left(cluster, space) == []


def test_nothing_is_bought_before_all_is_reserved(
    cluster: Cluster, space: str, start: Start, actor: Actor
) -> None:
    actor.script["reserve", list(actor.flavors)[1]] = STALL
    driver = start()
    for _ in range(6):
        driver.call()
        actor.step()
    bought = [item["spec"]["purchase"] for item in cluster.list(kinds.RESERVATION, space).items]
    assert bought == [False, False]
    assert actor.sold == {}


def test_reserving_alone_buys_nothing(
    cluster: Cluster, space: str, backend: FluidosBackend, actor: Actor
) -> None:
    wanted = order(list(actor.flavors.values()))
    for _ in range(4):
        wanted = replace(wanted, handle=backend.reserve(wanted).handle)
        actor.step()
    report = backend.reserve(wanted)
    assert (report.phase, report.message) == (Phase.RESERVED, "reserved")
    assert not cluster.list(kinds.CONTRACT, space).items


# Double sales


def test_a_contract_of_another_sale_is_noticed_and_left_alone(
    cluster: Cluster, space: str, start: Start, actor: Actor, caplog: pytest.LogCaptureFixture
) -> None:
    actor.script["purchase", first(actor)] = "sold twice"
    driver = start()
    assert driver.until(Phase.RUNNING) is None
    assert driver.refusal is not None
    assert "sold twice" in driver.refusal.message
    assert "sold twice" in caplog.messages
    assert left(cluster, space) == [f"Contract {names.contract(first(actor))}"], "it is not ours to delete"


@pytest.mark.parametrize("where", ["slice", "node"])
def test_gpus_that_were_sold_and_are_not_there_are_noticed(
    cluster: Cluster, space: str, start: Start, actor: Actor, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    actor.script[where, first(actor)] = "less"
    driver = start()
    assert driver.until(Phase.RUNNING) is None
    assert driver.refusal is not None
    assert driver.refusal.capacity == ((first(actor), 0),)
    assert "2 nvidia.com/gpu" in driver.refusal.message
    assert "sold twice" in caplog.messages
    assert left(cluster, space) == []


def pod(cluster: Cluster, wanted: Order, status: Any) -> None:
    """A pod of an order's workload, as a controller would have made it, that does not come up."""
    where = names.namespace(wanted.key)
    with suppress(ExistsError):
        cluster.create(kinds.SERVICE_ACCOUNT, {"metadata": {"name": "default"}}, where)
    (deployment,) = cluster.list(kinds.DEPLOYMENT, where).items
    template = deployment["spec"]["template"]
    body = {"metadata": {**template["metadata"], "name": "demo-0"}, "spec": template["spec"]}
    cluster.create(kinds.POD, body, where)
    cluster.patch(kinds.POD, "demo-0", {"status": status}, where, "status")


HOMELESS = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
}
BROKEN = {
    "phase": "Pending",
    "containerStatuses": [
        {
            "name": "demo",
            "image": "demo:1",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff"}},
        }
    ],
}


@pytest.mark.parametrize(("status", "word"), [(HOMELESS, "room for pods"), (BROKEN, "ImagePullBackOff")])
def test_pods_that_find_no_room_are_the_providers_matter_and_others_the_workloads(
    cluster: Cluster, space: str, start: Start, actor: Actor, status: Any, word: str
) -> None:
    actor.script["workload", "*"] = STALL
    driver = start(order([actor.flavors[first(actor)]]))
    while not cluster.list(kinds.DEPLOYMENT, names.namespace(driver.order.key)).items:
        driver.call()
        actor.step()
    pod(cluster, driver.order, status)
    report = driver.until(Phase.FAILED)
    if status is HOMELESS:
        assert driver.refusal is not None
        assert driver.refusal.capacity == ((first(actor), 0),)
        assert word in driver.refusal.message
    else:
        assert report is not None
        assert word in report.message
        driver.release()
    assert left(cluster, space) == []


def test_two_orders_for_one_flavor_are_never_both_served(
    cluster: Cluster, space: str, start: Start, actor: Actor
) -> None:
    wanted = actor.flavors[first(actor)]
    drivers = [start(order([wanted])), start(order([wanted]))]
    for driver in drivers:
        driver.call()  # both are reserved before either is noticed
    ends = [driver.until(Phase.RUNNING) for driver in drivers]
    assert sum(end is not None for end in ends) == 1
    assert [len(sales) for sales in actor.sold.values()] == [1]
    for driver in drivers:
        driver.release()
    assert left(cluster, space) == []


# Running, ending, being lost


def test_the_slice_gets_the_gpus_that_fluidos_forgets(cluster: Cluster, start: Start, actor: Actor) -> None:
    driver = start(order([actor.flavors[first(actor)]], gpus=4))
    driver.until(Phase.RUNNING)
    bought = actor.providers[actor.flavors[first(actor)]["spec"]["providerID"]]
    contract = names.contract(first(actor))
    found = cluster.get(kinds.RESOURCE_SLICE, contract, f"liqo-tenant-{bought.liqo_id}")
    assert found["spec"]["resources"]["nvidia.com/gpu"] == "4"
    (deployment,) = cluster.list(kinds.DEPLOYMENT, names.namespace(driver.order.key)).items
    pod = deployment["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"kubernetes.io/hostname": contract}
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "4"


@pytest.mark.parametrize(
    ("how", "policy", "phase"),
    [("complete", "All", Phase.COMPLETED), ("complete", "Any", Phase.COMPLETED), (FAIL, "All", Phase.FAILED)],
)
def test_a_job_ends(
    cluster: Cluster, space: str, start: Start, actor: Actor, how: str, policy: str, phase: Phase
) -> None:
    actor.script["workload", "*"] = how
    driver = start(kind="job", policy=policy)
    report = driver.until(Phase.COMPLETED, Phase.FAILED)
    assert report is not None
    assert report.phase is phase
    if phase is Phase.COMPLETED:
        assert report.started is not None
        assert report.ended is not None
        assert report.started <= report.ended
    else:
        assert "backoff limit" in report.message
    driver.release()
    assert left(cluster, space) == []


def test_it_starts_when_its_time_has_come(
    cluster: Cluster, space: str, start: Start, actor: Actor, backend: FluidosBackend
) -> None:
    wanted = order([actor.flavors[first(actor)]], kind="job")
    begins = "2026-01-15T12:00:00Z"
    seats = [
        {**seat, "start_time": begins, "end_time": "2026-01-15T13:00:00Z"}
        for seat in wanted.placement["assignments"]
    ]
    driver = start(
        replace(wanted, placement={**wanted.placement, "start_time": begins, "assignments": seats})
    )
    for _ in range(30):  # longer than any deadline
        driver.call()
        actor.step()
    assert driver.reports[-1].phase is Phase.STARTING
    assert driver.reports[-1].message == f"waiting for its start at {begins}"
    assert not cluster.list(kinds.JOB, names.namespace(wanted.key)).items
    assert isinstance(backend._clock, Clock)
    backend._clock.moment = datetime(2026, 1, 15, 12, tzinfo=UTC)
    report = driver.until(Phase.RUNNING)
    assert report is not None


def test_a_provider_that_goes_is_lost_after_a_while_and_not_before(
    cluster: Cluster, space: str, start: Start, actor: Actor
) -> None:
    driver = start()
    driver.until(Phase.RUNNING)
    actor.lose(first(actor))
    report = driver.call()
    assert report is not None
    assert report.phase is Phase.RUNNING
    assert "to be ready" in report.message
    report = driver.until(Phase.LOST)
    assert report is not None
    assert first(actor) in report.message
    driver.release()
    assert left(cluster, space) == []


def test_a_provider_that_comes_back_in_time_is_not_lost(start: Start, actor: Actor) -> None:
    driver = start()
    driver.until(Phase.RUNNING)
    for _ in range(3):
        actor.lose(first(actor))
        for _ in range(6):
            driver.call()
        actor.script.clear()
        actor.step()
        report = driver.call()
        assert report is not None
        assert (report.phase, report.message) == (Phase.RUNNING, "2 of 2 tasks run")


@pytest.mark.parametrize(
    "kind", [kinds.ALLOCATION, kinds.DEPLOYMENT, kinds.NAMESPACE_OFFLOADING], ids=lambda kind: kind.kind
)
def test_what_somebody_else_deleted_is_lost_not_bought_again(
    cluster: Cluster, space: str, start: Start, actor: Actor, kind: kinds.Kind
) -> None:
    driver = start()
    driver.until(Phase.RUNNING)
    where = space if kind is kinds.ALLOCATION else names.namespace(driver.order.key)
    gone = cluster.list(kind, where).items[0]["metadata"]["name"]
    cluster.delete(kind, gone, where)
    report = driver.until(Phase.LOST)
    assert report is not None
    assert f"{kind.kind} {gone} was deleted" in report.message
    driver.release()
    assert left(cluster, space) == []


def test_a_name_that_belongs_to_something_else_is_respected(
    cluster: Cluster, space: str, start: Start, actor: Actor
) -> None:
    wanted = order([actor.flavors[first(actor)]])
    spec = {"contract": {"name": "of-somebody-else", "namespace": space}}
    foreign: Any = {"metadata": {"name": names.name("allocation", wanted.key, "0")}, "spec": spec}
    cluster.create(kinds.ALLOCATION, foreign, space)
    driver = start(wanted)
    report = driver.until(Phase.FAILED)
    assert report is not None
    assert "belongs to something else" in report.message
    driver.release()
    assert left(cluster, space) == [f"Allocation {foreign['metadata']['name']}"]


# Who buys


def test_it_buys_as_who_its_cluster_is(
    cluster: Cluster, space: str, backend: FluidosBackend, actor: Actor
) -> None:
    backend.reserve(order([actor.flavors[first(actor)]]))
    (found,) = cluster.list(kinds.RESERVATION, space).items
    assert found["spec"]["buyer"] == {"domain": "fluidos.eu", "nodeID": "hub0000001", "ip": "10.0.0.1:30000"}
    seller = actor.flavors[first(actor)]["spec"]["owner"]
    assert found["spec"]["seller"] == seller


def test_it_says_what_is_missing_of_its_identity(
    cluster: Cluster, space: str, backend: FluidosBackend, actor: Actor
) -> None:
    wanted = order([actor.flavors[first(actor)]])
    cluster.patch(kinds.CONFIG_MAP, "fluidos-node-identity", {"data": {"ip": None}}, space)
    with pytest.raises(BackendError, match="does not say 'ip'"):
        backend.reserve(wanted)
    own = FluidosSettings(namespace=space, buyer=Identity(domain="a.eu", node_id="b", ip="10.0.0.9:1"))
    FluidosBackend(cluster, own, clock=Clock()).reserve(wanted)
    (found,) = cluster.list(kinds.RESERVATION, space).items
    assert found["spec"]["buyer"]["nodeID"] == "b"


def test_no_credential_leaves_it(start: Start, caplog: pytest.LogCaptureFixture, actor: Actor) -> None:
    driver = start()
    driver.until(Phase.RUNNING)
    driver.release()
    told = [str(report) for report in driver.reports]
    assert not any("c2VjcmV0" in each for each in (*told, caplog.text))


def test_what_was_bought_in_part_is_not_offered_again(
    backend: FluidosBackend, start: Start, actor: Actor
) -> None:
    """FLUIDOS offers what is left of a flavor under a new name, with all its GPUs."""
    whole = actor.flavors[first(actor)]
    start(order([whole], gpus=6)).until(Phase.RUNNING)
    actor.flavors.clear()
    rest = flavor(actor.providers[whole["spec"]["providerID"]], gpus=8)
    rest["spec"]["flavorType"]["typeData"]["characteristics"]["cpu"] = "184"
    actor.flavors[name_of(rest)] = rest
    with pytest.raises(BackendError, match="no Discovery has succeeded"):
        backend.discover()
    actor.step()
    actor.step()
    offers = backend.discover()
    assert offers.ids == (name_of(rest),)
    assert backend.discover() is offers, "nothing has changed"
    ends = [place(read_intent(intent(gpus=gpus)), offers, now=NOW).placements[0].status for gpus in (2, 3)]
    assert ends == ["placed", "rejected"]


def test_users_are_told_nothing_of_the_clusters_insides(
    proxy: Proxy, space: str, actor: Actor, caplog: pytest.LogCaptureFixture
) -> None:
    with proxy.client() as wire:
        settings = FluidosSettings(namespace=space, deadlines=QUICK)
        driver = Driver(
            FluidosBackend(wire, settings, clock=Clock()), actor, order([*actor.flavors.values()])
        )
        allocations = Fault("422", lambda method, path: method == "POST" and path.endswith("/allocations"))
        with proxy.during(allocations):
            assert driver.until(Phase.RUNNING) is None
    assert driver.refusal is not None
    assert "the cluster answers 422" in driver.refusal.message
    assert "/apis/" not in driver.refusal.message
    (record,) = [record for record in caplog.records if record.message == "refused by the cluster"]
    assert "/apis/" in str(record.__dict__["answer"])
