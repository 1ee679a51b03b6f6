"""The nodes of a placement from the inside: linked GPUs, and how shared ones are cut."""

from math import ceil, cos, pi, sin
from typing import TYPE_CHECKING, Any, Final

from flare_core.canvas import Drawing
from flare_core.placement.types import Plan
from flare_core.plots.charts import short
from flare_core.plots.colours import CHOSEN, FITS, INK, OUT, as_written
from flare_core.plots.insides import insides

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACROSS: Final = 4
"""Nodes beside each other."""

_WIDTHS: Final = {"nvswitch": 2.5, "nvlink": 2.0, "pcie": 0.7}

Json = dict[str, Any]


def topology(plan: Plan, intent: int = 0) -> Drawing:
    """Return a drawing of the first twelve nodes of a placement: their GPUs, the links, which are taken.

    Parameters
    ----------
    intent
        The number of its placement.
    """
    nodes = insides(plan, plan.placements[intent])

    def draw(figure: "Figure") -> None:
        rows = ceil(len(nodes) / _ACROSS)
        for k, node in enumerate(nodes):
            axes = figure.add_subplot(rows, min(len(nodes), _ACROSS), k + 1)
            _graph(axes, node)
            _title(axes, node)
        if not nodes:
            axes = figure.add_subplot()
            axes.set_title("no GPUs are used", fontsize="medium")
            axes.set_axis_off()

    across = max(1, min(len(nodes), _ACROSS))
    return Drawing(draw, max(3.5, 3 * across), 0.6 + 3 * ceil(len(nodes) / _ACROSS), "topology")


def slots(plan: Plan, intent: int = 0) -> Drawing:
    """Return a drawing of how the GPUs are cut that a placement shares: MIG instances or slots.

    Parameters
    ----------
    intent
        The number of its placement.
    """
    nodes = [node for node in insides(plan, plan.placements[intent]) if node["parts"]]
    lines = [(node, gpu) for node in nodes for gpu in node["parts"]["gpus"]]

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        for row, (node, gpu) in enumerate(lines):
            axes.barh([row] * node["parts"]["slices"], 1, left=range(node["parts"]["slices"]), color="white",
                      edgecolor=OUT, height=0.7)  # fmt: skip
            for part in gpu["taken"]:
                _part(axes, row, part)
        labels = [short(f"{node['offer']}/{node['node']}, GPU {gpu['gpu']}") for node, gpu in lines]
        axes.set_yticks(range(len(lines)), labels, fontsize="small")
        as_written(*axes.get_yticklabels())
        axes.set_ylim(max(1, len(lines)) - 0.5, -0.5)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_xlabel("memory slices or slots" if lines else "no GPU is shared")

    return Drawing(draw, 9, 1 + 0.5 * max(1, len(lines)), "slots")


def _part(axes: "Axes", row: int, part: Json) -> None:
    colour = CHOSEN if part["own"] else OUT
    [bar] = axes.barh(row, part["size"], left=part["start"], height=0.7, color=colour, edgecolor="white")
    middle = part["start"] + part["size"] / 2
    label = axes.text(middle, row, part["label"], ha="center", va="center", color="white", fontsize="x-small")
    label.set_clip_path(bar)
    as_written(label)


def _graph(axes: "Axes", node: Json) -> None:
    count = node["gpus"]
    at = (
        [(sin(2 * pi * k / count), cos(2 * pi * k / count)) for k in range(count)]
        if count > 1
        else [(0.0, 0.0)]
    )
    pairs = [(at[each["a"]], at[each["b"]], each["kind"]) for each in node["links"]]
    if node["switch"]:
        pairs = [((0.0, 0.0), each, "nvswitch") for each in at]
    for one, other, kind in pairs:
        colour, width = OUT if kind == "pcie" else FITS, _WIDTHS.get(kind, 0.7)
        axes.plot(*zip(one, other, strict=True), color=colour, linewidth=width, zorder=1)
    if node["switch"]:
        box = {"boxstyle": "round", "facecolor": "white", "edgecolor": FITS}
        axes.text(0, 0, "NVSwitch", ha="center", va="center", fontsize="x-small", bbox=box)
    chosen, free = {each["gpu"] for each in node["chosen"]}, set(node["free"])
    for gpu, (x, y) in enumerate(at):
        fill = CHOSEN if gpu in chosen else "white" if gpu in free else OUT
        axes.scatter(
            x, y, s=220, marker="s", color=fill, edgecolors=CHOSEN if gpu in chosen else OUT, zorder=2
        )
        ink = INK if fill == "white" else "white"
        axes.text(x, y, str(gpu), ha="center", va="center", color=ink, fontsize="small", zorder=3)


def _title(axes: "Axes", node: Json) -> None:
    name, model = f"{node['offer']}/{node['node']}", f"{node['gpus']} × {node['model']}"
    title = "\n".join(part if len(part) <= 34 else f"{part[:16]}…{part[-16:]}" for part in (model, name))
    as_written(axes.set_title(title, fontsize="small"))
    axes.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), aspect="equal")
    axes.set_axis_off()
