"""When the tasks of a plan run, as a drawing: SVG by matplotlib, the same bytes for the same plan.

Every node has a line for each task that runs on it at the same time; a bar is a task, its colour the intent.
What has no end reaches beyond the right edge.
"""

from collections.abc import Sequence
from datetime import UTC
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from flare_core.canvas import Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from flare_core.placement.types import Plan

MOST_LINES: Final = 400
"""Lines that are drawn; more could not be told apart."""

_COLOURS: Final = 20  # of the colour map "tab20"
_INCHES: Final = 0.22  # height of a line
_MORE: Final = 10  # a tenth of the time is drawn beyond the last start or end, where something has no end


class Bar(NamedTuple):
    """Some tasks of an intent that run together on a line: from when until when (-1 is without end)."""

    intent: str
    start: int
    end: int


class Line(NamedTuple):
    """Bars that do not overlap, on one node."""

    node: str
    bars: tuple[Bar, ...]


def lines_of(plan: "Plan") -> list[Line]:
    """Return the lines of a plan, in the order of offers and nodes; a task is on the first that is free."""
    a = plan.assignments
    rows = sorted(
        (
            int(a.offer[r]),
            int(a.node[r]),
            int(a.start_s[r]),
            plan.placements[int(a.placement[r])].intent,
            int(a.end_s[r]),
        )
        for r in range(len(a.offer))
    )
    found: list[Line] = []
    for (offer, node), own in groupby(rows, key=lambda row: row[:2]):
        lanes: list[list[Bar]] = []
        for _, _, start, intent, end in own:
            free = (lane for lane in lanes if 0 <= lane[-1].end <= start)
            lane = next(free, None)
            if lane is None:
                lanes.append(lane := [])
            lane.append(Bar(intent, start, end))
        found += (Line(f"{plan.inventory.ids[offer]}/{node}", tuple(lane)) for lane in lanes)
    return found


def drawn(plan: "Plan") -> Drawing:
    """Return a drawing with a line for each node and task at a time, and bars from start to end."""
    lines = lines_of(plan)
    height = 1.5 + _INCHES * min(len(lines), MOST_LINES)
    return Drawing(lambda figure: _draw(figure, lines), 11, height, "gantt")


def _draw(figure: "Figure", lines: Sequence[Line]) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    axes, shown = figure.add_subplot(), lines[:MOST_LINES]
    axes.set_title(_title(lines), fontsize="medium")
    if not shown:
        axes.set_axis_off()
        return
    axes.set_yticks(range(len(shown)), [line.node for line in shown])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.tick_params(axis="y", labelsize="small", length=0)
    _bars(axes, shown)
    locator = AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]  # matplotlib leaves both without types
    dates = ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates)
    axes.set_xlabel("UTC")
    axes.grid(visible=True, axis="x", alpha=0.3)


def _bars(axes: "Axes", lines: Sequence[Line]) -> None:
    from matplotlib import colormaps

    every = [bar for line in lines for bar in line.bars]
    names = {name: k for k, name in enumerate(sorted({bar.intent for bar in every}))}
    first = min(bar.start for bar in every)
    last = max(max(bar.start, bar.end) for bar in every)
    endless = any(bar.end < 0 for bar in every)
    edge = last + max(3600, (last - first) // _MORE) if endless else last
    axes.set_xlim(_days(first), _days(edge))
    for y, line in enumerate(lines):
        for bar in line.bars:
            colour = colormaps["tab20"](names[bar.intent] % _COLOURS)
            left, length = _days(bar.start), _days((edge if bar.end < 0 else bar.end) - bar.start)
            [patch] = axes.barh(y, length, left=left, height=0.8, color=colour, edgecolor="white")
            label = axes.text(left, y, f" {bar.intent}", va="center", fontsize="x-small")
            label.set_clip_path(patch)
            label.set_parse_math(False)


def _title(lines: Sequence[Line]) -> str:
    if not lines:
        return "nothing is placed"
    tasks, nodes = sum(len(line.bars) for line in lines), len({line.node for line in lines})
    told = f"{tasks} {'task' if tasks == 1 else 'tasks'} on {nodes} {'node' if nodes == 1 else 'nodes'}"
    more = len(lines) - MOST_LINES
    return f"{told}; {more} more lines are not drawn" if more > 0 else told


def _days(seconds: int) -> float:
    """Return days: what matplotlib counts dates in, since 1970."""
    return seconds / 86400
