"""The gateway behind its doors: what HTTP and the command line talk to.

A `Gateway` is one process's part of it: the store that all share, a thread that has intents placed, one that
follows the backend, and two processes that search, one for intents and, from the first one on, one for
questions. Its methods are for threads; they raise `GatewayError` and `FlareError`.
"""

import hashlib
import hmac
import json
import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

from sqlalchemy import Connection, func, select, update

from flare_core.adapters.explorer.question import Question, faults
from flare_core.adapters.gateway import keys, life
from flare_core.adapters.gateway.backend.local import LocalBackend
from flare_core.adapters.gateway.backend.port import Backend, BackendError
from flare_core.adapters.gateway.errors import ConflictError, GatewayError, UnavailableError
from flare_core.adapters.gateway.failpoints import hit
from flare_core.adapters.gateway.ledger import TakenError, capacity_count, held, more_capacity
from flare_core.adapters.gateway.life import Record, State
from flare_core.adapters.gateway.limits import Holding, check_quota
from flare_core.adapters.gateway.metrics import Metrics
from flare_core.adapters.gateway.remaining import remaining
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.spans import Spans, spans_of
from flare_core.adapters.gateway.store import Store, migrate
from flare_core.adapters.gateway.store.rows import add_if_new
from flare_core.adapters.gateway.store.tables import bookings, intents, meta
from flare_core.adapters.gateway.work.claims import backlog, hand_back
from flare_core.adapters.gateway.work.driver import Driver, Tools
from flare_core.adapters.gateway.work.follow import Follower
from flare_core.adapters.gateway.work.intake import Intake, Submission, Submitted, full
from flare_core.adapters.gateway.work.request import Request, origin_of, seat_from
from flare_core.adapters.gateway.work.solver import Solver, SolverDiedError
from flare_core.errors import ErrorCode, FlareError, IntentError, InternalError, OptionsError
from flare_core.intent import Intent, read_intent
from flare_core.inventory.fields import canonical_json
from flare_core.inventory.types import Inventory
from flare_core.quantities import parse_moment

_log = logging.getLogger(__name__)
Clock = Callable[[], datetime]
_LOOK_S: Final = 0.05
_BACKLOG_S: Final = 0.05
_EXPLANATIONS: Final = 256


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the gateway can do its work, and what of it cannot.

    Attributes
    ----------
    checks
        ``store``, ``inventory``, ``driver``, ``solver``: ``ok``, or what is wrong.
    """

    ok: bool
    checks: Mapping[str, str]


def utc_now() -> datetime:
    """Return the moment by the machine's clock."""
    return datetime.now(UTC)


