"""One gateway for these tests."""

from collections.abc import Iterator

import pytest

from tests.gateway.security.served import UNLIMITED, Served, served


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("contract")
    with served(folder, submit_wait_s=0.2, queue_bound=100_000, **UNLIMITED) as running:
        yield running
