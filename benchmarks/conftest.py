"""Benchmarks run one after the other, in one process."""

import pytest


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Spread nothing over the cores: neighbours cost time."""
    return 0
