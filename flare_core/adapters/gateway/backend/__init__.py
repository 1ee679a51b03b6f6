"""Backends: who has the capacity and runs what is placed on it.

::

    port     what a backend is
    reading  offers from files
    local    one that runs nothing and tells a plausible life: for trying out, and for tests
"""

from flare_core.adapters.gateway.backend.port import (
    Backend,
    BackendError,
    Order,
    Phase,
    RefusedError,
    Report,
)

__all__ = ["Backend", "BackendError", "Order", "Phase", "RefusedError", "Report"]
