"""``flare fluidos sweep``: what no order of the store stands behind is shown, and undone on demand."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lightkube.config.kubeconfig import SingleConfig

from flare_core.adapters.fluidos.backend import FluidosBackend
from flare_core.adapters.fluidos.buying.sweep import sweep
from flare_core.adapters.fluidos.cluster import Cluster, Listing
from flare_core.adapters.fluidos.kinds import Kind
from flare_core.adapters.fluidos.settings import FluidosSettings
from flare_core.adapters.gateway.backend.port import Phase
from flare_core.adapters.gateway.life import submit
from flare_core.adapters.gateway.orders import living, open_order
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import open_store
from tests.fluidos.actor import Actor
from tests.fluidos.cli import Done, kubeconfig, run
from tests.fluidos.driving import Clock, Driver, left
from tests.fluidos.worlds import NOW, flavor, order, providers


@dataclass
class Books:
    """A gateway's store with one order in it."""

    url: str
    key: str


@pytest.fixture
def books(tmp_path: Path) -> Books:
    url = f"sqlite:///{tmp_path / 'flare.db'}"
    store = open_store(Settings(store_url=url))
    with store.write("test") as connection:
        record = submit(connection, "ana", "demo", {"name": "demo"}, 2, NOW)
        key = open_order(connection, record.id, {}, NOW)
    with store.read() as connection:
        assert living(connection) == (key,)
    store.close()
    return Books(url, key)


@pytest.fixture
def actor(cluster: Cluster, space: str) -> Actor:
    sellers = providers(space)
    actor = Actor(cluster, space, sellers, [flavor(seller) for seller in sellers])
    actor.open()
    return actor


@pytest.fixture
def working(actor: Actor) -> Iterator[None]:
    """FLUIDOS's and Kubernetes' controllers, which work by themselves."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            actor.step()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture
def orders(cluster: Cluster, space: str, actor: Actor, books: Books) -> tuple[Driver, Driver]:
    """Two orders that run: one that the store knows, and one that it does not."""
    settings = FluidosSettings(namespace=space)
    known, lost = actor.flavors.values()
    made = []
    for each, key in ((known, books.key.removesuffix("-1")), (lost, None)):
        driver = Driver(FluidosBackend(cluster, settings, clock=Clock()), actor, order([each], key=key))
        assert driver.until(Phase.RUNNING) is not None
        made.append(driver)
    return made[0], made[1]


def test_orphans_are_listed_and_then_undone(
    capsys: pytest.CaptureFixture[str],
    server: SingleConfig,
    cluster: Cluster,
    space: str,
    tmp_path: Path,
    books: Books,
    orders: tuple[Driver, Driver],
    request: pytest.FixtureRequest,
) -> None:
    known, lost = orders
    way = kubeconfig(server, tmp_path)

    def swept(*words: str) -> Done:
        return run(capsys, "sweep", "--store", books.url, "--kubeconfig", way, "--namespace", space, *words)

    before = left(cluster, space)
    seen = swept()
    assert seen.status == 3
    assert lost.order.key in seen.out
    assert known.order.key not in seen.out
    assert left(cluster, space) == before
    request.getfixturevalue("working")
    undone = swept("--undo", "--json")
    assert undone.status == 0, undone.err
    (orphan,) = undone.document["orphans"]
    assert orphan["order"] == lost.order.key
    assert [each for each in orphan["leftovers"] if "keeps its contract" in each]
    assert swept().out == ""
    report = known.call()
    assert report is not None
    assert report.phase is Phase.RUNNING


class Late(Cluster):
    """Tells when it was looked at."""

    looks = 0

    def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Listing:
        self.looks += 1
        return super().list(kind, namespace, labels=labels)


def test_orders_are_asked_for_after_the_cluster_was_looked_at(
    server: SingleConfig, space: str, orders: tuple[Driver, Driver]
) -> None:
    """So an order that is opened, and acted upon, in between is no orphan."""
    asked: list[int] = []
    with Late(server) as cluster:

        def alive() -> list[str]:
            asked.append(cluster.looks)
            return [driver.order.key for driver in orders]

        assert sweep(cluster, FluidosSettings(namespace=space), alive, NOW, dry_run=False) == ()
        assert asked == [cluster.looks]
