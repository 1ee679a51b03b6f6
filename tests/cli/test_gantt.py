"""Bars of a plan in which not everything begins at once."""

import pytest

import flare_core as flare
from flare_core.adapters.cli.gantt import LINES, begins_later, drawn_gantt
from flare_core.adapters.cli.look import looks
from flare_core.adapters.cli.rows import rows_of
from tests.worlds import NOW, intent, offer, world

BATCH = intent("b", "batch", 5, workload__job__timeout="1h", constraints__deadline="2026-01-15T13:00:00Z")


def test_what_begins_together_is_not_drawn() -> None:
    assert not begins_later(world([intent("a", "job"), intent("s")], offer("o", gpus=2)).place())


def test_waves_and_who_waits_and_what_never_ends_are_bars() -> None:
    jobs = [intent("j", "job", workload__job__timeout="1h"), intent("k", "job", workload__job__timeout="1h")]
    plan = world([*jobs, BATCH, intent("s")], offer("o", 1, 2, nodes=2)).place()
    assert begins_later(plan)
    lines = drawn_gantt(plan, 60).plain.splitlines()
    assert max(map(len, lines)) <= 60
    bars = {tuple(line.split()[:2]): line[29:] for line in lines[1:]}
    assert lines[0].startswith("from 2026-01-15T10:00:00Z to 2026-01-15T1")
    assert all(set(bar) <= set(" █▓>") for bar in bars.values())
    assert any(bar.endswith(">") for bar in bars.values())
    assert any("█" in bar and "▓" in bar for bar in bars.values())


@pytest.mark.parametrize("width", [20, 60, 200])
def test_many_nodes_are_drawn_in_part_and_long_names_are_cut(width: int) -> None:
    many = intent(
        "b" * 60, "batch", 60, workload__job__timeout="1h", constraints__deadline="2026-01-15T12:00:00Z"
    )
    plan = world(many, offer("o", nodes=30)).place()
    lines = drawn_gantt(plan, width).plain.splitlines()
    assert lines[-1] == "and 6 more nodes"
    assert len(lines) == LINES + 2
    assert all(line[27] == "…" for line in lines[1:-1])


def test_a_row_tells_the_price_of_a_moment_and_the_waves() -> None:
    one = world(BATCH, offer("o", 1, 2))
    plan = one.place()
    [look] = looks(plan, [flare.read_intent(BATCH)], NOW)
    row = next(row for row in rows_of(look) if row.mark == "CHOSEN")
    assert (row.hourly, row.total, row.tasks) == ("1.00", "2.50", "5 on node 0 in 3 waves")
    assert row.gpus.startswith("2 × ")
