"""When the tasks of a plan run, as bars of text: a line for each node that an intent uses."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from rich.text import Text

from flare_core.adapters.cli.output import clean
from flare_core.placement.types import Plan, Status
from flare_core.quantities import format_moment

LINES: Final = 24
"""Nodes that are drawn."""

_LABEL: Final = 28
_TURNS: Final = "█▓"  # tasks that follow each other are told apart


class Lane(NamedTuple):
    """One node of an intent: its name, and when tasks begin and end there; an end below 0 is never."""

    label: str
    runs: tuple[tuple[int, int], ...]


def begins_later(plan: Plan) -> bool:
    """Whether not everything begins at the same moment, so that there is something to draw."""
    return len(set(plan.assignments.start_s.tolist())) > 1


def drawn_gantt(plan: Plan, width: int) -> Text:
    """Return the bars of a plan, at most `width` characters wide."""
    lanes = list(_lanes(plan))
    first = min(start for lane in lanes for start, _ in lane.runs)
    last = max(max(end, start + 1) for lane in lanes for start, end in lane.runs)
    room = max(8, width - _LABEL - 1)
    scale = room / (last - first)
    lines = [f"from {_moment(first)} to {_moment(last)}"]
    for lane in lanes[:LINES]:
        bar = [" "] * room
        for turn, (start, end) in enumerate(lane.runs):
            low = min(room - 1, int((start - first) * scale))
            high = room if end < 0 else max(low + 1, round((end - first) * scale))
            bar[low:high] = (">" if end < 0 else _TURNS[turn % 2]) * (min(high, room) - low)
        lines.append(f"{_fitted(lane.label)} {''.join(bar).rstrip()}")
    if len(lanes) > LINES:
        lines.append(f"and {len(lanes) - LINES} more nodes")
    return Text("\n".join(lines), no_wrap=True, overflow="crop")


def _lanes(plan: Plan) -> Iterator[Lane]:
    a = plan.assignments
    for placement in plan.placements:
        if placement.status is not Status.PLACED:
            continue
        runs: dict[tuple[int, int], set[tuple[int, int]]] = {}
        for r in range(placement.rows.start, placement.rows.stop):
            node = int(a.offer[r]), int(a.node[r])
            runs.setdefault(node, set()).add((int(a.start_s[r]), int(a.end_s[r])))
        for (offer, number), own in sorted(runs.items()):
            name = f"{placement.intent} {plan.inventory.ids[offer]}/{number}"
            yield Lane(clean(name), tuple(sorted(own)))


def _fitted(label: str) -> str:
    return label.ljust(_LABEL) if len(label) <= _LABEL else f"{label[: _LABEL - 1]}…"


def _moment(epoch_s: int) -> str:
    return format_moment(datetime.fromtimestamp(epoch_s, UTC))
