"""Intents from submission to their end, in gateways that really work, at the times of a clock that is set."""

import json
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from sqlalchemy import Table, func, select

from flare_core.adapters.gateway.errors import ConflictError, NotFoundError, UnavailableError
from flare_core.adapters.gateway.events import events_after
from flare_core.adapters.gateway.ledger import held
from flare_core.adapters.gateway.life import (
    HOLDING,
    Record,
    State,
    find,
    find_refused,
    history_of,
    list_intents,
)
from flare_core.adapters.gateway.limits import QuotaError, take
from flare_core.adapters.gateway.orders import orders_of
from flare_core.adapters.gateway.service import Gateway
from flare_core.adapters.gateway.settings import Limit, Quota
from flare_core.adapters.gateway.store.tables import buckets, events, keys
from flare_core.adapters.gateway.work.follow import EVENTS_KEPT
from flare_core.adapters.gateway.work.solver import Solver
from flare_core.errors import IntentError
from tests.gateway.work.living import (
    Clock,
    awaited,
    living,
    offers_in,
    settings_in,
    submitted,
    until,
    wish,
)
from tests.gateway.worlds import NOW, SECOND, offer

HOUR_JOB: dict[str, Any] = {"job": {"timeout": "1h"}}
COLD: dict[str, Any] = {"performance": {"cold_start_time": "45s"}}
EUR = 1_000_000
QUEUE: dict[str, Any] = {
    "constraints": {"negotiation": {"fallback_strategy": "queue", "price_flexibility": 0}}
}


def states_of(gateway: Gateway, intent: str) -> list[str]:
    with gateway.store.read() as connection:
        steps = history_of(connection, intent)
    return [step.after.value for step in steps if step.after is not step.before]


def quiet(gateway: Gateway) -> None:
    """Wait until nothing is left to do at the backend."""
    until(lambda: not open_orders(gateway))


def open_orders(gateway: Gateway) -> list[str]:
    with gateway.store.read() as connection:
        records = list_intents(connection, None, limit=1000)[0]
        return [o.key for r in records for o in orders_of(connection, r.id) if o.gone and not o.done]


def test_a_job_runs_for_its_length_and_costs_just_that(url: str, tmp_path: Path, shared: Solver) -> None:
    """Through the second before and at each of its moments, and told much too late."""
    clock = Clock()
    with living(url, tmp_path, clock, offer("a", **COLD), solver=shared) as gateway:
        job = submitted(gateway, wish(gpus=2, kind="job", workload=HOUR_JOB))
        assert awaited(gateway, job.id).state in HOLDING
        until(lambda: now_of(gateway, job.id).message == "starting")
        clock.now = NOW + timedelta(seconds=44)
        looked_again(gateway)
        assert now_of(gateway, job.id).state is State.RESERVED
        clock.now = NOW + timedelta(seconds=45)
        running = awaited(gateway, job.id, State.RUNNING)
        assert running.started == NOW + timedelta(seconds=45)
        clock.now = NOW + timedelta(seconds=45 + 3599)
        looked_again(gateway)
        assert now_of(gateway, job.id).state is State.RUNNING
        clock.now += timedelta(hours=7)  # nobody has looked for a long time
        done = awaited(gateway, job.id, State.COMPLETED)
        assert done.ended == NOW + timedelta(seconds=45 + 3600)
        assert done.cost_at(clock.now).rounded_ueur == 2 * EUR
        assert done.runtime_at(clock.now) == timedelta(hours=1)
        quiet(gateway)
        with gateway.store.read() as connection:
            assert held(connection) == ()
        assert states_of(gateway, job.id) == ["pending", "reserved", "running", "completed"]


def now_of(gateway: Gateway, intent: str) -> Record:
    with gateway.store.read() as connection:
        return find(connection, intent)


def looked_again(gateway: Gateway) -> None:
    """Wait until both loops have looked for work after this moment."""
    probe = submitted(gateway, wish(f"probe-{token_hex(4)}", gpus=0))
    awaited(gateway, probe.id, State.RUNNING, State.RESERVED, State.FAILED)
    gateway.cancel("ada", probe.id, None)
    quiet(gateway)


