"""``flare explain``: why there or why not, in words or as one document."""

from pathlib import Path

import pytest

import flare_core
from tests.cli.conftest import Flare
from tests.cli.worlds import EXAMPLES, NOW, federation, service, written

PLACED = """\
chat is placed: 2 tasks on south-rome-h100, for 12.00 EUR/hour
 - Proven: no other placement that meets every constraint is cheaper.

Why there
 - 2 of 4 offers could serve a task.
 - The next best is south-pisa-h100: 2.40 EUR/hour more (+20.0%).
 - A node of south-rome-h100 may rise from 12.00 EUR/hour to just below 14.40 EUR/hour; above that the choice
   is south-pisa-h100.

What your constraints cost
 - constraints.location (EU): without it the choice would be north-oslo-h100, 2.00 EUR/hour less (-16.7%).
 - These cost nothing: workload.resources.gpu.model, workload.resources.gpu.count,
   constraints.max_hourly_cost, workload.resources.cpu, workload.resources.memory.
"""


@pytest.fixture
def offers(tmp_path: Path) -> Path:
    return written(tmp_path, "offers.json", federation())


@pytest.fixture
def intent(tmp_path: Path) -> Path:
    return written(tmp_path, "chat.json", service(location="EU", max_hourly_cost="20 EUR"))


def test_a_placement_is_explained_in_words(flare: Flare, intent: Path, offers: Path) -> None:
    done = flare("explain", intent, "-i", offers, "--now", NOW)
    assert done.status == 0
    assert done.out.startswith(PLACED)
    assert "constraints.location" in done.out.split("What each rule removed")[1]


def test_the_document_is_that_of_the_library(flare: Flare, intent: Path, offers: Path) -> None:
    done = flare("explain", intent, "-i", offers, "--json", "--now", NOW)
    told = flare_core.explain(
        flare_core.read_intent(intent), flare_core.read_inventory(offers), now=NOW
    ).to_dict()
    told["plan"]["wall_time_s"] = done.document["plan"]["wall_time_s"]
    assert done.document == told


def test_a_rejected_intent_leaves_with_3_and_its_reason(flare: Flare, tmp_path: Path, offers: Path) -> None:
    poor = written(tmp_path, "poor.json", service(max_hourly_cost="9 EUR"))
    done = flare("explain", poor, "-i", offers, "--now", NOW)
    assert done.status == 3
    assert done.out.startswith("chat is not placed (COST_LIMIT_EXCEEDED)")
    document = flare("explain", poor, "-i", offers, "--now", NOW, "--json").document
    assert (document["status"], document["error"]["error_code"]) == ("rejected", "COST_LIMIT_EXCEEDED")


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("0*.json")), ids=lambda path: path.stem)
def test_every_example_is_explained(flare: Flare, example: Path) -> None:
    done = flare("explain", example, "--now", NOW)
    assert done.status == 0
    assert "demonstration federation" in done.out
    assert "Why there" in done.out


def test_one_intent_at_a_time(flare: Flare, tmp_path: Path, offers: Path) -> None:
    two = written(tmp_path, "two.json", [service("a"), service("b")])
    done = flare("explain", two, "-i", offers)
    assert done.status == 2
    assert "found 2 intents" in done.err


def test_the_intent_comes_from_standard_input(flare: Flare, intent: Path, offers: Path) -> None:
    done = flare("explain", "-", "-i", offers, "--json", "--now", NOW, stdin=intent.read_text())
    assert done.document["intent"] == "chat"
