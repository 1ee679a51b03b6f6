"""What every test shares: deterministic property tests, and the way to the shared data."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("FLARE_SHARED", ROOT.parent / "shared"))

# The same examples in every run, and no clock: a slow machine must not make a red test.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# New examples each time, for a search by hand: pytest -m soak --hypothesis-profile=search
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("repeatable")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Spread the whole suite over the cores, but run what is named on the command line in one process."""
    return 0 if config.args_source is pytest.Config.ArgsSource.ARGS else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if (SHARED / "data").is_dir():
        return
    absent = pytest.mark.skip(reason=f"no shared data at {SHARED}; set FLARE_SHARED")
    for item in items:
        if item.get_closest_marker("data"):
            item.add_marker(absent)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data; a test that asks for it is marked ``data``."""
    return SHARED
