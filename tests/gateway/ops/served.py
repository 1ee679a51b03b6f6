"""``flare serve`` as a process, with a store and an inventory of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import httpx

from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import Store
from flare_core.adapters.gateway.tokens import Permission, mint
from tests.cli.worlds import federation

FLARE = (sys.executable, "-c", "from flare_core.adapters.cli import main; main()")
PATIENT_S = 60.0
MUCH = {"count": 1_000_000, "period_s": 60, "burst": 1_000_000}


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment of this process without what could be a setting."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("FLARE_")}
    unlimited = {f"FLARE_{name}": json.dumps(MUCH) for name in ("PER_TOKEN", "PER_ADDRESS", "FAILURES")}
    offers = folder / "offers.json"
    if not offers.exists():
        offers.write_text(json.dumps(federation()))
    told = {"FLARE_STORE_URL": f"sqlite:///{folder / 'flare.db'}", "FLARE_INVENTORY": str(offers)}
    return own | unlimited | told | more


@dataclass(frozen=True)
class Served:
    """A gateway that runs.

    Attributes
    ----------
    told
        What it said when it began.
    """

    process: subprocess.Popen[str]
    folder: Path
    told: Mapping[str, Any]

    @property
    def url(self) -> str:
        return str(self.told["url"])

    @property
    def errors(self) -> Path:
        return self.folder / "serve.err"

    def log(self) -> list[dict[str, Any]]:
        """Its events; every line of its standard error is one."""
        return [json.loads(line) for line in self.errors.read_text().splitlines()]

    def token(self, *permissions: Permission, user: str = "ada") -> str:
        """Make a token, straight in the store."""
        store = Store(Settings(store_url=f"sqlite:///{self.folder / 'flare.db'}"))
        with store.write() as connection:
            good_for = frozenset(permissions or {Permission.ADMIN})
            made = mint(
                connection, user, "a test's", datetime.now(UTC), permissions=good_for, settings=Settings()
            )
        store.close()
        return made.secret

    def get(self, path: str, token: str | None = None, **headers: str) -> httpx.Response:
        """Ask it, on a connection of its own."""
        known = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{self.url}{path}", headers=known | headers, timeout=PATIENT_S)

    def ready(self) -> None:
        """Wait until it does its work."""
        until = time.monotonic() + PATIENT_S
        while self.get("/readyz").status_code != 200:
            assert time.monotonic() < until, self.errors.read_text()
            time.sleep(0.02)

    def stop(self) -> int:
        """Tell it to stop; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENT_S)


def started(folder: Path, *options: str, errors: IO[str], **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*FLARE, "serve", "--json", "--port", "0", *options],
        env=environment(folder, **more),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,
    )


@contextmanager
def served(folder: Path, *options: str, **more: str) -> Iterator[Served]:
    """Serve until the block ends; nothing of it is left behind."""
    with (
        (folder / "serve.err").open("a") as errors,
        started(folder, *options, errors=errors, **more) as process,
    ):
        assert process.stdout is not None
        try:
            told = process.stdout.readline()
            assert told, (folder / "serve.err").read_text()
            yield Served(process, folder, json.loads(told))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
