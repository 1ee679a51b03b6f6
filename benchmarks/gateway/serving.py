"""``flare serve`` as its users run it, on a store of its own."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLARE = (sys.executable, "-c", "from flare_core.adapters.cli import main; main()")
MUCH = {"count": 1_000_000, "period_s": 60, "burst": 1_000_000}
UNLIMITED: dict[str, Any] = {"per_token": MUCH, "per_address": MUCH, "failures": MUCH}
START_S = 60.0


@dataclass(slots=True)
class Site:
    """A gateway that serves.

    Attributes
    ----------
    token
        One with every permission.
    process
        The supervisor, or the only worker.
    """

    url: str
    token: str
    process: subprocess.Popen[str]

    def status(self, path: str) -> int:
        """Return the status of a GET without a token; 0 without an answer."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:  # noqa: S310  # our own
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def until_ready(self, limit_s: float = START_S) -> float:
        """Wait until it is ready; return how long that took.

        Raises
        ------
        TimeoutError
            If it is not in time.
        """
        began = time.monotonic()
        while self.status("/readyz") != 200:
            if time.monotonic() - began > limit_s:
                raise TimeoutError(f"not ready within {limit_s} s")
            time.sleep(0.01)
        return time.monotonic() - began

    def stop(self, limit_s: float = 30) -> int:
        """Stop it gracefully; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(limit_s)

    def kill(self) -> None:
        """Kill it and all its processes at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def start(
    folder: Path, store_url: str, document: Mapping[str, Any], workers: int = 4, **settings: Any
) -> Site:
    """Start ``flare serve`` on any free port and wait until it says where it listens.

    Parameters
    ----------
    folder
        For its configuration, offers and log.
    document
        The offers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    offers, config, secret = folder / "offers.json", folder / "flare.toml", folder / "token"
    offers.write_text(json.dumps(document))
    if not secret.exists():
        secret.write_text(_new_secret())
    own: dict[str, Any] = {"store_url": store_url, "inventory": [str(offers)], "workers": workers, "port": 0}
    own |= {"bootstrap_token_file": str(secret)} | UNLIMITED | settings
    config.write_text("".join(f"{name} = {_toml(value)}\n" for name, value in own.items()))
    command = [*FLARE, "serve", "--config", str(config), "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLARE_")}
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment, start_new_session=True
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    process.stdout.close()
    if not line:
        raise RuntimeError((folder / "log").read_text())
    return Site(json.loads(line)["url"], secret.read_text(), process)


@contextmanager
def serving(
    folder: Path, store_url: str, document: Mapping[str, Any], workers: int = 4, **settings: Any
) -> Iterator[Site]:
    """Start ``flare serve``, wait until all of it is ready, and leave nothing of it behind."""
    site = start(folder, store_url, document, workers, **settings)
    try:
        site.until_ready()
        yield site
    finally:
        site.kill()


def _new_secret() -> str:
    from flare_core.adapters.gateway.tokens import new_secret

    return new_secret()


def _toml(value: Any) -> str:
    """Return a value as TOML: JSON, but for tables."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_toml(own)}" for name, own in value.items()) + "}"
    return json.dumps(value)
