"""The drawing of when tasks run: the same bytes for the same plan, and it shows what is there."""

import html
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

import flare_core as flare
from flare_core.placement import gantt
from flare_core.placement.gantt import lines_of
from tests.worlds import World, intent, offer, world

BATCH = intent("b", "batch", 5, workload__job__timeout="1h", constraints__deadline="2026-01-15T13:00:00Z")


def mixed() -> World:
    jobs = [intent(name, "job", workload__job__timeout="1h") for name in ("j", "k")]
    return world([*jobs, BATCH, intent("s")], offer("o", 1, 2, nodes=2), offer("p", 3))


def texts(svg: str) -> list[str]:
    return [html.unescape(text).strip() for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def test_every_task_is_on_one_line_and_no_line_has_two_at_a_time() -> None:
    plan = mixed().place()
    lines = lines_of(plan)
    assert sum(len(line.bars) for line in lines) == len(plan.assignments.offer)
    for line in lines:
        ends = [bar.end for bar in line.bars]
        assert all(0 <= end <= bar.start for end, bar in zip(ends, line.bars[1:], strict=False))
    assert [line.node for line in lines] == sorted(line.node for line in lines)


def test_a_drawing_names_nodes_and_intents() -> None:
    shown = texts(mixed().place().svg())
    assert {"o/0", "o/1", "j", "k", "b", "s", "UTC"} <= set(shown)
    assert shown.count("b") == 5
    assert any(re.fullmatch(r"8 tasks on \d nodes", text) for text in shown)


def test_a_plan_of_nothing_is_drawn_empty() -> None:
    plan = world(intent(constraints__max_hourly_cost="0.1 EUR"), offer("o")).place()
    assert texts(plan.svg()) == ["nothing is placed"]


@pytest.mark.parametrize("name", ["a$x^2$b", "<o>&", "\u6771\u4eac", "x_{1}"])
def test_any_name_is_drawn_as_it_is_written(name: str) -> None:
    svg = world(intent(), offer(name)).place().svg()
    ElementTree.fromstring(svg)  # noqa: S314  # our own drawing
    assert f"{name}/0" in texts(svg)


def test_what_are_too_many_lines_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gantt, "MOST_LINES", 3)
    assert "8 tasks on 3 nodes; 2 more lines are not drawn" in texts(mixed().place().svg())


_DRAWING = """
from tests.placement.test_gantt import mixed
import sys
sys.stdout.write(mixed().place().svg())
"""


def test_another_process_draws_the_same_bytes() -> None:
    here = mixed().place().svg()
    there = subprocess.run([sys.executable, "-c", _DRAWING], capture_output=True, text=True, check=True)
    assert there.stdout == here
    assert "<dc:date>" not in here


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    plan = mixed().place()
    with pytest.raises(flare.OptionsError, match="extra 'plot'"):
        plan.svg()
