"""The loop that buys at the backend what was booked, follows what runs, and undoes what nobody wants."""

import logging
import queue
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, and_, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from flare_core.adapters.gateway.backend.port import (
    Backend,
    BackendError,
    Order,
    Phase,
    RefusedError,
    Report,
)
from flare_core.adapters.gateway.events import forget_events
from flare_core.adapters.gateway.failpoints import hit
from flare_core.adapters.gateway.keys import forget_keys
from flare_core.adapters.gateway.ledger import still_in
from flare_core.adapters.gateway.life import Record, State, find, move, record_of, tell_status
from flare_core.adapters.gateway.limits import forget_full
from flare_core.adapters.gateway.orders import Purchase, Step, begin, purchase_of
from flare_core.adapters.gateway.store.tables import intents, orders
from flare_core.adapters.gateway.work.claims import LONGEST_PAUSE, exclude, unclaimed
from flare_core.adapters.gateway.work.commit import error_object, note
from flare_core.adapters.gateway.work.driver import Loop, Tools
from flare_core.errors import ErrorCode
from flare_core.intent import read_intent
from flare_core.inventory.fields import canonical_json
from flare_core.inventory.types import Inventory

_log = logging.getLogger(__name__)
CALLS: Final = 8
"""Calls of the backend at the same time."""
EVENTS_KEPT: Final = timedelta(days=30)
"""So long a client may be away and still hear of everything that happened."""
_SWEEP: Final = timedelta(minutes=1)
_BATCH: Final = 64
_RUNNING_S: Final = 5.0
"""How often what runs is looked at, where the backend has no better idea."""
_GATHER_S: Final = 0.05
"""How long answers are gathered to be written together."""
_LONGEST_BACKOFF_S: Final = 60.0

