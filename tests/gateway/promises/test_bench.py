"""``flare bench gateway`` measures what it says it measures."""

import json

import pytest

from benchmarks.gateway import loads, table
from benchmarks.gateway.raw import Reply
from flare_core.adapters.cli import main


def test_a_promise_is_kept_on_its_own_side_of_its_figure() -> None:
    assert table.Figure("what", "ms", 50).met is None
    assert table.Figure("what", "ms", 50, 50).met is True
    assert table.Figure("what", "ms", 50, 51).met is False
    assert table.Figure("what", "1/s", 150, 151, more=True).met is True
    assert table.Figure("what", "1/s", 150, 149, more=True).met is False
    assert table.Figure("what", "ms", 50, 1, ok=False).met is False


def test_a_percentile_is_what_that_share_took_at_most() -> None:
    looks = loads.Looks([Reply(200, b"", n / 1000, {}) for n in range(1, 101)], busy=True)
    assert (looks.percentile_ms(0.5), looks.percentile_ms(0.99), looks.percentile_ms(1)) == (50, 99, 100)


def test_the_command_measures_submissions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(table, "RATE_S", 0.5)
    monkeypatch.setattr(table, "WORKERS", 1)
    monkeypatch.setattr(table, "STORES", ("SQLite",))
    with pytest.raises(SystemExit, match="0"):
        main(["bench", "gateway", "--only", "submit", "--json"])
    [row] = json.loads(capsys.readouterr().out)["rows"]
    assert (row["reach"], row["unit"]) == (150, "1/s")
    assert row["reached"] > 0


def test_what_cannot_be_measured_is_wrong_input(capsys: pytest.CaptureFixture[str]) -> None:
    for words, known in (
        (["bench", "everything"], "engine"),
        (["bench", "gateway", "--only", "x"], "submit"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main(words)
        assert known in capsys.readouterr().err
