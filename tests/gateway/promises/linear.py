"""Whether a history is linearizable: a search after Wing and Gong, and the model of an intent.

J. Wing and C. Gong, "Testing and verifying concurrent objects", Journal of Parallel and Distributed
Computing 17, 1993.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Op:
    """An operation: when it was called and answered, what was asked, what was said."""

    call: float
    back: float
    what: str
    asked: Any
    said: Any


Model = Callable[[Any, Op], Iterable[Any]]
"""The states that an operation with this answer may lead to; none where it cannot be answered so."""


def is_linearizable(history: Sequence[Op], model: Model, first: Any) -> bool:
    """Whether operations, each at one moment between its call and its answer, can have gone one by one."""
    everything = (1 << len(history)) - 1
    seen: set[tuple[int, Any]] = set()
    stack = [(0, first)]
    while stack:
        done, state = stack.pop()
        if done == everything:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        left = [i for i in range(len(history)) if not done >> i & 1]
        soonest = min(history[i].back for i in left)
        stack += [
            (done | 1 << i, after)
            for i in left
            if history[i].call <= soonest
            for after in model(state, history[i])
        ]
    return False


ORDER = {"pending": 0, "running": 1, "cancelled": 2}

Intents = tuple[tuple[str, int, str], ...]
"""What is known of the intents of one name, the newest last: id, version at least, status word."""


def one_name(state: Intents, op: Op) -> Iterable[Intents]:
    """A workload's name, of which one intent lives at a time; by itself it goes from pending to running.

    ``submit`` is answered with an id, or None for a conflict; ``get`` with (version, word); ``cancel`` with
    True.
    """
    live = bool(state) and state[-1][2] != "cancelled"
    if op.what == "submit":
        if op.said is None:
            return [state] if live else []
        return [] if live else [(*state, (op.said, 1, "pending"))]
    place = next((i for i, known in enumerate(state) if known[0] == op.asked), None)
    if place is None:
        return []
    intent, version, word = state[place]
    if op.what == "cancel":
        new = state[place] if word == "cancelled" else (intent, version + 1, "cancelled")
        return [(*state[:place], new, *state[place + 1 :])]
    later, said = op.said
    grown = later > version and ORDER[said] >= ORDER[word] and (said != "cancelled" or word == said)
    if (later, said) != (version, word) and not grown:
        return []
    return [(*state[:place], (intent, later, said), *state[place + 1 :])]
