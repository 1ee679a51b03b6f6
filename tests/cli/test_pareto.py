"""``flare pareto``: what it prints and draws, and the status that it leaves with."""

import json
from pathlib import Path

import pytest

import flare_core
from flare_core.inventory.demo import demo_inventory
from tests.cli.conftest import Flare
from tests.cli.worlds import EXAMPLES, NOW, batch, federation, service, written

JUPYTER = EXAMPLES / "05-jupyter.json"


@pytest.fixture
def offers(tmp_path: Path) -> Path:
    return written(tmp_path, "offers.json", federation())


@pytest.fixture
def intent(tmp_path: Path) -> Path:
    return written(tmp_path, "chat.json", service())


def test_the_document_is_that_of_the_library(flare: Flare) -> None:
    done = flare("pareto", JUPYTER, "--terms", "cost, latency", "--json", "--now", NOW)
    assert done.status == 0
    front = flare_core.pareto(
        flare_core.read_intent(JUPYTER), demo_inventory(), now=NOW, terms=("cost", "latency")
    )
    assert done.document == front.to_dict()
    assert "demonstration federation" in done.err


def test_people_see_a_table(flare: Flare, intent: Path, offers: Path) -> None:
    done = flare("pareto", intent, "-i", offers, "--terms", "cost,latency", "--now", NOW)
    lines = done.out.splitlines()
    assert lines[0] == "chat: optimal · cost × latency · 2 points, complete, proven"
    rows = [line.split() for line in lines if "-h100" in line]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("10.00", "12", "north-oslo-h100"),
        ("14.40", "9", "south-pisa-h100"),
    ]


def test_what_is_assumed_is_marked(flare: Flare, tmp_path: Path) -> None:
    document = federation()
    document["offers"][0]["energy"] = {}
    unknown = written(tmp_path, "o.json", document)
    done = flare("pareto", written(tmp_path, "i.json", service()), "-i", unknown, "--now", NOW)
    assert "?" in next(line for line in done.out.splitlines() if "north-oslo" in line)
    assert "unknown emissions" in done.out


def test_the_drawing_goes_into_a_file(flare: Flare, tmp_path: Path, intent: Path, offers: Path) -> None:
    svg = tmp_path / "front.svg"
    assert flare("pareto", intent, "-i", offers, "--plot", svg, "--now", NOW).status == 0
    assert svg.read_text().startswith("<?xml")
    done = flare("pareto", intent, "-i", offers, "--plot", tmp_path / "no" / "front.svg", "--now", NOW)
    assert done.status == 2
    assert done.err.startswith("flare: plot: cannot write")


def test_an_intent_that_cannot_be_placed_leaves_with_3_and_shows_why(
    flare: Flare, tmp_path: Path, offers: Path
) -> None:
    poor = written(tmp_path, "poor.json", service(max_hourly_cost="9 EUR"))
    done = flare("pareto", poor, "-i", offers, "--now", NOW)
    assert done.status == 3
    assert "COST_LIMIT_EXCEEDED" in done.out
    document = flare("pareto", poor, "-i", offers, "--json", "--now", NOW).document
    assert (document["status"], document["points"]) == ("infeasible", [])


def test_a_front_told_in_part_shows_its_gaps(flare: Flare, tmp_path: Path, offers: Path) -> None:
    thumbs = batch()
    thumbs["intent"]["workload"]["resources"]["gpu"] = {"count": 1}
    mixed = federation()
    for offer, intensity in zip(mixed["offers"], (300, 200, 100, 400), strict=True):
        offer["energy"] = {"carbon_intensity": intensity, "power_usage_effectiveness": 1.2}
    done = flare(
        "pareto", written(tmp_path, "t.json", thumbs), "-i", written(tmp_path, "m.json", mixed),
        "--terms", "cost,performance", "--points", "2", "--now", NOW,
    )  # fmt: skip
    assert done.status == 0
    assert "others may be missing" in done.out
    assert "Further points may lie where all of this holds:" in done.out
    assert "more than" in done.out


def test_an_intent_comes_from_standard_input(flare: Flare, offers: Path) -> None:
    done = flare("pareto", "-", "-i", offers, "--json", "--now", NOW, stdin=json.dumps(service()))
    assert done.document["intent"] == "chat"


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("--terms", "cost"), "terms"),
        (("--terms", "cost,price"), "terms"),
        (("--points", "0"), "most_points"),
    ],
)
def test_what_makes_no_front_is_wrong_input(
    flare: Flare, intent: Path, offers: Path, words: tuple[str, ...], path: str
) -> None:
    done = flare("pareto", intent, "-i", offers, "--json", "--now", NOW, *words)
    assert (done.status, done.document["path"]) == (2, path)


def test_of_two_intents_there_is_no_front(flare: Flare, tmp_path: Path, offers: Path) -> None:
    two = written(tmp_path, "two.json", [service("a"), service("b")])
    done = flare("pareto", two, "-i", offers, "--now", NOW)
    assert done.status == 2
    assert "one intent" in done.err
