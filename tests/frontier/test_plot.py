"""The drawing of a front: the same bytes for the same front, and it shows what is there."""

import html
import re
import subprocess
import sys

import pytest

import flare_core as flare
from tests.frontier.fronts import front
from tests.frontier.test_pareto import FEW, ladder, limited
from tests.worlds import intent, world


def texts(svg: str) -> set[str]:
    return {html.unescape(text).strip() for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)}


@pytest.mark.parametrize("terms", [("cost", "carbon"), ("performance", "cost", "latency")])
def test_a_drawing_names_its_terms_and_units(terms: tuple[str, ...]) -> None:
    shown = texts(front(world(intent(), *FEW), terms).svg())
    names = {
        "cost": "cost, EUR/hour (lower",
        "carbon": "carbon, g CO2/h (lower",
        "latency": "latency, ms (lower",
    }
    names["performance"] = "performance, TFLOPS (higher"
    assert {f"{names[term]} is better)" for term in terms} <= shown


def test_a_drawing_says_where_points_may_be_missing() -> None:
    shown = texts(limited(ladder(99.0), 5).svg())
    assert "web: 5 points, some may be missing" in shown
    assert "web: 2 points" in texts(front(world(intent(), *FEW), ("cost", "carbon")).svg())


def test_an_empty_front_is_drawn_empty() -> None:
    empty = front(world(intent(constraints__max_hourly_cost="0.5 EUR"), *FEW), ("cost", "latency", "carbon"))
    assert "web: 0 points" in texts(empty.svg())


_DRAWING = """
from tests.frontier.fronts import front
from tests.frontier.test_pareto import FEW
from tests.worlds import intent, world
import sys
sys.stdout.write(front(world(intent(tasks=2), *FEW), ("cost", "latency", "carbon")).svg())
"""


def test_another_process_draws_the_same_bytes() -> None:
    here = front(world(intent(tasks=2), *FEW), ("cost", "latency", "carbon")).svg()
    there = subprocess.run([sys.executable, "-c", _DRAWING], capture_output=True, text=True, check=True)
    assert there.stdout == here
    assert "<dc:date>" not in here


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    told = front(world(intent(), *FEW), ("cost", "carbon"))
    with pytest.raises(flare.OptionsError, match="extra 'plot'"):
        told.svg()
