"""Where offers are, which of them fit, and where a placement goes."""

import json
import re
from functools import cache
from importlib.resources import files
from math import radians
from typing import TYPE_CHECKING, Any, Final

from flare_core.canvas import Drawing
from flare_core.placement.types import Plan
from flare_core.plots.charts import short
from flare_core.plots.colours import CHOSEN, FITS, LAND, OUT, as_written
from flare_core.plots.places import Places

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DRAWN: Final = ("adapters", "explorer", "static", "world.js")  # one file, of the explorer's page as well
_KINDS: Final = (("ruled out", OUT, 12, 2), ("fits", FITS, 34, 3), ("chosen", CHOSEN, 90, 4))


def project(lat: float, lon: float) -> tuple[float, float]:
    """Return where a point is on the map: the Natural Earth projection, 180 units a radian, y downwards.

    Source of the polynomials: Šavrič, Jenny, Patterson, Petrovič and Hurni, "A Polynomial Equation for the
    Natural Earth Projection", Cartography and Geographic Information Science 38(4), 2011.
    """
    turn, p = radians(lon), radians(lat)
    p2, p4 = p**2, p**4
    x = turn * (0.8707 - 0.131979 * p2 + p4 * (-0.013791 + p4 * (0.003971 * p2 - 0.001529 * p4)))
    y = p * (1.007226 + p2 * (0.015085 + p4 * (-0.044475 + 0.028874 * p2 - 0.005916 * p4)))
    return 500 + 180 * x, 250 - 180 * y


def place_map(plan: Plan, intent: int = 0) -> Drawing:
    """Return a map of the inventory of a plan: where the tasks of one intent go, and what else fits it.

    Of a region that the catalog does not know its country's capital is marked; one whose country is not known
    is left out.

    Parameters
    ----------
    intent
        The number of its placement.
    """
    found, inventory = plan.placements[intent], plan.inventory
    places = Places.of(inventory)
    used = set(places.code[plan.assignments.offer[found.rows]].tolist())
    told = places.told(plan.funnels[intent])

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        for ring in _land():
            axes.fill(*zip(*ring, strict=True), color=LAND, linewidth=0.3)
        groups: dict[str, list[tuple[float, float]]] = {name: [] for name, *_ in _KINDS}
        for k, place in enumerate(told):
            if place["lat"] is not None:
                at = project(place["lat"], place["lon"])
                groups["chosen" if k in used else "fits" if place["fit"] else "ruled out"].append(at)
                if k in used:
                    _name(axes, at, place)
        for name, colour, size, above in _KINDS:
            if groups[name]:
                right, up = zip(*groups[name], strict=True)
                axes.scatter(right, up, s=size, color=colour, edgecolors="white", zorder=above, label=name)
        axes.set(xlim=(0, 1000), ylim=(430, 0), aspect="equal")
        axes.set_axis_off()
        if any(groups.values()):
            axes.legend(loc="lower left", frameon=False, fontsize="small")

    return Drawing(draw, 10, 4.4, "place_map")


def _name(axes: Any, at: tuple[float, float], place: dict[str, Any]) -> None:
    left = at[0] > 800
    label = axes.annotate(
        short(f"{place['provider']} {place['region']}"),
        at,
        xytext=(-8 if left else 8, -3),
        textcoords="offset points",
        ha="right" if left else "left",
        fontsize="small",
        zorder=5,
    )
    as_written(label)


@cache
def _land() -> tuple[tuple[tuple[float, float], ...], ...]:
    """Return the outlines of the land, projected: paths of M and L, each closed by Z or the next M."""
    text = files("flare_core").joinpath(*_DRAWN).read_text(encoding="utf-8")
    path = json.loads(re.findall(r'LAND = ("[^"]*")', text)[0])
    rings = (re.findall(r"(-?[\d.]+),(-?[\d.]+)", ring) for ring in path.split("M"))
    return tuple(tuple((float(x), float(y)) for x, y in ring) for ring in rings if len(ring) > 2)
