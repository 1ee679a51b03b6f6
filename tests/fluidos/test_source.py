"""The inventory of a cluster: asked for when it is due, kept while it stands, never believed for too long."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flare_core import InventoryError
from flare_core.adapters.fluidos.cluster import Cluster, Json
from flare_core.adapters.fluidos.errors import UnavailableError
from flare_core.adapters.fluidos.inventory import Sold, Source
from flare_core.adapters.fluidos.kinds import DISCOVERY, NODE, PEERING_CANDIDATE
from flare_core.adapters.fluidos.settings import Deadlines, FluidosSettings
from tests.fluidos.accounts import eventually
from tests.fluidos.objects import GPU, candidate, flavor, node

A, B = (flavor(f"fluidos.eu-k8slice-{name}") for name in ("aaaa", "bbbb"))
IDS = tuple(each["metadata"]["name"] for each in (A, B))


class Federation:
    """FLUIDOS's part, played by hand."""

    def __init__(self, cluster: Cluster, space: str) -> None:
        self.cluster, self.space = cluster, space

    def offer(self, *flavors: Json, available: bool = True) -> None:
        for each in flavors:
            body = candidate(each, available=available)
            meta = {**body["metadata"], "namespace": self.space}
            self.cluster.create(PEERING_CANDIDATE, {**body, "metadata": meta})

    def set_available(self, each: Json, available: bool) -> None:
        name = f"peeringcandidate-{each['metadata']['name']}"
        self.cluster.patch(PEERING_CANDIDATE, name, {"spec": {"available": available}}, self.space)

    def discoveries(self) -> tuple[Json, ...]:
        return self.cluster.list(DISCOVERY, self.space).items

    def answer(self, *found: Json, phase: str = "Solved", message: str = "Discovery Solved") -> None:
        """End every Discovery that has not ended."""
        for each in self.discoveries():
            if (each.get("status") or {}).get("phase", {}).get("phase") in ("Solved", "Failed"):
                continue
            told = {"phase": phase, "message": message, "endTime": datetime.now(UTC).isoformat()}
            listed = {"items": [candidate(flavor) for flavor in found]}
            status = {"status": {"phase": told, "peeringCandidateList": listed}}
            self.cluster.patch(DISCOVERY, each["metadata"]["name"], status, self.space, "status")


@pytest.fixture
def federation(cluster: Cluster, space: str) -> Federation:
    return Federation(cluster, space)


@pytest.fixture
def source(cluster: Cluster, space: str) -> Callable[..., Source]:
    def make(*, sold: Any = tuple, assume: Any = None, **settings: Any) -> Source:
        return Source(cluster, FluidosSettings(namespace=space, **settings), sold=sold, assume=assume)

    return make


def now(after_s: float = 0.0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=after_s)


def asked(source: Source, moment: datetime) -> None:
    """Look, and find that the first answer is still awaited."""
    with pytest.raises(UnavailableError):
        source.discover(moment)


def test_nothing_is_known_before_the_first_answer(
    federation: Federation, source: Callable[..., Source]
) -> None:
    own = source()
    with pytest.raises(UnavailableError, match="no Discovery has succeeded yet"):
        own.discover(now())
    (made,) = federation.discoveries()
    assert "selector" not in made["spec"]  # filtered answers hold the wrong flavors
    federation.offer(A)
    federation.answer(A)
    assert own.discover(now()).ids == (IDS[0],)


def test_the_same_object_comes_back_until_something_changes(
    federation: Federation, source: Callable[..., Source]
) -> None:
    own = source()
    federation.offer(A, B)
    asked(own, now())
    federation.answer(A, B)
    first = own.discover(now())
    assert own.discover(now()) is first
    federation.set_available(B, False)
    second = own.discover(now())
    assert (first.ids, second.ids) == (IDS, IDS[:1])
    assert own.discover(now()) is second


def test_processes_ask_once_together(federation: Federation, source: Callable[..., Source]) -> None:
    moment = now()
    for each in (source(), source(), source()):
        asked(each, moment)
    assert len(federation.discoveries()) == 1


def test_it_is_asked_anew_when_it_is_due_and_old_answers_go(
    federation: Federation, source: Callable[..., Source]
) -> None:
    own = source()
    federation.offer(A)
    asked(own, now())
    federation.answer(A)
    for round_ in range(1, 6):
        assert own.discover(now(70 * round_)).ids == (IDS[0],)
        federation.answer(A)
    assert 2 <= len(federation.discoveries()) <= 4


def test_a_provider_that_is_down_leaves_what_was_known_until_it_is_too_old(
    federation: Federation, source: Callable[..., Source]
) -> None:
    own = source(stale_s=600.0)
    federation.offer(A)
    asked(own, now())
    federation.answer(A)
    known = own.discover(now())
    assert own.discover(now(100)).ids == known.ids
    federation.answer(phase="Failed", message="Error when getting Flavor")
    assert own.discover(now(110)).ids == known.ids
    later = source(stale_s=1.0)
    with pytest.raises(UnavailableError, match="Error when getting Flavor"):
        later.discover(now(30))


def test_providers_that_sell_nothing_are_an_answer(
    federation: Federation, source: Callable[..., Source]
) -> None:
    own = source()
    federation.offer(A)  # of an earlier time
    asked(own, now())
    federation.answer(phase="Failed", message="No Flavors found")
    assert own.discover(now()).ids == ()


