"""One of several processes on one store: ``python -m tests.gateway.racers JOB URL …``."""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from flare_core.adapters.gateway.keys import Outcome, claim
from flare_core.adapters.gateway.ledger import TakenError, held, release
from flare_core.adapters.gateway.life import State, cancel, move, reserve, submit
from flare_core.adapters.gateway.limits import Holding, QuotaError, check_quota, take
from flare_core.adapters.gateway.settings import Limit, Quota, Settings
from flare_core.adapters.gateway.store import Store, open_store
from flare_core.adapters.gateway.store.rows import ensure_user
from flare_core.adapters.gateway.tokens import first_admin
from tests.gateway.worlds import NOW, federation, offer, seat

ROUNDS = 20
GPUS = 4
WORLD = federation(offer("a", gpus=GPUS, nodes=ROUNDS), offer("b", gpus=GPUS, nodes=2))
LIMIT = Limit(count=1, period_s=3600, burst=25)
KEYS = 20
QUOTA = Quota(open_intents=7)
STORE_WAIT_S = 30.0


def race(store: Store, me: str) -> list[int]:
    """Try to have the same GPUs as everybody else, node after node; return the nodes that were won."""
    won = []
    for node in range(ROUNDS):
        try:
            with store.write() as connection:
                record = submit(connection, me, f"race-{node}", {}, GPUS, NOW)
                seats = [seat("a", node, *range(GPUS))]
                reserve(connection, WORLD, record.id, seats, NOW, hourly_ueur=1, placement={})
        except TakenError:
            continue
        won.append(node)
    return won


def churn(store: Store, me: str) -> dict[str, int]:
    """Book and give back at random; look at the whole ledger after every commit."""
    rng, counts, mine = random.Random(me), Counter[str](), list[str]()
    for i in range(30):
        try:
            with store.write() as connection:
                if mine and rng.random() < 0.5:
                    cancel(connection, me, mine.pop(rng.randrange(len(mine))), NOW)
                    counts["released"] += 1
                else:
                    record = submit(connection, me, f"churn-{i}", {}, 2, NOW)
                    seats = [seat("b", rng.randrange(2), *rng.sample(range(GPUS), rng.randint(1, 3)))]
                    reserve(connection, WORLD, record.id, seats, NOW, hourly_ueur=1, placement={})
                    mine.append(record.id)
                    counts["booked"] += 1
        except TakenError:
            counts["refused"] += 1
        with store.read() as connection:
            seats = [h.seat for h in held(connection, {"b"})]
        taken = [(s.node, gpu) for s in seats for gpu in s.gpus]
        counts["double"] += len(taken) - len(set(taken))
    return dict(counts)


def quota(store: Store, me: str) -> int:
    """Submit for one user until it is enough; return how many were admitted."""
    admitted = 0
    for i in range(5):
        try:
            with store.write() as connection:
                check_quota(connection, "shared", Holding(open_intents=1), QUOTA)
                submit(connection, "shared", f"{me}-{i}", {}, 1, NOW)
        except QuotaError:
            continue
        admitted += 1
    return admitted


def limit(store: Store, me: str) -> int:
    """Take one by one from the same bucket; return how many there were."""
    admitted = 0
    for _ in range(15):
        with store.note() as connection:
            admitted += take(connection, "bucket", LIMIT, NOW) == 0
    return admitted


def claims(store: Store, me: str) -> int:
    """Claim the same keys as everybody else; return how many were new."""
    new = 0
    for i in range(KEYS):
        with store.write() as connection:
            ensure_user(connection, "shared", NOW)
            new += claim(connection, "shared", f"key-{i}", "body", NOW, Settings()).outcome is Outcome.NEW
    return new


def admin(store: Store, me: str) -> int:
    """Make the first token of all; return how many were made."""
    with store.write() as connection:
        return first_admin(connection, NOW, settings=Settings()) is not None


JOBS: tuple[Callable[[Store, str], object], ...] = (race, churn, quota, limit, claims, admin)


def everything(url: str, folder: str, me: str, processes: int) -> None:
    """Run all jobs, each begun by all processes at once, the opening of the store among them."""
    together(Path(folder) / "open", me, processes)
    store = open_store(Settings(store_url=url, store_wait_s=STORE_WAIT_S))
    found = {}
    for job in JOBS:
        together(Path(folder) / job.__name__, me, processes)
        began = time.perf_counter()
        found[job.__name__] = job(store, me)
        found[f"{job.__name__}_s"] = time.perf_counter() - began
    store.close()
    say(json.dumps(found))


def together(folder: Path, me: str, processes: int) -> None:
    """Wait until all are here."""
    folder.mkdir(exist_ok=True)
    (folder / me).touch()
    while len(list(folder.iterdir())) < processes:
        time.sleep(0.001)


def say(line: str) -> None:
    """Tell the test at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def endless(url: str) -> None:
    """Submit, book, run, end, and say each that has been committed; for being killed."""
    store = Store(Settings(store_url=url, store_wait_s=STORE_WAIT_S))
    number = 0
    while True:
        number += 1
        with store.write() as connection:
            record = submit(connection, "ada", f"n{random.getrandbits(64)}", {}, 1, NOW)
        say(f"{record.id} pending")
        with store.write() as connection:
            for h in held(connection):
                move(connection, h.intent, State.RUNNING, NOW, "runs")
                move(connection, h.intent, State.COMPLETED, NOW, "done")
                release(connection, h.intent, NOW)
            seats = [seat("b", 0, 0)]
            reserve(connection, WORLD, record.id, seats, NOW, hourly_ueur=1, placement={})
        say(f"{record.id} reserved")


if __name__ == "__main__":
    job, url, *rest = sys.argv[1:]
    if job == "everything":
        everything(url, rest[0], rest[1], int(rest[2]))
    else:
        endless(url)
