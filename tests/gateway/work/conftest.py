"""One solver for all gateways of a worker."""

from collections.abc import Iterator

import pytest

from flare_core.adapters.gateway.work.solver import Solver
from tests.gateway.work.living import Shared


@pytest.fixture(scope="session")
def shared() -> Iterator[Solver]:
    solver = Shared(1024)
    yield solver
    Solver.stop(solver)