_intent = lru_cache(maxsize=1024)(read_intent)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of calling the backend for an order.

    Attributes
    ----------
    step
        What is to be done next.
    report, refusal
        What it said; neither where it did not answer.
    handle
        What it is to be given the next time.
    """

    purchase: Purchase
    step: Step
    handle: Mapping[str, Any]
    report: Report | None = None
    refusal: RefusedError | None = None


class Follower(Loop):
    """Calls the backend for each order when it is due, and writes down what it says."""

    def __init__(self, tools: Tools, backend: Backend, wanted: Callable[[], object]) -> None:
        super().__init__("flare-follower", tools)
        self._backend = backend
        self._wanted = wanted
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._calls = ThreadPoolExecutor(CALLS, thread_name_prefix="flare-backend")
        self._flying: set[str] = set()
        self._renewed = tools.clock()
        self._swept = tools.clock()

    def work(self) -> bool:
        tools, now = self.tools, self.tools.clock()
        results = list(self._said())
        if self._flying and now - self._renewed >= tools.lease / 3:
            tools.renew()
            self._renewed = now
        if abs(now - self._swept) >= _SWEEP:
            self._sweep(now)
        with tools.store.read() as connection:
            found = self._due(connection, now)
        if not (results or found):
            return False
        offers = self._offers() if any(purchase.later for purchase, _ in found) else None
        try:
            with tools.store.write("follow") as connection:
                for result in results:
                    _written(connection, tools, result, now)
                due = [] if self.stopping.is_set() else self._claimed(connection, now, offers)
        except BaseException:
            for result in results:  # to be written the next time
                self._flying.add(result.purchase.key)
                self._results.put(result)
            raise
        if results:
            tools.changed()
            self._wanted()
        for purchase, record in due:
            self._flying.add(purchase.key)
            self._calls.submit(self._call, purchase, record)
        return bool(results or due)

    def pause(self) -> None:
        self.stopping.wait(_GATHER_S)

    def _sweep(self, now: datetime) -> None:
        """Forget what nobody asks for any more."""
        with self.tools.store.note() as connection:
            forget_full(connection, now)
            forget_keys(connection, now, self.tools.settings)
            forget_events(connection, now - EVENTS_KEPT)
        self._swept = now

    def end(self) -> None:
        super().end()
        self._calls.shutdown(wait=False, cancel_futures=True)

    def _said(self) -> Iterator[Result]:
        while not self._results.empty():
            result = self._results.get()
            self._flying.discard(result.purchase.key)
            yield result

    def _due(self, connection: Connection, now: datetime) -> list[tuple[Purchase, Record]]:
        room = max(0, _BATCH - len(self._flying))
        o, lease = orders.c, self.tools.lease
        longest = now + timedelta(seconds=_LONGEST_BACKOFF_S)  # beyond that the clock was set back
        query = (
            select(orders)
            .where(
                o.done.is_(False),
                or_(
                    o.next_poll <= now, o.next_poll > now + LONGEST_PAUSE, and_(o.gone, o.next_poll > longest)
                ),
                unclaimed(o.claimed_by, o.claimed_until, now, lease),
                o.key.not_in(self._flying),
            )
            .order_by(o.next_poll, o.key)
            .limit(room)
        )
        found = [purchase_of(row) for row in connection.execute(query)] if room else []
        own = select(intents).where(intents.c.id.in_({purchase.intent for purchase in found}))
        records = {row.id: record_of(row) for row in connection.execute(own)} if found else {}
        return [(purchase, records[purchase.intent]) for purchase in found]

    def _offers(self) -> Inventory | None:
        try:
            return self.tools.inventory()
        except BackendError:  # what begins later can wait until it is known where there is room
            return None

    def _claimed(
        self, connection: Connection, now: datetime, offers: Inventory | None
    ) -> list[tuple[Purchase, Record]]:
        due = []
        for purchase, record in self._due(connection, now):
            if purchase.later is None:
                due.append((purchase, record))
            elif offers is not None and _begins(connection, self.tools, purchase, offers, now):
                due.append((begin(connection, purchase, now), record))
        if due:
            own = orders.c.key.in_([purchase.key for purchase, _ in due])
            mine = {"claimed_by": self.tools.me, "claimed_until": now + self.tools.lease}
            connection.execute(update(orders).where(own).values(mine))
        return due

    def _call(self, purchase: Purchase, record: Record) -> None:
        self._results.put(ask(self._backend, purchase, record))
        self.wake()


def _begins(
    connection: Connection, tools: Tools, purchase: Purchase, offers: Inventory, now: datetime
) -> bool:
    """Return whether what was booked for later can begin, at its time and after who is late."""
    start = purchase.later
    assert start is not None
    if start <= now and not still_in(connection, offers, purchase.intent):
        return True
    again = max(start, now + timedelta(seconds=tools.settings.poll_s))
    own = orders.c.key == purchase.key
    connection.execute(update(orders).where(own).values(next_poll=min(again, now + LONGEST_PAUSE)))
    return False


def ask(backend: Backend, purchase: Purchase, record: Record) -> Result:
    """Take the next step of an order at the backend; reserved is bought at once."""
    result = Result(purchase, purchase.step, purchase.handle)
    try:
        while result.report is None or result.step is Step.COMMIT:
            order = _order(purchase, record, result.handle)
            name = "release" if purchase.gone else _CALLS[result.step]
            hit(f"backend.{name}.before")
            report: Report = getattr(backend, name)(order)
            hit(f"backend.{name}.after")
            step = result.step if purchase.gone else _NEXT[result.step]
            result = replace(result, step=step, handle=report.handle, report=report)
            if purchase.gone or report.phase not in (Phase.RESERVED, Phase.STARTING):
                break
    except RefusedError as refusal:
        return replace(result, report=None, refusal=refusal)
    except Exception:  # whatever a backend raises, its order is asked for again
        _log.exception("backend failed", extra={"order": purchase.key, "step": result.step.value})
        return replace(result, report=None)
    return result


_CALLS: Final = {Step.RESERVE: "reserve", Step.COMMIT: "commit", Step.FOLLOW: "status"}
_NEXT: Final = {Step.RESERVE: Step.COMMIT, Step.COMMIT: Step.FOLLOW, Step.FOLLOW: Step.FOLLOW}


def _order(purchase: Purchase, record: Record, handle: Mapping[str, Any]) -> Order:
    return Order(
        key=purchase.key,
        intent_id=record.id,
        user=record.user,
        intent=_intent(record.document.encode()),
        document=record.document,
        placement=purchase.placement,
        placed_at=purchase.placed,
        handle=handle,
    )


def _written(connection: Connection, tools: Tools, result: Result, now: datetime) -> None:
    """Write what the backend said; what makes no sense counts as no answer."""
    try:
        with connection.begin_nested():
            write(connection, tools, result, now)
    except SQLAlchemyError:
        raise
    except Exception:  # what a backend says may be anything; the others' reports are still written
        _log.exception("report not written", extra={"order": result.purchase.key})
        unsaid = replace(result, report=None, refusal=None, handle=result.purchase.handle)
        write(connection, tools, unsaid, now)


def write(connection: Connection, tools: Tools, result: Result, now: datetime) -> None:
    """Write what the backend said of an order, unless another process has taken it over."""
    key = orders.c.key == result.purchase.key
    row = connection.execute(select(orders).where(key, orders.c.claimed_by == tools.me)).one_or_none()
    if row is None:
        return
    asked, wanted, report = result.purchase, not row.gone, result.report
    silent = report is None and result.refusal is None
    tries = asked.tries + 1 if silent else 0
    released = asked.gone and report is not None and report.phase is Phase.RELEASED
    wait_s = _backoff_s(tries, tools) if silent or asked.gone else _again_s(report, tools)
    values = {
        "step": result.step,
        "handle": canonical_json(dict(result.handle)),
        "tries": tries,
        "done": released,
        # Gone while the backend was asked: it is to be released now.
        "next_poll": now if row.gone and not asked.gone else now + timedelta(seconds=wait_s),
        "claimed_by": None,
        "claimed_until": None,
    }
    connection.execute(update(orders).where(key).values(values))
    if released and report is not None and report.leftovers:
        _log.warning("left over", extra={"order": asked.key, "leftovers": list(report.leftovers)})
    if not wanted:
        return
    if result.refusal is not None:
        _refused(connection, tools, asked, result.refusal, now)
    elif report is not None:
        _reported(connection, tools, find(connection, asked.intent), asked, report, now)


def _again_s(report: Report | None, tools: Tools) -> float:
    if report is None:
        return 0.0
    if report.again_s is not None:
        return max(0.0, min(report.again_s, LONGEST_PAUSE.total_seconds()))
    return _RUNNING_S if report.phase is Phase.RUNNING else float(tools.settings.poll_s)


def _backoff_s(tries: int, tools: Tools) -> float:
    return float(min(_LONGEST_BACKOFF_S, tools.settings.poll_s * 2.0 ** min(tries, 16)))


def _reported(
    connection: Connection, tools: Tools, record: Record, asked: Purchase, report: Report, now: datetime
) -> None:
    """Take an intent to where its order is."""
    if report.phase in (Phase.LOST, Phase.RELEASED):
        _refused(connection, tools, asked, RefusedError(report.message or "its capacity was lost"), now)
        return
    ran = report.phase is Phase.RUNNING or (report.phase in _ENDS and report.started is not None)
    if record.state is State.RESERVED and (ran or report.phase is Phase.COMPLETED):
        record = move(
            connection,
            record.id,
            State.RUNNING,
            now,
            "runs",
            at=report.started,
            message=report.message,
            seen=record,
        )
        note(connection, record.id, refusals=0)
    if report.phase in _ENDS:
        to, reason = _ENDS[report.phase]
        told = report.message or reason
        move(connection, record.id, to, now, reason, at=report.ended, message=told, seen=record)
        return
    said = {
        "url": report.url,
        "gpu_utilization_percent": report.gpu_utilization_percent,
        "performance": None if report.performance is None else dict(report.performance),
    }
    known = said if any(value is not None for value in said.values()) else None
    tell_status(connection, record.id, now, report.message, known, seen=record)


_ENDS: Final = {
    Phase.COMPLETED: (State.COMPLETED, "completed"),
    Phase.FAILED: (State.FAILED, "the workload has failed"),
}


def _refused(
    connection: Connection, tools: Tools, asked: Purchase, refusal: RefusedError, now: datetime
) -> None:
    """Look for another place, for a while without the capacity that cannot be had; not forever."""
    row = connection.execute(select(intents).where(intents.c.id == asked.intent)).one()
    refusals = row.refusals + 1
    if refusals >= tools.settings.max_rounds:
        message = f"found no provider that keeps its offer: {refusal}"
        error = error_object(ErrorCode.INSUFFICIENT_RESOURCES.value, message)
        move(connection, asked.intent, State.FAILED, now, "refused", error=error, message=message)
        return
    gone = refusal.capacity or tuple((a["offer"], a["node"]) for a in asked.placement["assignments"])
    message = str(refusal) or "the provider refused"
    move(connection, asked.intent, State.QUEUED, now, "refused by the backend", message=message)
    values = {"excluded": exclude(row.excluded, gone, now), "refusals": refusals}
    note(connection, asked.intent, **values, next_try=now, claimed_by=None, claimed_until=None)
