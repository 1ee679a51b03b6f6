"""Charts: what constraints removed, a search over time, allocation by arrivals, settings side by side."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Final

from flare_core.candidates.types import Funnel
from flare_core.canvas import Drawing
from flare_core.options import Progress
from flare_core.plots.colours import CHOSEN, FITS, INK, LAND, as_written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LONGEST: Final = 60
"""Characters of a label; what is longer is cut."""


def funnel(told: Funnel) -> Drawing:
    """Return a drawing of how many offers are left after each constraint, in the order in which they apply.

    Parameters
    ----------
    told
        ``plan.funnels[0]`` or ``explanation.funnel``. Rules that removed no further offer are left out.
    """
    steps = [step for step in told.steps if step.first]

    def draw(figure: "Figure") -> None:
        axes, left = _axes(figure), told.offers
        labels, amounts = ["all offers"], [left]
        for step in steps:
            left -= step.first
            labels.append(short(f"{step.path or step.rule}: {step.asked}"))
            amounts.append(left)
            axes.barh(len(amounts) - 1, left + step.first, color=LAND)
        axes.barh(range(len(amounts)), amounts, color=FITS)
        _rows(axes, labels)
        axes.set_xlim(0, max(1, told.offers) * 1.12)
        for row, amount in enumerate(amounts):
            before = amounts[max(0, row - 1)]
            said = f"{amount}" if not row else f"{amount} (−{before - amount})"
            axes.text(before, row, f" {said}", va="center", fontsize="small")
        axes.set_xlabel(f"offers left; {told.accepted} of {told.offers} fit")

    return Drawing(draw, 8, 1.2 + 0.34 * (1 + len(steps)), "funnel")


def bound(progress: Sequence[Progress]) -> Drawing:
    """Return a drawing of a search over time: the best objective and what is proven of it.

    Parameters
    ----------
    progress
        What ``Options(on_progress=…)`` was told, in order; objectives that are not known are left out.
    """

    def draw(figure: "Figure") -> None:
        axes = _axes(figure)
        for name, colour in (("incumbent", CHOSEN), ("bound", FITS)):
            known = [(each.time_s, value) for each in progress if (value := getattr(each, name)) is not None]
            if known:
                times, values = zip(*known, strict=True)
                axes.step(times, values, where="post", marker=".", color=colour, label=name)
        axes.set(xlabel="seconds", ylabel="objective")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False)

    return Drawing(draw, 7, 4, "bound")


def allocation(lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Drawing:
    """Return a drawing of how much of a fleet is allocated while tasks arrive.

    Parameters
    ----------
    lines
        For each policy what has arrived, and what is allocated then: both percent of the fleet's GPUs.

    Raises
    ------
    ValueError
        Where the two of a policy are not equally long.
    """
    pairs = [(name, list(zip(*both, strict=True))) for name, both in lines.items()]

    def draw(figure: "Figure") -> None:
        axes = _axes(figure)
        for name, points in pairs:
            axes.plot([x for x, _ in points], [y for _, y in points], label=short(name))
        most = max((x for _, points in pairs for x, _ in points), default=100.0)
        axes.plot(
            [0, min(100.0, most), most], [0, min(100.0, most), min(100.0, most)], ":", color=INK, alpha=0.4
        )
        axes.set(xlabel="arrived, % of all GPUs", ylabel="allocated, % of all GPUs")
        if pairs:
            as_written(*axes.legend(frameon=False).get_texts())

    return Drawing(draw, 7, 4, "allocation")


def tuning(measured: Mapping[str, Sequence[float]], unit: str = "seconds") -> Drawing:
    """Return a drawing of settings side by side: a dot for each scenario, a line at the median.

    Parameters
    ----------
    measured
        For each setting its figure in each scenario, above 0; less is better.
    unit
        What the figures are.
    """
    settings = [(name, list(figures)) for name, figures in measured.items()]

    def draw(figure: "Figure") -> None:
        axes = _axes(figure)
        for row, (_, figures) in enumerate(settings):
            axes.scatter(figures, [row] * len(figures), color=FITS, alpha=0.6, zorder=3)
            if figures:
                axes.plot([median(figures)] * 2, [row - 0.35, row + 0.35], color=CHOSEN, linewidth=2.5)
        if any(figures for _, figures in settings):
            axes.set_xscale("log")
        _rows(axes, [short(name) for name, _ in settings])
        axes.set_xlabel(f"{unit} (line: median; less is better)")
        axes.grid(visible=True, axis="x", alpha=0.3)

    return Drawing(draw, 8, 1.2 + 0.34 * max(1, len(settings)), "tuning")


def short(text: str) -> str:
    """Return a label that leaves room for what it labels."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _axes(figure: "Figure") -> "Axes":
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _rows(axes: "Axes", labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), labels, fontsize="small")
    as_written(*axes.get_yticklabels())
    axes.set_ylim(max(1, len(labels)) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
