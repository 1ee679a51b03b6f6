"""``flare verify``: a saved plan held against what it was made from."""

from pathlib import Path

import pytest

from tests.cli.conftest import Flare
from tests.cli.worlds import NOW, federation, service, written


@pytest.fixture
def world(tmp_path: Path) -> tuple[Path, Path]:
    return written(tmp_path, "intent.json", service()), written(tmp_path, "offers.json", federation())


def test_a_plan_passes_and_a_changed_one_does_not(
    flare: Flare, tmp_path: Path, world: tuple[Path, Path]
) -> None:
    intent, offers = world
    document = flare("place", intent, "-i", offers, "--now", NOW, "--json").document
    good = flare("verify", written(tmp_path, "plan.json", document), intent, "-i", offers)
    assert (good.status, good.out) == (0, "nothing is violated\n")
    document["placements"][0]["hourly_cost"] = "1.00 EUR/hour"
    changed = written(tmp_path, "changed.json", document)
    bad = flare("verify", changed, intent, "-i", offers)
    assert bad.status == 3
    assert "placements.0.hourly_cost" in bad.out
    told = flare("verify", changed, intent, "-i", offers, "--json")
    assert told.status == 3
    assert told.document["status"] == "violated"
    assert "placements.0.hourly_cost" in {v["path"] for v in told.document["violations"]}


def test_a_plan_comes_from_standard_input(flare: Flare, world: tuple[Path, Path]) -> None:
    intent, offers = world
    plan = flare("place", intent, "-i", offers, "--now", NOW, "--json").out
    done = flare("verify", "-", intent, "-i", offers, "--json", stdin=plan)
    assert (done.status, done.document) == (0, {"status": "ok", "violations": []})


def test_the_offers_matter(flare: Flare, world: tuple[Path, Path]) -> None:
    intent, offers = world
    plan = flare("place", intent, "-i", offers, "--now", NOW, "--json").out
    done = flare("verify", "-", intent, stdin=plan)  # against the demonstration federation
    assert done.status == 3
    assert "north-oslo-h100" in done.out


def test_a_plan_around_another_is_made_and_checked(
    flare: Flare, tmp_path: Path, world: tuple[Path, Path]
) -> None:
    intent, offers = world
    first = flare("place", intent, "-i", offers, "--now", NOW, "--json").document
    before = written(tmp_path, "before.json", first)
    later = "2026-01-15T12:00:00Z"
    done = flare("place", intent, "-i", offers, "--now", later, "--current", before, "--json")
    assert (done.status, done.document["placements"]) == (0, first["placements"])
    same = flare("verify", "-", intent, "-i", offers, "--current", before, "--now", later, stdin=done.out)
    assert (same.status, same.out) == (0, "nothing is violated\n")
    moved = done.document
    moved["placements"][0]["start_time"] = later
    plan = written(tmp_path, "moved.json", moved)
    bad = flare("verify", plan, intent, "-i", offers, "--current", before, "--now", later)
    assert (bad.status, bad.out.startswith("current: placements.0: ")) == (3, True)


def test_a_plan_before_needs_the_moment_and_is_a_plan(
    flare: Flare, tmp_path: Path, world: tuple[Path, Path]
) -> None:
    intent, offers = world
    plan = written(tmp_path, "plan.json", flare("place", intent, "-i", offers, "--json").document)
    assert "--now" in flare("verify", plan, intent, "-i", offers, "--current", plan).err
    wrong = written(tmp_path, "wrong.json", {"placements": []})
    done = flare("place", intent, "-i", offers, "--current", wrong)
    assert (done.status, "current.wall_time_s" in done.err) == (2, True)