class Gateway:
    """One process's part of the gateway.

    Parameters
    ----------
    settings
        How it works.
    backend
        Who runs what is placed; None is the local one.
    store
        The books; None opens those of the settings.
    clock
        Tells the time, aware; None is the machine's.
    metrics, spans
        What counts and traces; None makes them.
    solvers
        Who searches for intents, and who for questions; None makes them.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        backend: Backend | None = None,
        store: Store | None = None,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        spans: Spans | None = None,
        solvers: tuple[Solver, Solver] | None = None,
    ) -> None:
        self.settings = settings
        self.store = Store(settings) if store is None else store
        self.clock: Clock = utc_now if clock is None else clock
        self.backend: Backend = _local(settings, self.clock) if backend is None else backend
        self.metrics = Metrics() if metrics is None else metrics
        self.spans = spans_of(settings) if spans is None else spans
        self.inventory_at: datetime | None = None
        self._stock = _Stock(self)
        memory = settings.solver_memory_mib
        self._solver, self._questions = solvers or (Solver(memory), Solver(memory))
        self._intake = Intake(settings, self.store, self.clock)
        self._changed = threading.Condition()
        self._explained: OrderedDict[tuple[str, int], dict[str, Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._backlog = (0.0, 0)
        self._running: tuple[Driver, Follower] | None = None

    # --- beginning and end ---------------------------------------------------------------------------

    def start(self) -> None:
        """Bring the store to the newest schema and begin to work; a second time changes nothing.

        Raises
        ------
        UnavailableError
            If the store does not answer, or a newer version has written it.
        """
        with self._lock:
            if self._running is not None:
                return
            migrate(self.store)
            tools = Tools(
                settings=self.settings,
                store=self.store,
                clock=self.clock,
                me=secrets.token_hex(16),
                inventory=self.inventory,
                metrics=self.metrics,
                spans=self.spans,
                changed=self._tell_waiting,
            )
            follower = Follower(tools, self.backend, lambda: driver.wake())
            driver = Driver(tools, self._solver, follower.wake)
            self._running = driver, follower
        # Who answers questions is started by the first one: most processes are never asked any.
        threading.Thread(target=_warm, args=(self._solver,), name="flare-warm", daemon=True).start()
        follower.start()
        driver.start()

    def stop(self, timeout_s: float) -> None:
        """Claim nothing more, finish what is at hand or let others have it, and let go of everything.

        Parameters
        ----------
        timeout_s
            After so many seconds a search that goes on is ended; its intents are for others.
        """
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            driver, follower = running
            driver.end()
            follower.end()
            until = monotonic() + timeout_s
            driver.join(max(0.0, timeout_s - 1))
            self._solver.kill()
            for loop in running:
                loop.join(max(0.1, until - monotonic()))
            try:
                with self.store.write() as connection:
                    hand_back(connection, driver.tools.me)
            except UnavailableError:
                _log.warning("claims are left to expire")
        self._questions.stop()
        self._solver.stop()
        self.backend.close()
        self.spans.close()
        self.store.close()

    def ready(self) -> Readiness:
        """Return whether everything is there that work needs."""
        running = self._running
        alive = running is not None and all(loop.is_alive() for loop in running)
        checks = {
            "store": self._store_fault(),
            "inventory": self._stock.fault(),
            "driver": "" if alive else "not running",
            "solver": "" if self._solver.warm else "starting",
        }
        return Readiness(not any(checks.values()), {name: text or "ok" for name, text in checks.items()})

    def _store_fault(self) -> str:
        try:
            # A full or read-only disk shows only to who writes.
            with self.store.note() as connection:
                add_if_new(connection, meta, key="alive", number=0)
                # Another value each time: what is the same SQLite does not write.
                more = update(meta).where(meta.c.key == "alive").values(number=meta.c.number + 1)
                connection.execute(more)
        except UnavailableError:
            return "does not answer"
        return ""

    # --- what there is -------------------------------------------------------------------------------

    def inventory(self) -> Inventory:
        """Return what is offered.

        Raises
        ------
        UnavailableError
            If the backend does not say.
        """
        return self._stock.newest()

    def free(self) -> Inventory:
        """Return what is offered less what is booked."""
        return self._stock.free()

    # --- intents -------------------------------------------------------------------------------------

    def submit(self, user: str, text: str, *, key: str | None, body_sha256: str) -> Submitted:
        """Accept an intent durably.

        Parameters
        ----------
        text
            The body.
        key, body_sha256
            ``Idempotency-Key``, and what tells this request from others with the same key.

        Raises
        ------
        IntentError
            If it is no intent, or one of too many tasks.
        UnavailableError
            If too many wait, or the store does not answer.
        QuotaError, ConflictError
            If the user has too much, or a live intent of that name.
        """
        intent = self._read(text)
        workload = intent.workload
        if self._seems_full():
            raise full()
        wanted = None if key is None else keys.Wanted(user, key, body_sha256)
        if wanted is not None:
            keys.check(wanted.key)
        gpus = workload.resources.gpus * workload.tasks
        submitted = self._intake.submit(Submission(user, intent.name, intent.to_dict(), gpus, wanted))
        self._wake()
        return submitted

    def _read(self, text: str) -> Intent:
        intent = read_intent(text.encode("utf-8", "surrogatepass"))
        workload, most = intent.workload, self.settings.max_tasks
        tasks = workload.scaling.max_replicas if workload.scaling.auto_scale else workload.tasks
        if max(tasks, workload.tasks) > most:
            path = "workload.scaling" if workload.type == "service" else "workload.job.parallel_tasks"
            raise IntentError(ErrorCode.INVALID_FORMAT, path, f"found {tasks} tasks, expected at most {most}")
        return intent

    def _seems_full(self) -> bool:
        """Whether too many wait, as of a moment ago: refusals shall not cost what acceptance costs."""
        looked, waiting = self._backlog
        if monotonic() - looked > _BACKLOG_S:
            with self.store.read() as connection:
                waiting = backlog(connection)
            self._backlog = monotonic(), waiting
        return waiting >= self.settings.queue_bound

    def wait(self, intent: str, timeout_s: float) -> Record:
        """Return an intent when it has left PENDING, or as it is when the time is over.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        until = monotonic() + timeout_s
        while True:
            with self.store.read() as connection:
                record = life.find(connection, intent)
            left = until - monotonic()
            if record.state is not State.PENDING or left <= 0:
                return record
            with self._changed:
                self._changed.wait(min(left, _LOOK_S))

    def withdraw(self, intent: str) -> None:
        """Let a refused intent disappear.

        Raises
        ------
        ConflictError
            If it has not failed, or was placed.
        """
        with self.store.write("withdraw") as connection:
            life.withdraw(connection, intent, self.clock())

    def cancel(self, user: str, intent: str, version: int | None) -> Record:
        """Cancel a user's intent.

        Raises
        ------
        NotFoundError, ConflictError
            As `life.cancel` does.
        """
        with self.store.write("cancel") as connection:
            record = life.cancel(connection, user, intent, self.clock(), version)
            hit("cancel.released")
        self._wake()
        return record

    # --- offers of negotiation -----------------------------------------------------------------------

    def offer(self, record: Record) -> dict[str, Any] | None:
        """Return what is offered to an intent, with the ``token`` that accepts it; None where nothing is."""
        if record.state is not State.QUEUED or record.offer is None:
            return None
        if self.clock() >= parse_moment(record.offer["valid_until"]):
            return None
        with self.store.read() as connection:
            secret = _secret(connection)
        if secret is None:
            with self.store.write() as connection:
                add_if_new(connection, meta, key="secret", text=secrets.token_hex(32))
                secret = _secret(connection)
        assert secret is not None
        return {**record.offer, "token": _token(secret, record)}

    def accept(self, user: str, intent: str, token: str) -> Record:
        """Place an intent as it was offered.

        Raises
        ------
        NotFoundError
            If the user has no such intent.
        ConflictError
            If nothing is offered, not this, no longer, or somebody else has the capacity by now.
        """
        inventory = self.inventory()
        try:
            with self.store.read() as connection:
                record = life.find(connection, intent, user)
            offer = self.offer(record)
            if offer is None or not hmac.compare_digest(offer["token"].encode(), token.encode()):
                raise ConflictError("there is no such offer, or it is no longer valid")
            with self.store.write("accept") as connection:
                accepted = self._accepted(connection, inventory, record)
        except TakenError:
            with self.store.write("accept") as connection:
                life.offer_again(connection, intent, self.clock(), None)
                connection.execute(
                    update(intents).where(intents.c.id == intent).values(next_try=None, tried=None)
                )
            self._wake()
            raise
        self._wake()
        return accepted

    def _accepted(self, connection: Connection, inventory: Inventory, record: Record) -> Record:
        now = self.clock()
        row = connection.execute(select(intents.c.terms).where(intents.c.id == record.id)).one()
        assert record.offer is not None
        if now >= parse_moment(record.offer["valid_until"]) or row.terms is None:
            raise ConflictError("the offer is no longer valid")
        terms = json.loads(row.terms)
        hourly = terms["hourly_ueur"]
        check_quota(connection, record.user, Holding(hourly_ueur=hourly), self.settings.quota)
        accepted = life.reserve(
            connection,
            inventory,
            record.id,
            [seat_from(each) for each in terms["seats"]],
            now,
            hourly_ueur=hourly,
            placement=record.offer["placement"],
            version=record.version,
        )
        connection.execute(update(intents).where(intents.c.id == record.id).values(_SETTLED))
        return accepted

    # --- questions -----------------------------------------------------------------------------------

    def dry_run(self, text: str, timeout_s: float) -> dict[str, Any]:
        """Return the plan for an intent; nothing is stored.

        Parameters
        ----------
        timeout_s
            How long to wait for a turn, seconds.

        Raises
        ------
        IntentError
            If it is no intent.
        UnavailableError
            If others' questions take too long, or the answer does.
        """
        intent = self._read(text)
        with self.store.read() as connection:
            booked = held(connection)
        return self._ask("plan", canonical_json(intent.to_dict()), booked, timeout_s)

    def explore(self, asked: Question, timeout_s: float) -> dict[str, Any]:
        """Return what the placement explorer is told, beside all that is booked; nothing is stored.

        Parameters
        ----------
        timeout_s
            How long to wait for a turn, seconds.

        Raises
        ------
        UnavailableError
            If others' questions take too long, or the answer does.
        """
        try:
            self._read(asked.intent)  # what is no intent does not trouble the solver
        except IntentError as error:
            return {"ask": asked.ask, "errors": faults(error)}
        with self.store.read() as connection:
            booked = held(connection)
        return self._ask("explore", asked.model_dump_json(), booked, timeout_s)

    def explanation(self, record: Record) -> dict[str, Any]:
        """Return why an intent would be placed where it would now, or why not, beside all others.

        Raises
        ------
        UnavailableError
            If others' questions take too long, or the answer does.
        """
        key = record.id, record.version
        with self._lock:
            known = self._explained.get(key)
        if known is not None:
            return known
        with self.store.read() as connection:
            booked = tuple(h for h in held(connection) if h.intent != record.id)
        wait_s = self.settings.request_timeout_s / 2
        found = self._ask("explain", record.document, booked, wait_s)
        with self._lock:
            self._explained[key] = found
            while len(self._explained) > _EXPLANATIONS:
                self._explained.popitem(last=False)
        return found

    def _ask(self, kind: Any, document: str, booked: Any, wait_s: float) -> dict[str, Any]:
        request = Request(
            kind=kind,
            documents=(document,),
            held=booked,
            now=self.clock(),
            limit_s=self.settings.solve_time_limit_s,
            origin=origin_of(self.settings),
        )
        try:
            found = self._questions.ask(request, self.inventory(), wait_s=wait_s)
        except SolverDiedError:
            raise UnavailableError("the search was ended before it had an answer") from None
        if "error" in found:
            raise _error(found["error"])
        document_: dict[str, Any] = found["document"]
        return document_

    # --- inside --------------------------------------------------------------------------------------

    def _wake(self) -> None:
        running = self._running
        for loop in running or ():
            loop.wake()

    def _tell_waiting(self) -> None:
        with self._changed:
            self._changed.notify_all()


