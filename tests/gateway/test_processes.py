"""Several processes on one store: nothing booked twice, no limit passed, nothing acknowledged lost."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Connection, func, select

from flare_core.adapters.gateway.ledger import held
from flare_core.adapters.gateway.life import HOLDING, State, history_of, list_intents
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import Store
from flare_core.adapters.gateway.store.tables import bookings, events, intents
from tests.conftest import ROOT
from tests.gateway.racers import KEYS, LIMIT, QUOTA, ROUNDS

PROCESSES = 4


def racer(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.gateway.racers", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_four_processes_that_do_everything_at_once_agree(url: str, tmp_path: Path) -> None:
    """They open the store, race for GPUs, book and give back, fill a quota and a bucket, claim keys."""
    racers = [racer("everything", url, str(tmp_path), f"p{i}", str(PROCESSES)) for i in range(PROCESSES)]
    told = [json.loads(process.communicate(timeout=120)[0]) for process in racers]
    store = Store(Settings(store_url=url))
    with store.read() as connection:
        of_the_same_gpus_one_has_them(connection, [node for one in told for node in one["race"]])
        what_is_held_is_what_live_intents_hold(connection)
        events_are_in_the_order_of_commits(connection)
    store.close()
    no_gpu_was_booked_twice_at_any_commit([one["churn"] for one in told])
    assert sum(one["quota"] for one in told) == QUOTA.open_intents
    assert sum(one["limit"] for one in told) == LIMIT.burst
    assert sum(one["claims"] for one in told) == KEYS
    assert sum(one["admin"] for one in told) == 1


def of_the_same_gpus_one_has_them(connection: Connection, won: list[int]) -> None:
    assert sorted(won) == list(range(ROUNDS))
    assert sorted(h.seat.node for h in held(connection, {"a"})) == list(range(ROUNDS))
    # Those who were refused have left nothing: their whole transaction is gone.
    accepted = select(func.count()).where(intents.c.name.like("race-%"))
    assert connection.execute(accepted).scalar_one() == ROUNDS


def what_is_held_is_what_live_intents_hold(connection: Connection) -> None:
    live = list_intents(connection, None, states=HOLDING, limit=1000)[0]
    assert {h.intent for h in held(connection)} == {record.id for record in live}


def events_are_in_the_order_of_commits(connection: Connection) -> None:
    last: dict[str, int] = {}
    for intent, data in connection.execute(select(events.c.intent, events.c.data).order_by(events.c.id)):
        version = json.loads(data)["version"]
        assert version == last.get(intent, 0) + 1
        last[intent] = version


def no_gpu_was_booked_twice_at_any_commit(counts: list[dict[str, int]]) -> None:
    assert sum(c["double"] for c in counts) == 0
    # Else nobody stood in anybody's way, and the test has shown nothing.
    assert min(sum(c.get(what, 0) for c in counts) for what in ("booked", "refused", "released")) > 0


def killed(url: str, rng: Random) -> dict[str, str]:
    """Let a process work and kill it; return the last state that it has acknowledged of each intent."""
    process = racer("endless", url)
    assert process.stdout is not None
    acknowledged: dict[str, str] = {}
    for _ in range(rng.randint(3, 40)):
        intent, state = process.stdout.readline().split()
        acknowledged[intent] = state
    process.kill()
    for line in process.stdout.read().splitlines(keepends=True):
        if line.endswith("\n"):
            intent, state = line.split()
            acknowledged[intent] = state
    process.wait()
    process.stdout.close()
    return acknowledged


def kill_and_look(url: str, kills: int) -> None:
    rng, acknowledged = Random(7), dict[str, str]()
    for _ in range(kills):
        acknowledged |= killed(url, rng)
        store = Store(Settings(store_url=url, store_wait_s=30))
        with store.write() as connection:  # waits until a server has noticed that its client is gone
            stored = {r.id: r for r in list_intents(connection, None, limit=100_000)[0]}
            assert len(held(connection)) <= 1
            assert len({h.intent for h in held(connection)} - stored.keys()) == 0
            for intent, record in stored.items():
                assert history_of(connection, intent)[-1].after is record.state
            told = connection.execute(select(func.count()).select_from(events)).scalar_one()
            assert told == sum(record.version for record in stored.values())
            booked = connection.execute(select(func.count()).select_from(bookings)).scalar_one()
        store.close()
        assert acknowledged.keys() <= stored.keys()
        reserved = {intent for intent, state in acknowledged.items() if state == "reserved"}
        assert all(stored[intent].state is not State.PENDING for intent in reserved)
        assert len(reserved) <= booked <= len(stored)
    assert len(acknowledged) >= kills


def test_a_killed_process_loses_nothing_that_it_has_acknowledged(url: str) -> None:
    kill_and_look(url, 1)


@pytest.mark.t1
def test_twenty_killed_processes_lose_nothing_that_they_have_acknowledged(url: str) -> None:
    kill_and_look(url, 20)
