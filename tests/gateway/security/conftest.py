"""One server for these tests: each module has users of its own, so that what they do does not meet."""

from collections.abc import Iterator

import pytest

from tests.gateway.security.served import UNLIMITED, Served, served

SETTINGS = {"submit_wait_s": 0, "queue_bound": 1_000_000, "log_level": "debug", **UNLIMITED}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway that answers a submission at once, says all that it has to say, and has no limits."""
    with served(tmp_path_factory.mktemp("served"), **SETTINGS) as running:
        yield running
