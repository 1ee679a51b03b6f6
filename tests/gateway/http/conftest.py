"""One gateway for all tests that do not change how it works; each test has its own users."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.tokens import Permission
from tests.gateway.http.site import PATIENT_S, UNLIMITED, Site, serving, written

_NUMBERS = count()

Serve = Callable[..., AbstractContextManager[Site]]
People = Callable[..., httpx.Client]


def settings_in(folder: Path, **more: Any) -> Settings:
    own = {
        "store_url": f"sqlite:///{folder / 'flare.db'}",
        "inventory": (written(folder),),
        "submit_wait_s": PATIENT_S,
        "request_timeout_s": 2 * PATIENT_S,
        **UNLIMITED,
    }
    return Settings(**own | more)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(settings_in(tmp_path_factory.mktemp("site"))) as served:
        yield served


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Serves another gateway, with other settings."""
    return lambda *, ready=True, **more: serving(settings_in(tmp_path, **more), ready=ready)


@pytest.fixture
def person(site: Site) -> Iterator[People]:
    """Makes people, each a client with a token of their own."""
    clients: list[httpx.Client] = []

    def make(*permissions: Permission, name: str | None = None) -> httpx.Client:
        clients.append(site.user(name or f"user-{next(_NUMBERS)}", *permissions))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def ada(person: People) -> httpx.Client:
    """Somebody who may do everything but what is for admins, and has done nothing yet."""
    return person()


@pytest.fixture
def site_http(site: Site) -> httpx.Client:
    """Somebody without a token."""
    return site.http
