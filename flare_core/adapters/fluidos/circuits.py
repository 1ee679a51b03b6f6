"""One provider's outage does not touch the others: who fails again and again is left alone for a while."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

FAILURES = 5
PAUSE_S = 60.0


@dataclass(slots=True)
class _State:
    failures: int = 0
    until: datetime | None = None


@dataclass(slots=True)
class Circuits:
    """A circuit for each provider: open after some failures in a row, then one order at a time tries it.

    It is a matter of politeness and speed, not of correctness: each process keeps its own, and forgets it.

    Attributes
    ----------
    failures
        How many failures in a row open it.
    pause_s
        How long it stays open, seconds; a failed try opens it for as long again.
    """

    failures: int = FAILURES
    pause_s: float = PAUSE_S
    _states: dict[str, _State] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admits(self, provider: str, now: datetime) -> bool:
        """Whether an order may be tried at a provider; the one that is let through holds the others back."""
        with self._lock:
            state = self._states.get(provider)
            if state is None or state.failures < self.failures:
                return True
            if state.until is not None and now < state.until:
                return False
            state.until = now + timedelta(seconds=self.pause_s)
            return True

    def failed(self, provider: str, now: datetime) -> None:
        """Count a failure."""
        with self._lock:
            state = self._states.setdefault(provider, _State())
            state.failures += 1
            if state.failures >= self.failures:
                state.until = now + timedelta(seconds=self.pause_s)

    def worked(self, provider: str) -> None:
        """Close it: an order went through."""
        with self._lock:
            self._states.pop(provider, None)
