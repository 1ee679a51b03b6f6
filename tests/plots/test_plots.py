"""Drawings: the same bytes for the same arguments, everything named and inside, any name as it is written."""

import html
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from io import BytesIO
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import flare_core as flare
from flare_core import plots
from flare_core.canvas import Drawing
from flare_core.inventory.demo import demo_inventory
from flare_core.options import Progress
from tests.worlds import intent, offer, world

NOW = "2026-01-15T10:35:00Z"
MIG = {
    "id": "mig", "provider": "p", "region": "eu-west-1", "country": "IE", "nodes": 1, "cpu": "64",
    "memory": "512Gi", "price": {"hourly": "8 EUR/hour", "billing": "gpu"},
    "gpu": {"model": "nvidia-h100", "count": 1, "memory": "80Gi", "shared": True, "sharing_strategy": "mig"},
    "node_states": [{"node": 0, "free_gpus": [], "mig": [{"gpu": 0, "profile": "3g.40gb", "start": 4}]}],
}  # fmt: skip
SMALL = {
    "objective": "Cost_Minimization",
    "workload": {
        "type": "service", "name": "small", "image": "x", "scaling": {"min_replicas": 2},
        "resources": {"gpu": {"count": 1, "memory": "10Gi", "multi_instance": True}},
    },
}  # fmt: skip


def first() -> flare.Plan:
    text = (files("flare_core") / "examples" / "01-llm-inference.json").read_text()
    return flare.place(flare.read_intent(text), demo_inventory(), now=NOW)


def cut() -> flare.Plan:
    inventory = flare.read_inventory({"version": 1, "offers": [MIG]})
    return flare.place(flare.read_intent(SMALL), inventory, now=NOW)


SEARCH = (Progress(0.1, 9.0, 1.0, 0.9), Progress(0.2, 7.0, None, None), Progress(0.4, 7.0, 7.0, 0.0))
DRAWINGS: dict[str, Callable[[], Drawing]] = {
    "place_map": lambda: plots.place_map(first()),
    "funnel": lambda: plots.funnel(first().funnels[0]),
    "topology": lambda: plots.topology(first()),
    "slots": lambda: plots.slots(cut()),
    "gantt": lambda: plots.gantt(first()),
    "bound": lambda: plots.bound(SEARCH),
    "allocation": lambda: plots.allocation({"a": ([0, 50, 130], [0, 50, 95]), "b": ([0, 130], [0, 90])}),
    "tuning": lambda: plots.tuning({"default": [1.0, 2.0], "one": [0.5, 3.0]}),
    "pareto": lambda: plots.pareto(flare.pareto(flare.read_intent(SMALL), demo_inventory(), now=NOW)),
}
drawings = pytest.mark.parametrize("name", DRAWINGS)


def texts(svg: str) -> list[str]:
    return [html.unescape(text).strip() for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def test_every_drawing_is_tried() -> None:
    assert sorted(DRAWINGS) == plots.__all__


@drawings
def test_a_drawing_is_the_same_twice_and_has_no_date(name: str) -> None:
    drawing = DRAWINGS[name]()
    assert drawing.svg() == DRAWINGS[name]().svg() == drawing._repr_svg_()
    assert drawing.png(40) == drawing.png(40)
    assert drawing.png(40).startswith(b"\x89PNG")
    assert "<dc:date>" not in drawing.svg()
    ElementTree.fromstring(drawing.svg())  # noqa: S314  # our own drawing


@drawings
def test_everything_is_inside_and_nothing_is_on_top_of_a_label(name: str) -> None:
    drawing = DRAWINGS[name]()
    figure = Figure(figsize=(drawing.width, drawing.height), layout="constrained")
    drawing.draw(figure)
    figure.savefig(BytesIO(), format="png")
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box is not None
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= figure.bbox.x1 + 1
        assert box.y1 <= figure.bbox.y1 + 1
        rows = [label.get_window_extent() for label in axes.get_yticklabels() if label.get_text()]
        assert not any(one.overlaps(other) for one, other in combinations(rows, 2))


def test_drawings_say_what_they_show() -> None:
    assert any(text.startswith("all offers") for text in texts(plots.funnel(first().funnels[0]).svg()))
    assert "1g.10gb" in texts(plots.slots(cut()).svg())
    assert {"chosen", "fits", "ruled out"} <= set(texts(plots.place_map(first()).svg()))
    assert "NVSwitch" in texts(plots.topology(first()).svg())
    assert {"incumbent", "bound"} <= set(texts(plots.bound(SEARCH).svg()))


def test_nothing_is_drawn_of_nothing() -> None:
    plan = world(intent(constraints__max_hourly_cost="0.1 EUR"), offer("o")).place()
    assert "no GPUs are used" in texts(plots.topology(plan).svg())
    assert "no GPU is shared" in texts(plots.slots(plan).svg())
    for drawing in (plots.place_map(plan), plots.bound(()), plots.allocation({}), plots.tuning({})):
        assert drawing.svg()


@settings(max_examples=8)
@given(st.text("a$<>&_^{}\\\u6771\"'", min_size=1, max_size=20).filter(lambda name: name.strip() == name))
def test_any_name_is_drawn_as_it_is_written(name: str) -> None:
    shown = texts(plots.tuning({name: [1.0]}).svg())
    assert name in shown


_DRAWING = """
import sys
from tests.plots.test_plots import DRAWINGS
sys.stdout.write(DRAWINGS["place_map"]().svg() + DRAWINGS["slots"]().svg())
"""


def test_another_process_draws_the_same_bytes() -> None:
    here = DRAWINGS["place_map"]().svg() + DRAWINGS["slots"]().svg()
    there = subprocess.run([sys.executable, "-c", _DRAWING], capture_output=True, text=True, check=True)
    assert there.stdout == here


def test_the_room_is_entered_without_matplotlib_and_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from flare_core import FlareError, plots\n"
        "try: plots.bound(()).svg()\n"
        "except FlareError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "extra 'plot'" in said.stdout
