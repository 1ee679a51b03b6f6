"""The frame of the FLUIDOS tests: a server, its definitions, a namespace of its own for each test.

`FLARE_TEST_KUBECONFIG` names the kubeconfig of a genuine kube-apiserver; without it a double is started.
Nothing in the tests depends on which it is.
"""

import os
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
from lightkube import KubeConfig
from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import Cluster as Address
from lightkube.config.models import User

from flare_core.adapters.fluidos.backend import FluidosBackend
from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.errors import ExistsError
from flare_core.adapters.fluidos.kinds import DEFINITION, NAMESPACE
from flare_core.adapters.fluidos.settings import FluidosSettings
from flare_core.adapters.gateway.backend.port import Order
from tests.conftest import SHARED
from tests.fluidos.actor import Actor
from tests.fluidos.definitions import wanted
from tests.fluidos.driving import QUICK, Clock, Driver, Start
from tests.fluidos.housekeeping import purge
from tests.fluidos.proxy import Proxy
from tests.fluidos.server.http import running
from tests.fluidos.worlds import flavor, order, providers

KUBECONFIG = "FLARE_TEST_KUBECONFIG"
ESTABLISHED_S = 30.0


@pytest.fixture(scope="session")
def server() -> Iterator[SingleConfig]:
    """Address and credentials of the server that all tests of this process share."""
    given = os.environ.get(KUBECONFIG)
    if given:
        config = KubeConfig.from_file(given).get()
        assert config is not None
        yield config
        return
    with running() as (address, token):
        found = KubeConfig.from_one(cluster=Address(server=address), user=User(token=token)).get()
        assert found is not None
        yield found


@pytest.fixture(scope="session")
def cluster(server: SingleConfig) -> Iterator[Cluster]:
    """The server, as an administrator sees it, with all definitions installed."""
    with Cluster(server) as cluster:
        install(cluster)
        yield cluster


def install(cluster: Cluster) -> None:
    names = []
    for definition in wanted(SHARED):
        names.append(definition["metadata"]["name"])
        try:
            cluster.create(DEFINITION, definition)
        except ExistsError:
            continue
    until = time.monotonic() + ESTABLISHED_S
    while not all(is_established(cluster, name) for name in names):
        assert time.monotonic() < until, "the definitions are not established"
        time.sleep(0.02)  # a server tells it in no event that comes sooner


def is_established(cluster: Cluster, name: str) -> bool:
    status = cluster.get(DEFINITION, name).get("status") or {}
    conditions = status.get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


@pytest.fixture
def space(cluster: Cluster) -> Iterator[str]:
    """The name of a namespace of the test's own; it and all namespaces made for it are gone afterwards."""
    name = f"flare-test-{secrets.token_hex(5)}"
    cluster.create(NAMESPACE, {"metadata": {"name": name}})
    yield name
    purge(cluster, name)


@pytest.fixture
def proxy(server: SingleConfig, cluster: Cluster) -> Iterator[Proxy]:
    """A way to the server on which faults can be put."""
    with Proxy(server) as proxy:
        yield proxy


@pytest.fixture
def actor(cluster: Cluster, space: str) -> Actor:
    """Two providers, each with one flavor, and what plays their controllers."""
    sellers = providers(space)
    actor = Actor(cluster, space, sellers, [flavor(seller) for seller in sellers], eager=True)
    actor.open()
    return actor


@pytest.fixture
def backend(cluster: Cluster, space: str) -> FluidosBackend:
    """A backend whose clock goes on with each call, and whose deadlines are some calls long."""
    return FluidosBackend(cluster, FluidosSettings(namespace=space, deadlines=QUICK), clock=Clock())


@pytest.fixture
def start(backend: FluidosBackend, actor: Actor) -> Start:
    """Begin to drive an order: of all the flavors unless another is given."""

    def start(wanted: Order | None = None, **more: Any) -> Driver:
        return Driver(backend, actor, wanted or order(list(actor.flavors.values()), **more))

    return start
