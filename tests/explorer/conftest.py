"""The demonstration federation as the page sees it, and one browser for all tests of a process."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from flare_core.adapters.explorer.answers import World
from flare_core.adapters.explorer.local import Explorer
from flare_core.inventory.demo import demo_inventory
from flare_core.options import Options
from tests.explorer.browser import chromium, explored


@pytest.fixture(scope="session")
def world() -> World:
    return World.of(demo_inventory(), Options())


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def site(world: World) -> Iterator[Explorer]:
    with explored(world) as server:
        yield server