def test_a_service_runs_until_it_is_cancelled(sqlite_url: str, tmp_path: Path, shared: Solver) -> None:
    clock = Clock()
    with living(sqlite_url, tmp_path, clock, solver=shared) as gateway:
        service = submitted(gateway, wish(gpus=8))
        awaited(gateway, service.id, State.RUNNING)
        clock.tick(hours=3)
        ended = gateway.cancel("ada", service.id, None)
        assert (ended.state, ended.cost.rounded_ueur) == (State.CANCELLED, 24 * EUR)
        assert gateway.cancel("ada", service.id, None) == ended
        quiet(gateway)
        again = submitted(gateway, wish(gpus=8))
        assert awaited(gateway, again.id).state in HOLDING


def test_another_users_intent_is_not_there_to_be_cancelled(
    sqlite_url: str, tmp_path: Path, shared: Solver
) -> None:
    with living(sqlite_url, tmp_path, Clock(), solver=shared) as gateway:
        record = submitted(gateway, wish())
        with pytest.raises(NotFoundError):
            gateway.cancel("bob", record.id, None)
        with pytest.raises(ConflictError):
            gateway.cancel("ada", record.id, 7)


def test_what_cannot_be_placed_fails_with_its_reason_and_may_vanish(
    url: str, tmp_path: Path, shared: Solver
) -> None:
    with living(url, tmp_path, Clock(), solver=shared) as gateway:
        record = submitted(gateway, wish(gpus=9))
        failed = awaited(gateway, record.id)
        assert failed.state is State.FAILED
        assert failed.error is not None
        assert failed.error["error_code"] == "GPU_COUNT_INSUFFICIENT"
        assert failed.message == failed.error["message"]
        gateway.withdraw(record.id)
        with gateway.store.read() as connection:
            with pytest.raises(NotFoundError):
                find(connection, record.id)
            assert list_intents(connection, "ada")[0] == ()
            assert events_after(connection, "ada") == ()
            assert [s.after for s in history_of(connection, record.id)][-1] is State.REFUSED
            refused = find_refused(connection, record.id)
        assert refused is not None
        assert refused.error == failed.error
        assert submitted(gateway, wish()).name == "one"  # the name is free again


def test_an_intent_that_was_placed_cannot_vanish(sqlite_url: str, tmp_path: Path, shared: Solver) -> None:
    with living(sqlite_url, tmp_path, Clock(), solver=shared) as gateway:
        record = submitted(gateway, wish())
        awaited(gateway, record.id)
        with pytest.raises(ConflictError):
            gateway.withdraw(record.id)


def test_equal_names_of_different_users_are_placed(sqlite_url: str, tmp_path: Path, shared: Solver) -> None:
    with living(sqlite_url, tmp_path, Clock(), batch_window_s=0.3, solver=shared) as gateway:
        records = [submitted(gateway, wish(), user) for user in ("ada", "bob", "eve")]
        assert {awaited(gateway, record.id).state for record in records} <= HOLDING
        with gateway.store.read() as connection:
            seats = [h.seat for h in held(connection)]
        assert len({gpu for seat in seats for gpu in seat.gpus}) == 3
        with pytest.raises(ConflictError):
            submitted(gateway, wish())


def test_who_waits_is_placed_when_somebody_leaves(sqlite_url: str, tmp_path: Path, shared: Solver) -> None:
    with living(sqlite_url, tmp_path, Clock(), solver=shared) as gateway:
        first = submitted(gateway, wish("first", gpus=8))
        awaited(gateway, first.id, State.RUNNING)
        second = submitted(gateway, wish("second", gpus=4, **QUEUE))
        assert awaited(gateway, second.id).state is State.QUEUED
        gateway.cancel("ada", first.id, None)
        assert awaited(gateway, second.id, State.RUNNING).state is State.RUNNING


