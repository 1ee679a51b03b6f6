"""The benchmarks run, measure what they say they measure, and the command line shows them."""

import json
from pathlib import Path

import numpy as np
import pytest

import flare_core as flare
from benchmarks import phases, scenarios, table, unplaced
from benchmarks.phases import Loaded
from benchmarks.scenarios import Scenario
from flare_core.adapters.cli import main

SMALL = 1_000


def placed(loaded: Loaded) -> flare.Plan:
    return flare.place(loaded.intents, loaded.inventory, now=scenarios.NOW)


@pytest.mark.parametrize("scenario", scenarios.SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_phase_of_every_scenario_runs(scenario: Scenario) -> None:
    loaded = phases.load(scenario.build(SMALL))
    assert placed(loaded).outcome is flare.Outcome.OPTIMAL
    for _, phase in phases.PHASES:
        phase(loaded)()


def test_a_market_depends_on_nothing_but_its_size_and_seed() -> None:
    def drawn(seed: int) -> str:
        scenarios.market.cache_clear()
        return json.dumps(scenarios.market(50, seed))

    assert drawn(1) == drawn(1) != drawn(2)


def test_the_phases_ask_what_place_asks() -> None:
    """The parts that are timed alone arrive at the answer of the whole."""
    for scenario in (scenarios.SINGLE[1], *scenarios.COUPLED):
        loaded = phases.load(scenario.build(SMALL))
        problem = phases.problem_of(loaded)
        found = phases.solve_all(problem)
        assert found.bound is not None
        plan = placed(loaded)
        assert problem.asks[0].found.funnel.accepted == plan.funnels[0].accepted
        assert phases.solve_first(problem).bound == found.bound
        assert problem.asks[0].score.public(found.bound + problem.asks[0].score.offset) == plan.objective


def test_the_gpu_offers_of_an_inventory_are_an_inventory() -> None:
    offers = [{**offer, "used": None} for offer in scenarios.market(30)]
    cpu = {**offers[0], "id": "a-cpu", "gpu": None}
    every = flare.read_inventory({"version": 1, "offers": [*offers, cpu]})
    gpus = table.with_gpus(every)
    assert len(gpus) == len(every) - 1 == len(gpus.groups)
    row = gpus.row(offers[3]["id"])
    assert gpus.value("hourly_ueur", row) == every.value("hourly_ueur", every.row(offers[3]["id"]))
    assert (gpus.groups.offer == np.arange(30)).all()


def test_a_promise_is_kept_up_to_its_figure() -> None:
    row = table.Row("what", "ms", 2)
    assert row.met is None
    kept, broken = (
        table._worst(row, [table.Timing(t, t, "a"), table.Timing(0, 0, "b")]) for t in (2e-3, 3e-3)
    )
    assert kept.met is True
    assert broken.met is False
    assert broken.to_dict()["reached"] == 3
    assert broken.note == "a 3.00, b 0.00"


def test_rows_that_need_absent_data_say_so(tmp_path: Path) -> None:
    rows = list(table.measured(table.data_folder(str(tmp_path)), ["catalogs", "loading"]))
    assert len(rows) == 4
    assert all(row.met is None and row.note.startswith("not measured") for row in rows)


def test_a_folder_that_is_none_is_no_data(tmp_path: Path) -> None:
    assert table.data_folder(str(tmp_path / "absent")) is None


def test_the_command_draws_rows_and_prints_them_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["bench", "--only", "loading", "--data", str(tmp_path)]
    with pytest.raises(SystemExit, match="0"):
        main(options)
    assert "not measured" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        main([*options, "--json"])
    (time, memory) = json.loads(capsys.readouterr().out)["rows"]
    assert (time["reach"], memory["reach"]) == (3, 300)
    assert time["met"] is None


def test_an_unknown_row_is_wrong_input(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["bench", "--only", "everything"])
    assert "expected one of single, catalogs" in capsys.readouterr().err


def test_without_a_checkout_there_is_nothing_to_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from flare_core.adapters.cli import bench

    monkeypatch.setattr(bench, "__file__", str(tmp_path / "flare_core" / "adapters" / "cli" / "bench.py"))
    with pytest.raises(SystemExit, match="2"):
        main(["bench"])
    assert "expected a checkout of the repository" in capsys.readouterr().err


def test_what_is_timed_of_a_refusal_is_what_it_says() -> None:
    """There is a conflict and a suggestion in each whole one, and what is placed first works."""
    for scenario in unplaced.SINGLE:
        loaded = unplaced.read(scenario)
        [whole] = unplaced.refuse(loaded)().placements
        assert whole.error is not None
        assert whole.error.conflicts
        assert whole.error.suggestions
        assert unplaced.say_first(loaded)().placements[0].status is flare.Status.PLACED