def test_a_discovery_that_hangs_is_repeated(federation: Federation, source: Callable[..., Source]) -> None:
    own = source(deadlines=Deadlines(discovery_s=20.0), refresh_s=10.0)
    asked(own, now())
    asked(own, now(15))
    assert len(federation.discoveries()) == 1
    asked(own, now(25))
    assert len(federation.discoveries()) == 2


def test_a_clock_that_lies_behind_still_asks(federation: Federation, source: Callable[..., Source]) -> None:
    own = source()
    federation.offer(A)
    asked(own, now())
    federation.answer(A)
    assert own.discover(now(-600)).ids == (IDS[0],)
    assert len(federation.discoveries()) == 2


def test_discoveries_of_others_are_used_and_left_alone(
    cluster: Cluster, federation: Federation, source: Callable[..., Source], space: str
) -> None:
    meta = {"name": "discovery-of-somebody", "namespace": space}
    cluster.create(DISCOVERY, {"metadata": meta, "spec": {"solverID": "x", "subscribe": False}})
    federation.offer(A)
    federation.answer(A)
    own = source()
    for round_ in range(4):
        assert own.discover(now(70 * round_)).ids == (IDS[0],)
        federation.answer(A)
    assert "discovery-of-somebody" in [each["metadata"]["name"] for each in federation.discoveries()]


def test_candidates_are_deleted_before_asking_where_fluidos_gets_stuck_on_them(
    cluster: Cluster, federation: Federation, source: Callable[..., Source], space: str
) -> None:
    own = source(delete_candidates=True)
    asked(own, now())
    federation.offer(A, B)
    federation.answer(A, B)
    federation.set_available(B, False)
    known = own.discover(now())
    # The candidate that somebody has reserved stays; what was known stands until the answer is there.
    assert own.discover(now(70)) is known
    left = [each["metadata"]["name"] for each in cluster.list(PEERING_CANDIDATE, space).items]
    assert left == [f"peeringcandidate-{IDS[1]}"]
    federation.offer(A)
    federation.answer(A)
    assert own.discover(now()).ids == (IDS[0],)


def test_own_purchases_are_deducted(federation: Federation, source: Callable[..., Source]) -> None:
    sales: list[Sold] = []
    own = source(sold=lambda: tuple(sales))
    federation.offer(A)
    asked(own, now())
    federation.answer(A)
    whole = own.discover(now())
    assert whole.groups.free_gpus.tolist() == [4]
    sales.append(Sold(flavor="old", node_id="prov000001", model=GPU["model"], gpus=3, advertised=4))
    assert own.discover(now()).groups.free_gpus.tolist() == [1]


def test_what_cannot_be_read_is_told_and_an_empty_federation_is_no_crash(
    federation: Federation, source: Callable[..., Source]
) -> None:
    own = source()
    federation.offer(flavor(IDS[0], gpu={**GPU, "hourly_rate": "cheap"}))
    asked(own, now())
    federation.answer(A)
    inventory = own.discover(now())
    assert inventory.ids == ()
    assert "hourly_rate: found 'cheap'" in " ".join(inventory.warnings)


def test_assumptions_fill_what_no_flavor_says(federation: Federation, source: Callable[..., Source]) -> None:
    federation.offer(A)
    own = source(assume={"*": {"energy.carbon_intensity": 278}})
    asked(own, now())
    federation.answer(A)
    assert own.discover(now()).value("carbon_intensity", 0) == 278
    with pytest.raises(InventoryError, match="assume"):
        source(assume={"*": {"colour": "red"}}).discover(now())


@pytest.fixture
def annotated(cluster: Cluster, space: str) -> Iterator[str]:
    """A node of the cluster's own."""
    body = node(space, annotations={"cost.fluidos.eu/hourly-rate": "1"})
    cluster.create(NODE, {key: value for key, value in body.items() if key != "status"})
    cluster.patch(NODE, space, {"status": body["status"]}, None, "status")
    yield space
    cluster.delete(NODE, space)


def test_annotated_nodes_are_offered_where_that_is_wanted(
    federation: Federation, source: Callable[..., Source], annotated: str
) -> None:
    own = source(nodes=True)
    federation.offer(A)
    alone = own.discover(now()).ids  # before anybody has answered for the federation
    assert annotated in alone
    assert IDS[0] not in alone
    federation.answer(A)
    assert {annotated, IDS[0]} <= set(own.discover(now()).ids)


# --- by watches ----------------------------------------------------------------------------------


def test_watches_keep_it_fresh(federation: Federation, source: Callable[..., Source]) -> None:
    own = source()
    own.start()
    own.start()
    try:
        federation.offer(A, B)
        asked(own, now())
        assert eventually(lambda: len(federation.discoveries()) == 1)
        federation.answer(A, B)
        assert eventually(lambda: known(own) == IDS)
        federation.set_available(A, False)
        assert eventually(lambda: known(own) == IDS[1:])
        first = own.discover(now())
        assert own.discover(now()) is first
    finally:
        own.stop()


def known(source: Source) -> tuple[str, ...]:
    try:
        return source.discover(now()).ids
    except UnavailableError:
        return ()


def test_a_first_answer_can_be_waited_for(federation: Federation, source: Callable[..., Source]) -> None:
    federation.offer(A)
    done = threading.Event()

    def answer() -> None:
        while not done.is_set():
            federation.answer(A)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        assert source().wait(20.0, pause_s=0.01).ids == (IDS[0],)
    finally:
        done.set()
        thread.join()
    with pytest.raises(UnavailableError):
        source(stale_s=0.001).wait(0.05)