def test_who_waits_is_placed_when_more_is_offered(sqlite_url: str, tmp_path: Path, shared: Solver) -> None:
    with living(sqlite_url, tmp_path, Clock(), offer("a", gpus=1, nodes=1), solver=shared) as gateway:
        record = submitted(gateway, wish(gpus=2, **QUEUE))
        assert awaited(gateway, record.id).state is State.QUEUED
        offers_in(tmp_path, offer("a", gpus=1, nodes=1), offer("b", gpus=8, nodes=1))
        assert awaited(gateway, record.id, State.RUNNING).state is State.RUNNING


TIGHT: dict[str, Any] = {
    "constraints": {"max_hourly_cost": "0.90 EUR", "negotiation": {"timeout_seconds": 300}}
}
"""A GPU costs 1 EUR: 11 % more than asked, beyond what is accepted unasked."""


def offered(gateway: Gateway) -> tuple[Record, dict[str, Any]]:
    record = submitted(gateway, wish(**TIGHT))
    queued = awaited(gateway, record.id)
    assert queued.state is State.QUEUED
    shown = gateway.offer(queued)
    assert shown is not None
    assert "token" not in json.dumps(queued.offer)
    return queued, shown


def test_an_offer_of_negotiation_is_accepted_with_its_token(url: str, tmp_path: Path, shared: Solver) -> None:
    with living(url, tmp_path, Clock(), solver=shared) as gateway:
        record, shown = offered(gateway)
        assert shown["stretched"][0]["path"] == "constraints.max_hourly_cost"
        with pytest.raises(ConflictError):
            gateway.accept("ada", record.id, "acc_" + "0" * 64)
        with pytest.raises(NotFoundError):
            gateway.accept("bob", record.id, shown["token"])
        accepted = gateway.accept("ada", record.id, shown["token"])
        assert (accepted.state, accepted.hourly_ueur) == (State.RESERVED, EUR)
        assert accepted.offer is None
        with pytest.raises(ConflictError):
            gateway.accept("ada", record.id, shown["token"])
        awaited(gateway, record.id, State.RUNNING)


@pytest.mark.parametrize(("late", "good"), [(299, True), (300, False), (301, False)])
def test_an_offer_is_good_until_its_moment(
    late: int, good: bool, sqlite_url: str, tmp_path: Path, shared: Solver
) -> None:
    clock = Clock()
    with living(sqlite_url, tmp_path, clock, solver=shared) as gateway:
        record, shown = offered(gateway)
        clock.now = NOW + late * SECOND
        if good:
            assert gateway.accept("ada", record.id, shown["token"]).state is State.RESERVED
            return
        with pytest.raises(ConflictError):
            gateway.accept("ada", record.id, shown["token"])
        until(lambda: now_of(gateway, record.id).offer not in (None, record.offer))
        assert gateway.offer(now_of(gateway, record.id)) is not None


def test_an_offer_whose_capacity_was_taken_is_made_anew_or_not_at_all(
    sqlite_url: str, tmp_path: Path, shared: Solver
) -> None:
    price = {"hourly": "1.00 EUR/hour", "billing": "gpu"}
    with living(
        sqlite_url, tmp_path, Clock(), offer("a", gpus=1, nodes=1, price=price), solver=shared
    ) as gateway:
        record, shown = offered(gateway)
        other = submitted(gateway, wish("other"))
        awaited(gateway, other.id, State.RUNNING)
        with pytest.raises(ConflictError):
            gateway.accept("ada", record.id, shown["token"])
        until(lambda: now_of(gateway, record.id).offer is None)
        gateway.cancel("ada", other.id, None)
        assert until(lambda: gateway.offer(now_of(gateway, record.id)))