_SETTLED: Final = {"terms": None, "next_try": None, "tried": None, "claimed_by": None, "claimed_until": None}


class _Stock:
    """What is offered, as of a few seconds ago at most, and what of it is free."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._turn = threading.Lock()
        self._inventory: Inventory | None = None
        self._looked = 0.0
        self._free: tuple[object, Inventory] | None = None

    def newest(self) -> Inventory:
        gateway = self._gateway
        with self._turn:
            fresh = monotonic() - self._looked <= gateway.settings.inventory_ttl_s
            if self._inventory is not None and fresh:
                return self._inventory
            try:
                found = gateway.backend.discover()
            except BackendError as error:
                raise UnavailableError("the backend does not say what it offers") from error
            if found is not self._inventory:
                gateway.inventory_at = gateway.clock()
                self._count(found)
            self._inventory, self._looked = found, monotonic()
            return found

    def _count(self, inventory: Inventory) -> None:
        """Let who waits try again where this is not what another process has seen already."""
        digest = _digest(inventory)
        with self._gateway.store.write() as connection:
            if not add_if_new(connection, meta, key="inventory", text=digest):
                row = meta.c.key == "inventory"
                if connection.execute(select(meta.c.text).where(row)).scalar_one() == digest:
                    return
                connection.execute(update(meta).where(row).values(text=digest))
            more_capacity(connection)

    def free(self) -> Inventory:
        inventory = self.newest()
        with self._gateway.store.read() as connection:
            newest = connection.execute(select(func.max(bookings.c.id))).scalar()
            state = (id(inventory), capacity_count(connection), newest)
            if self._free is not None and self._free[0] == state:
                return self._free[1]
            booked = held(connection)
        free = remaining(inventory, booked)
        self._free = state, free
        return free

    def fault(self) -> str:
        try:
            self.newest()
        except GatewayError as error:
            return error.message
        return ""


def _digest(inventory: Inventory) -> str:
    found = hashlib.sha256("\n".join(inventory.ids).encode())
    for columns in (inventory.whole, inventory.number, inventory.flag):
        for name in sorted(columns):
            found.update(columns[name].tobytes())
    for name in sorted(inventory.label):
        found.update(inventory.label[name].codes.tobytes())
        found.update("\n".join(inventory.label[name].values).encode())
    groups = inventory.groups
    for array in (
        groups.offer,
        groups.count,
        groups.free_gpus,
        groups.free_cpu_milli,
        groups.free_memory_mib,
    ):
        found.update(array.tobytes())
    found.update(repr((groups.nodes, groups.gpus, groups.milli, groups.mig)).encode())
    return found.hexdigest()


def _local(settings: Settings, clock: Clock) -> LocalBackend:
    assume = None
    if settings.assume is not None:
        try:
            assume = json.loads(settings.assume.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OptionsError("assume", f"{settings.assume} cannot be read") from error
    return LocalBackend(settings.inventory, clock=clock, usd_eur=settings.usd_eur, assume=assume)


def _warm(solver: Solver) -> None:
    """Have a solver load what it needs before it is asked."""
    try:
        solver.start()
    except UnavailableError as error:
        _log.warning("solver not started", extra={"reason": error.message})


def _secret(connection: Connection) -> str | None:
    return connection.execute(select(meta.c.text).where(meta.c.key == "secret")).scalar()


def _token(secret: str, record: Record) -> str:
    """Return what accepts just this offer; not stored, and of no use without the user's own API token."""
    offer = f"{record.id}\n{record.version}\n{canonical_json(record.offer)}"
    return f"acc_{hmac.new(secret.encode(), offer.encode(), hashlib.sha256).hexdigest()}"


def _error(found: Mapping[str, str]) -> FlareError:
    if found["code"] == ErrorCode.INTERNAL:
        return InternalError(found["message"])
    return IntentError(ErrorCode(found["code"]), found["path"], found["message"])
