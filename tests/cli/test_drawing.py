"""What people see, at three widths, with and without a terminal."""

from dataclasses import replace
from pathlib import Path

import pytest

import flare_core
from flare_core.adapters.cli.look import looks
from flare_core.adapters.cli.output import PIPE_WIDTH, emit_drawn
from flare_core.adapters.cli.plans import drawn_plan
from flare_core.adapters.cli.progress import line_of
from flare_core.adapters.cli.rows import ranges, rows_of
from flare_core.placement.types import Outcome, Placement, Plan, Status
from tests.cli.conftest import Flare
from tests.cli.worlds import NOW, batch, federation, service, written

GOLDEN = Path(__file__).parent / "golden"


def wanted() -> list[flare_core.Intent]:
    """A service that misses a preference, a batch on spot, and one that nobody can pay."""
    chat = service("chat")
    chat["intent"]["workload"]["resources"]["gpu"]["interconnect"] = "nvlink"
    poor = service("poor", max_hourly_cost="9 EUR", location="EU")
    return [flare_core.read_intent(document) for document in (chat, batch(), poor)]


def planned() -> Plan:
    options = flare_core.Options(timer=lambda: 0.0)
    return flare_core.place(wanted(), flare_core.read_inventory(federation()), now=NOW, options=options)


def _offers_shown(plan: Plan) -> list[str]:
    tables = [rows_of(look) for look in looks(plan, wanted(), NOW) if look.placement.error is None]
    return [row.offer for rows in tables for row in rows]


def drawn(plan: Plan, capsys: pytest.CaptureFixture[str]) -> str:
    emit_drawn(drawn_plan(plan, looks(plan, wanted(), NOW), explain=False))
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [60, 100, 160])
def test_a_plan_is_drawn_as_wide_as_the_terminal(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = drawn(planned(), capsys)
    assert max(map(len, text.splitlines())) <= width
    assert text == (GOLDEN / f"plan-{width}.txt").read_text()


@pytest.mark.parametrize("width", [60, 100, 160])
def test_long_names_are_folded_and_never_cut(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = federation()
    document["offers"][0]["id"] = "north-" + "q" * 200
    plan = flare_core.place(wanted(), flare_core.read_inventory(document), now=NOW)
    monkeypatch.setenv("COLUMNS", str(width))
    text = drawn(plan, capsys)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("q") == 200 * sum(row.endswith("q" * 200) for row in _offers_shown(plan))


def test_no_escape_codes_without_a_terminal(flare: Flare, tmp_path: Path) -> None:
    done = flare("place", written(tmp_path, "i.json", service()), "--explain")
    assert "\x1b" not in done.out + done.err
    assert max(map(len, done.out.splitlines())) <= PIPE_WIDTH


def test_a_plan_that_is_not_proven_does_not_claim_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    cut = replace(planned(), outcome=Outcome.FEASIBLE, gap=0.0325)
    text = drawn(cut, capsys)
    assert "proven" not in text
    assert "at most 3.25 % from the best" in " ".join(text.split())  # wherever the line is broken
    assert "best found so far" in text


def test_an_unknown_fate_is_no_rejection(capsys: pytest.CaptureFixture[str]) -> None:
    whole = planned()
    nothing = tuple(Placement(intent=p.intent, status=Status.UNKNOWN) for p in whole.placements)
    unknown = replace(whole, outcome=Outcome.UNKNOWN, gap=None, placements=nothing)
    text = drawn(unknown, capsys)
    assert text.startswith("unknown · 0 of 3 placed · 0.000 s\n")
    assert "chat: unknown" in text
    assert "rejected" not in text


def negotiated(hourly: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What is drawn of a service that negotiates about a budget."""
    asked = flare_core.read_intent(service("chat", max_hourly_cost=hourly, location="EU", negotiation={}))
    plan = flare_core.place(asked, flare_core.read_inventory(federation()), now=NOW)
    emit_drawn(drawn_plan(plan, looks(plan, [asked], NOW), explain=False))
    return capsys.readouterr().out


def test_an_offer_is_drawn_with_what_gives_way_and_until_when(capsys: pytest.CaptureFixture[str]) -> None:
    text = negotiated("11 EUR", capsys)
    assert "chat: queued" in text
    assert "offered until 2024-11-01T00:05:00Z, to accept:\n12.00 EUR/hour" in text
    assert "relaxed: constraints.max_hourly_cost, asked 11 EUR, got 12.00 EUR/hour" in text
    assert "CHOSEN" in text


def test_who_waits_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    text = negotiated("6 EUR", capsys)
    assert "chat: queued\nwaits for capacity" in text
    assert "CHOSEN" not in text


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (None, "solving 1.2 s · Ctrl-C: stop with the best so far"),
        (
            flare_core.Progress(1.0, 12.5, 12.0, 0.04),
            "solving 1.2 s · best 12.5 · bound 12 · gap 4.00 % · Ctrl-C: stop with the best so far",
        ),
        (
            flare_core.Progress(1.0, None, 12.0, None),
            "solving 1.2 s · bound 12 · Ctrl-C: stop with the best so far",
        ),
    ],
)
def test_progress_is_one_line(progress: flare_core.Progress | None, line: str) -> None:
    assert line_of(progress, 1.23) == line


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([3], "3"), ([0, 1], "0-1"), ([0, 2, 3, 4, 9], "0,2-4,9")]
)
def test_ranges(numbers: list[int], text: str) -> None:
    assert ranges(numbers) == text
