"""A front as a drawing: SVG by matplotlib, the same bytes for the same front."""

from typing import TYPE_CHECKING, Final

from flare_core.canvas import Drawing
from flare_core.options import TERMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from flare_core.frontier.front import Front

_BETTER: Final = {term: "higher" if term == "performance" else "lower" for term in TERMS}


def drawn(front: "Front") -> Drawing:
    """Return a drawing: the first term to the right, the second upwards, a third as colour.

    Of two terms, a line goes from point to point along what they just beat.
    """
    return Drawing(lambda figure: _draw(figure, front), 7, 4.5, "plot")


def _draw(figure: "Figure", front: "Front") -> None:
    axes = figure.add_subplot()
    first, second, *third = front.terms
    right, up = _values(front, first), _values(front, second)
    axes.set(xlabel=_label(front, first), ylabel=_label(front, second))
    axes.set_title(_title(front), fontsize="medium")
    axes.grid(visible=True, alpha=0.3)
    if third:
        dots = axes.scatter(right, up, c=_values(front, third[0]), cmap="viridis", zorder=3)
        if front.points:
            figure.colorbar(dots, label=_label(front, third[0]))
    else:
        axes.step(right, up, where="post", alpha=0.5)
        axes.scatter(right, up, zorder=3)
    _corners(axes, front)


def _corners(axes: "Axes", front: "Front") -> None:
    """Mark where points may be missing."""
    first, second, *_ = front.terms
    known = [gap for gap in front.gaps if first in gap and second in gap]
    if known:
        axes.scatter(
            [gap[first] for gap in known],
            [gap[second] for gap in known],
            marker="x",
            color="grey",
            label="gaps",
        )
        axes.legend()


def _values(front: "Front", term: str) -> list[float]:
    return [point.terms[term] for point in front.points]


def _label(front: "Front", term: str) -> str:
    return f"{term}, {front.units[term]} ({_BETTER[term]} is better)"


def _title(front: "Front") -> str:
    number = len(front)
    points = f"{number} {'point' if number == 1 else 'points'}"
    return f"{front.intent}: {points}" if front.complete else f"{front.intent}: {points}, some may be missing"