def test_a_job_begins_when_another_ends_and_is_bought_then(
    sqlite_url: str, tmp_path: Path, shared: Solver
) -> None:
    clock = Clock()
    with living(sqlite_url, tmp_path, clock, offer("a", gpus=1, nodes=1), solver=shared) as gateway:
        first, second = (
            submitted(gateway, wish(name, kind="job", workload=HOUR_JOB)) for name in ("one", "two")
        )
        awaited(gateway, first.id, State.RUNNING)
        booked = awaited(gateway, second.id, State.RESERVED)
        assert booked.estimated_start == NOW + timedelta(hours=1)
        looked_again(gateway)
        with gateway.store.read() as connection:
            [order] = orders_of(connection, second.id)
        assert not order.handle
        clock.tick(hours=1)
        awaited(gateway, first.id, State.COMPLETED)
        clock.tick(seconds=1)  # after which is looked again whether the other one has ended
        began = awaited(gateway, second.id, State.RUNNING).started
        assert began is not None
        assert 0 <= (began - NOW).total_seconds() - 3600 <= 1
        clock.tick(hours=1)
        assert awaited(gateway, second.id, State.COMPLETED).ended == began + timedelta(hours=1)


def test_what_is_booked_behind_a_late_run_waits_for_its_end(
    sqlite_url: str, tmp_path: Path, shared: Solver
) -> None:
    """Each run begins, and ends, so much later than it is booked as its node is cold."""
    clock, late_s = Clock(), 45
    with living(sqlite_url, tmp_path, clock, offer("a", gpus=1, nodes=1, **COLD), solver=shared) as gateway:
        first, second = (
            submitted(gateway, wish(name, kind="job", workload=HOUR_JOB)) for name in ("one", "two")
        )
        assert awaited(gateway, second.id, State.RESERVED).estimated_start == NOW + timedelta(hours=1)
        until(lambda: now_of(gateway, first.id).message == "starting")
        clock.tick(seconds=late_s)
        awaited(gateway, first.id, State.RUNNING)
        quiet(gateway)
        clock.tick(minutes=60, seconds=-1)
        looked_again(gateway)
        assert now_of(gateway, first.id).state is State.RUNNING
        assert now_of(gateway, second.id).state is State.RESERVED
        clock.tick(seconds=1)
        ended = awaited(gateway, first.id, State.COMPLETED).ended
        clock.tick(seconds=1)  # after which is looked again whether it has
        until(lambda: now_of(gateway, second.id).message == "starting")
        clock.tick(seconds=late_s)
        began = awaited(gateway, second.id, State.RUNNING).started
        assert ended is not None
        assert began is not None
        assert 0 <= (began - ended).total_seconds() - late_s <= 1


def test_a_service_in_the_queue_says_when_there_could_be_room_and_runs_then(
    sqlite_url: str, tmp_path: Path, shared: Solver
) -> None:
    clock = Clock()
    with living(sqlite_url, tmp_path, clock, offer("a", gpus=1, nodes=1), solver=shared) as gateway:
        first = submitted(gateway, wish(kind="job", workload=HOUR_JOB))
        awaited(gateway, first.id, State.RUNNING)
        second = submitted(gateway, wish("two", **QUEUE))
        waiting = awaited(gateway, second.id, State.QUEUED)
        assert waiting.estimated_start == NOW + timedelta(hours=1)
        clock.tick(hours=1)
        awaited(gateway, second.id, State.RUNNING)


def test_what_costs_more_than_the_users_quota_fails(sqlite_url: str, tmp_path: Path, shared: Solver) -> None:
    quota = Quota(hourly_ueur=3 * EUR)
    with living(sqlite_url, tmp_path, Clock(), quota=quota, solver=shared) as gateway:
        first = submitted(gateway, wish("first", gpus=3))
        assert awaited(gateway, first.id).state in HOLDING
        failed = awaited(gateway, submitted(gateway, wish("second")).id)
        assert failed.error is not None
        assert failed.error["error_code"] == "QUOTA_EXCEEDED"


