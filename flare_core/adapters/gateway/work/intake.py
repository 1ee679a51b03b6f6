"""Submissions that come at the same time, accepted in one transaction."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from flare_core.adapters.gateway import keys, life
from flare_core.adapters.gateway.errors import GatewayError, UnavailableError
from flare_core.adapters.gateway.failpoints import hit
from flare_core.adapters.gateway.keys import Claim, Known, Outcome, Wanted
from flare_core.adapters.gateway.life import Record
from flare_core.adapters.gateway.limits import Holding, fit_quota, holdings_of, quotas_of
from flare_core.adapters.gateway.settings import Quota, Settings
from flare_core.adapters.gateway.store import Store
from flare_core.adapters.gateway.store.rows import ensure_users
from flare_core.adapters.gateway.work.claims import backlog

MOST: Final = 64
"""Submissions that are accepted together."""
_FULL_RETRY_S: Final = 2


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submission.

    Attributes
    ----------
    record
        What was accepted; None where the key of the request belongs to another one.
    claim
        What the key is to this request; None without a key.
    """

    record: Record | None = None
    claim: Claim | None = None


@dataclass(slots=True)
class Submission:
    """What one request wants to have accepted, and what became of it."""

    user: str
    name: str
    document: Mapping[str, Any]
    gpus: int
    wanted: Wanted | None = None
    outcome: Submitted | Exception | None = None


@dataclass(slots=True)
class Intake:
    """Accepts what waits together; safe for threads.

    Whoever has the turn writes for all who wait by then; who gets it next finds itself served.
    """

    settings: Settings
    store: Store
    clock: Callable[[], datetime]
    _waiting: list[Submission] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def submit(self, submission: Submission) -> Submitted:
        """Return what became of a submission.

        Raises
        ------
        GatewayError
            If it is refused, or the store does not answer.
        """
        with self._lock:
            self._waiting.append(submission)
        while submission.outcome is None:
            with self._turn:
                if submission.outcome is None:
                    self._serve()
        if isinstance(submission.outcome, Exception):
            raise submission.outcome
        return submission.outcome

    def _serve(self) -> None:
        with self._lock:
            served, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            self._write(served)
        except Exception as error:  # told to each that waits for it
            if len(served) == 1 or isinstance(error, UnavailableError):
                _refuse(served, error)
                return
            for one in served:  # what is wrong with one is no matter of the others
                try:
                    self._write([one])
                except Exception as own:  # told to the one that it is of
                    _refuse([one], own)

    def _write(self, served: Sequence[Submission]) -> None:
        with self.store.write("submit") as connection:
            outcomes = list(_accepted(connection, served, self.clock(), self.settings))
        for one, outcome in zip(served, outcomes, strict=True):
            one.outcome = outcome


def _refuse(served: Sequence[Submission], error: Exception) -> None:
    for one in served:
        one.outcome = error


def _accepted(
    connection: Connection, served: Sequence[Submission], now: datetime, settings: Settings
) -> list[Submitted | GatewayError]:
    """Accept or refuse each, in order, as if they had come one after the other."""
    ensure_users(connection, {one.user for one in served}, now)
    books = _Books.of(connection, served, now, settings)
    hit("submit.keyed")
    outcomes = [books.judge(connection, one) for one in served]
    life.accept(connection, [record for _, record in books.made])
    keys.insert_bound(connection, [(one.wanted, record.id) for one, record in books.made if one.wanted], now)
    hit("submit.inserted")
    return outcomes


@dataclass(slots=True)
class _Books:
    """What decides on submissions, kept up to date from one to the next.

    Attributes
    ----------
    room
        How many more may wait.
    made
        What was accepted.
    """

    settings: Settings
    now: datetime
    known: dict[tuple[str, str], Known]
    taken: set[tuple[str, str]]
    quotas: Mapping[str, Quota]
    holdings: dict[str, Holding]
    room: int
    made: list[tuple[Submission, Record]] = field(default_factory=list)

    @classmethod
    def of(
        cls, connection: Connection, served: Sequence[Submission], now: datetime, settings: Settings
    ) -> "_Books":
        quotas = quotas_of(connection, {one.user for one in served}, settings.quota)
        bound = {user for user, quota in quotas.items() if quota != Quota()}
        return cls(
            settings,
            now,
            keys.look_up(connection, [one.wanted for one in served if one.wanted], now, settings),
            life.names_taken(connection, {(one.user, one.name) for one in served}),
            quotas,
            holdings_of(connection, bound) if bound else {},
            settings.queue_bound - backlog(connection),
        )

    def judge(self, connection: Connection, one: Submission) -> Submitted | GatewayError:
        known = self.known.get((one.wanted.user, one.wanted.key)) if one.wanted else None
        if one.wanted and known:
            return self._answered(connection, known.claim(one.wanted.sha256))
        try:
            self._admit(one)
        except GatewayError as error:
            return error
        record = life.new_record(one.user, one.name, one.document, one.gpus, self.now)
        self.made.append((one, record))
        self.taken.add((one.user, one.name))
        if one.wanted:
            self.known[one.wanted.user, one.wanted.key] = Known(one.wanted.sha256, self.now, record.id)
        return Submitted(record, Claim(Outcome.NEW) if one.wanted else None)

    def _admit(self, one: Submission) -> None:
        if len(self.made) >= self.room:
            raise full()
        if (one.user, one.name) in self.taken:
            raise life.name_taken(one.name)
        if one.user in self.holdings:
            has = self.holdings[one.user]
            fit_quota(self.quotas[one.user], has, Holding(gpus=one.gpus, open_intents=1))
            more = replace(has, gpus=has.gpus + one.gpus, open_intents=has.open_intents + 1)
            self.holdings[one.user] = more

    def _answered(self, connection: Connection, claim: Claim) -> Submitted:
        """Return what a key belongs to; what nobody is left to answer is the caller's now."""
        longest = timedelta(seconds=self.settings.request_timeout_s)
        late = claim.since is not None and self.now - claim.since > longest
        if claim.outcome is not Outcome.IN_FLIGHT or claim.intent is None or not late:
            return Submitted(None, claim)
        record = life.find_refused(connection, claim.intent) or life.find(connection, claim.intent)
        return Submitted(record, replace(claim, outcome=Outcome.NEW))


def full() -> UnavailableError:
    """Return the refusal of one more that waits."""
    return UnavailableError("too many intents wait to be placed, try again", retry_after_s=_FULL_RETRY_S)
