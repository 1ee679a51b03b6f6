"""Several gateways on one store, those who kill them, and what must hold when all is quiet."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gateway.promises import stock
from tests.gateway.promises.audit import Books, Stock, Word, audit, promise_faults, read_books, read_stock
from tests.gateway.promises.launch import Gateway, await_true, running
from tests.gateway.promises.load import UNLIMITED, Crowd
from tests.gateway.promises.provider import provider_faults

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Gateways on one store with one provider."""

    url: str
    gateways: Sequence[Gateway]
    stock: Mapping[str, Stock]
    provider: Path

    @property
    def urls(self) -> list[str]:
        return [gateway.url for gateway in self.gateways]

    def books(self) -> Books:
        return read_books(self.url)

    def until_quiet(self, timeout_s: float = 60) -> Books:
        """Wait until nothing is pending and every purchase is made or undone; return the books."""
        await_true(lambda: is_quiet(self.books(), self.provider), timeout_s, every_s=0.1)
        return self.books()

    def faults(self, words: Sequence[Word] = ()) -> list[str]:
        """Return everything that is wrong once all is quiet."""
        books = self.until_quiet()
        # What passes has passed, else it would not be quiet; a job may have ended since the books were read.
        lasting = [fault for fault in provider_faults(self.provider, books.states) if "others" in fault]
        return [*audit(books, self.stock), *promise_faults(books, words), *lasting]


def is_quiet(books: Books, provider: Path) -> bool:
    moving = any(row["state"] in ("pending", "reserved") for row in books.intents)
    return not moving and not provider_faults_that_pass(books, provider)


def provider_faults_that_pass(books: Books, provider: Path) -> list[str]:
    """Return what is wrong with the objects and may come right by itself."""
    return [fault for fault in provider_faults(provider, books.states) if "others" not in fault]


@contextmanager
def fleet(
    url: str,
    folder: Path,
    document: Json | None = None,
    *,
    count: int = 4,
    ready: bool = True,
    failpoints: str = "",
    fresh: bool = False,
    clock: Path | None = None,
    **settings: Any,
) -> Iterator[Fleet]:
    """Start gateways on a store with an inventory, and leave nothing of them behind."""
    document = stock.scarce() if document is None else document
    offers = stock.written(folder, document)
    provider = folder / "provider.db"
    own: Json = {"store_url": url, "inventory": [str(offers)], "poll_s": 0.1, "lease_s": 3.0} | UNLIMITED
    gateways = [
        Gateway(
            folder / f"gateway-{i}",
            own | {"store_wait_s": 20.0} | settings,
            {"provider": str(provider), "lag": str(folder / f"gateway-{i}" / "lag")}
            | ({} if clock is None else {"clock": str(clock)}),
            failpoints,
            fresh,
        )
        for i in range(count)
    ]
    with running(gateways, ready=ready):
        yield Fleet(url, gateways, read_stock(document), provider)


def tell(promise: str, **figures: object) -> None:
    """Say what a test has reached; ``pytest -rP`` shows it."""
    sys.stdout.write(f"{promise}: {', '.join(f'{name} {value}' for name, value in figures.items())}\n")


# --- killers ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Killer:
    """Kills at random points of a crowd's work: whole gateways, their main process alone, solvers.

    Attributes
    ----------
    kills
        How many in all.
    done
        What was killed.
    """

    gateways: Sequence[Gateway]
    kills: int
    done: list[str]
    seed: int = 5

    async def beside(self, crowd: Crowd) -> None:
        """Kill, evenly over the operations of a crowd."""
        rng = random.Random(self.seed)
        points = sorted(rng.uniform(0.03, 0.9) * crowd.operations for _ in range(self.kills))
        for point in points:
            while crowd.done < point:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(self.kill, rng)

    def kill(self, rng: random.Random) -> None:
        """Kill something, and start it again where it does not do so itself."""
        gateway = rng.choice(self.gateways)
        what = rng.choice(("group", "group", "main", "solver"))
        if what == "solver" and (below := gateway.solvers()):
            with suppress(ProcessLookupError):
                os.kill(rng.choice(below), signal.SIGKILL)
        elif what == "main":
            os.kill(gateway.pid, signal.SIGKILL)  # its solver must find out by itself
            assert gateway.process is not None
            gateway.process.wait()
            gateway.start()
        else:
            gateway.kill()
            gateway.start()
        self.done.append(what)


def sampled(fleet: Fleet, until: Callable[[], bool], found: list[str]) -> int:
    """Look at the books again and again until it is so; return how often. Put what is wrong into `found`."""
    looks = 0
    while not until():
        found += audit(read_books(fleet.url), fleet.stock)
        looks += 1
        time.sleep(0.2)  # the gateways need the machine, too
    return looks