def test_quotas_and_bounds_refuse_at_the_door(sqlite_url: str, tmp_path: Path, shared: Solver) -> None:
    with living(sqlite_url, tmp_path, Clock(), quota=Quota(gpus=4), max_tasks=5, solver=shared) as gateway:
        submitted(gateway, wish("first", gpus=3))
        with pytest.raises(QuotaError):
            submitted(gateway, wish("second", gpus=2))
        with pytest.raises(IntentError) as refusal:
            submitted(gateway, wish(kind="job", workload={"job": {"parallel_tasks": 6}}))
        assert refusal.value.path == "workload.job.parallel_tasks"
        with pytest.raises(IntentError):
            submitted(gateway, "/etc/passwd")


def test_too_many_that_wait_are_refused_for_the_moment(sqlite_url: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"queue_bound": 3}
    gateway = stopped(sqlite_url, tmp_path, **settings)
    for i in range(3):
        submitted(gateway, wish(f"n{i}"))
    with pytest.raises(UnavailableError) as refusal:
        submitted(gateway, wish("more"))
    assert refusal.value.retry_after_s
    gateway.store.close()


def stopped(url: str, folder: Path, **more: Any) -> Gateway:
    """A gateway whose loops do not run."""
    return Gateway(settings_in(url, offers_in(folder), **more), clock=Clock())


def test_questions_are_answered_and_change_nothing(sqlite_url: str, tmp_path: Path, shared: Solver) -> None:
    with living(sqlite_url, tmp_path, Clock(), solver=shared) as gateway:
        assert gateway.dry_run(wish(gpus=8), 30)["placements"][0]["status"] == "placed"
        assert gateway.dry_run(wish(gpus=9), 30)["placements"][0]["status"] == "rejected"
        with pytest.raises(IntentError):
            gateway.dry_run("{}", 30)
        with gateway.store.read() as connection:
            assert list_intents(connection, None)[0] == ()
        record = awaited(gateway, submitted(gateway, wish(gpus=8)).id)
        told = gateway.explanation(record)
        assert told["status"] == "placed"  # its own GPUs do not stand in its way
        assert gateway.explanation(record) is told
        assert gateway.dry_run(wish("two"), 30)["placements"][0]["status"] == "rejected"


def test_what_is_free_is_what_is_offered_less_what_is_booked(
    sqlite_url: str, tmp_path: Path, shared: Solver
) -> None:
    with living(sqlite_url, tmp_path, Clock(), solver=shared) as gateway:
        assert int(gateway.free().groups.free_gpus.sum()) == 8
        assert gateway.free() is gateway.free()
        record = awaited(gateway, submitted(gateway, wish(gpus=3)).id)
        assert int(gateway.free().groups.free_gpus.sum()) == 5
        gateway.cancel("ada", record.id, None)
        assert int(gateway.free().groups.free_gpus.sum()) == 8


def test_what_nobody_asks_for_any_more_is_forgotten(sqlite_url: str, tmp_path: Path, shared: Solver) -> None:
    clock = Clock()
    with living(sqlite_url, tmp_path, clock, solver=shared) as gateway:
        made = gateway.submit("ada", wish(), key="k", body_sha256="b").record
        assert made is not None
        awaited(gateway, made.id, State.RUNNING)
        with gateway.store.note() as connection:
            assert take(connection, "token:one", Limit(1, 1, 1), NOW) == 0
        clock.now = NOW + EVENTS_KEPT - SECOND
        until(lambda: rows(gateway, keys) + rows(gateway, buckets) == 0)
        assert rows(gateway, events) > 0
        clock.tick(days=1)
        until(lambda: rows(gateway, events) == 0)
        with gateway.store.read() as connection:
            [record] = list_intents(connection, "ada")[0]
            assert history_of(connection, record.id)


def rows(gateway: Gateway, table: Table) -> int:
    with gateway.store.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_ready_says_what_is_missing(sqlite_url: str, tmp_path: Path) -> None:
    gateway = stopped(sqlite_url, tmp_path)
    found = gateway.ready()
    assert not found.ok
    assert found.checks == {
        "store": "ok",
        "inventory": "ok",
        "driver": "not running",
        "solver": "starting",
    }
    gateway.start()
    gateway.start()
    until(lambda: gateway.ready().ok)
    gateway.stop(5)
    assert gateway.ready().checks["driver"] != "ok"
