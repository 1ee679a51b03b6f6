"""Rate limits as requests meet them: shared by all processes, without a write for each request.

A process takes a hundredth of a limit at once and spends it by itself, so that the limit holds to about a
percent for each process; whoever is refused is refused here for as long as an eighth of the burst takes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from flare_core.adapters.gateway.errors import RateLimitedError, UnavailableError
from flare_core.adapters.gateway.limits import take
from flare_core.adapters.gateway.settings import Limit
from flare_core.adapters.gateway.store import Store

_PART: Final = 100
_MOST_PURSES: Final = 10_000
_SPARED: Final = timedelta(seconds=5)


@dataclass(slots=True)
class _Purse:
    units: int = 0
    shut: datetime | None = None


class Rates:
    """What keys have left, in this process.

    Parameters
    ----------
    store, clock
        Where the limits are kept, and the time.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._purses: dict[str, _Purse] = {}
        self._lock = Lock()
        self._spared_until: datetime | None = None

    @property
    def store_is_spared(self) -> bool:
        """Whether the store could not be written a moment ago: then nobody shall wait to note a trifle."""
        return self._spared_until is not None and self._clock() < self._spared_until

    def spend(self, key: str, limit: Limit) -> None:
        """Spend one unit of a limit; may ask the store.

        Raises
        ------
        RateLimitedError
            If there is none left.
        """
        now = self._clock()
        if self._from_purse(key, limit, now):
            return
        units, wait_s = self._fetch(key, limit, now)
        with self._lock:
            purse = self._purses.setdefault(key, _Purse())
            purse.units += max(0, units - 1)
            purse.shut = now + min(timedelta(seconds=wait_s), _shut_for(limit)) if wait_s else None
        if wait_s:
            raise RateLimitedError(wait_s)

    def refuse_shut(self, key: str, limit: Limit) -> None:
        """Refuse a key that is known here to have nothing left; asks nobody.

        Raises
        ------
        RateLimitedError
            If it has nothing left.
        """
        with self._lock:
            self._refuse_shut(key, limit, self._clock())

    def _refuse_shut(self, key: str, limit: Limit, now: datetime) -> None:
        purse = self._purses.get(key)
        if purse is None or purse.shut is None or purse.units:
            return
        left = purse.shut - now
        # Longer than the whole period is a clock that was set back.
        if timedelta() < left <= timedelta(seconds=limit.period_s):
            raise RateLimitedError(-(-left // timedelta(seconds=1)))

    def _from_purse(self, key: str, limit: Limit, now: datetime) -> bool:
        with self._lock:
            if len(self._purses) > _MOST_PURSES:
                self._purses.clear()  # costs a few units, and those who are shut out ask the store again
            self._refuse_shut(key, limit, now)
            purse = self._purses.get(key)
            if purse is None or not purse.units:
                return False
            purse.units -= 1
            return True

    def _fetch(self, key: str, limit: Limit, now: datetime) -> tuple[int, int]:
        """Return how many units were taken, and how long to wait where it is none."""
        many = max(1, min(limit.count // _PART, limit.burst // 4))
        if self.store_is_spared:
            return 1, 0
        try:
            with self._store.note() as connection:
                if not take(connection, key, limit, now, many):
                    return many, 0
                wait_s = take(connection, key, limit, now)
                return (0, wait_s) if wait_s else (1, 0)
        except UnavailableError:
            # A store that cannot be written refuses what matters by itself; reading need not stop for this.
            self._spared_until = self._clock() + _SPARED
            return 1, 0


def _shut_for(limit: Limit) -> timedelta:
    """Return how long to refuse without asking: longer, and what has come together would go to waste."""
    return timedelta(seconds=limit.period_s) / limit.count * max(1, limit.burst // 8)
