"""``flare place``: what it prints, and the status that tells what became of the intents."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import flare_core
from flare_core.adapters.cli.output import status_of
from flare_core.inventory.demo import demo_inventory
from flare_core.placement.types import Status
from tests.cli.conftest import Flare
from tests.cli.worlds import EXAMPLES, NOW, batch, federation, service, written

SIX = sorted(EXAMPLES.glob("0*.json"))


@pytest.fixture
def offers(tmp_path: Path) -> Path:
    return written(tmp_path, "offers.json", federation())


@pytest.fixture
def intent(tmp_path: Path) -> Path:
    return written(tmp_path, "chat.json", service())


@pytest.mark.parametrize("example", SIX, ids=lambda path: path.stem)
def test_every_example_is_placed_and_printed_as_one_json_document(flare: Flare, example: Path) -> None:
    done = flare("place", example, "--json", "--now", NOW)
    assert done.status == 0
    plan = flare_core.place(flare_core.read_intent(example), demo_inventory(), now=NOW)
    assert done.document | {"wall_time_s": 0} == plan.to_dict() | {"wall_time_s": 0}
    assert "demonstration federation" in done.err


def test_all_intents_of_all_files_are_placed_together(flare: Flare, tmp_path: Path, offers: Path) -> None:
    two = written(tmp_path, "two.json", [service("a"), service("b")])
    done = flare("place", two, written(tmp_path, "c.json", batch("c")), "-i", offers, "--json", "--now", NOW)
    assert [p["intent"] for p in done.document["placements"]] == ["a", "b", "c"]
    assert done.document["objective"]["placed"] == 3


def test_intents_come_from_standard_input_as_json_lines(flare: Flare, offers: Path) -> None:
    lines = "\n".join(json.dumps(intent) for intent in (service("a"), batch("b")))
    done = flare("place", "-", "-i", offers, "--json", "--now", NOW, stdin=lines)
    assert [p["intent"] for p in done.document["placements"]] == ["a", "b"]


def test_offers_come_from_standard_input(flare: Flare, intent: Path) -> None:
    done = flare("place", intent, "--inventory", "-", "--json", "--now", NOW, stdin=json.dumps(federation()))
    assert done.document["placements"][0]["assignments"][0]["offer"] == "north-oslo-h100"


def test_a_rejected_intent_leaves_with_3_and_shows_why(flare: Flare, tmp_path: Path, offers: Path) -> None:
    poor = written(tmp_path, "poor.json", service(max_hourly_cost="9 EUR"))
    done = flare("place", poor, "-i", offers)
    assert done.status == 3
    assert "COST_LIMIT_EXCEEDED" in done.out
    assert re.search(r"^0 of 4 offers meet every constraint:|^\d of 4 offers meet", done.out, re.M)
    assert flare("place", poor, "-i", offers, "--json").document["placements"][0]["status"] == "rejected"


@pytest.mark.parametrize(
    ("became", "status"),
    [
        (["placed", "placed"], 0),
        (["placed", "rejected"], 3),
        (["unknown", "queued"], 3),
        (["placed", "unknown"], 4),
    ],
)
def test_the_status_is_that_of_the_worst_fate(became: list[str], status: int) -> None:
    intents = [flare_core.read_intent(service(name)) for name in "ab"]
    plan = flare_core.place(intents, flare_core.read_inventory(federation()), now=NOW)
    fates = [replace(p, status=Status(fate)) for p, fate in zip(plan.placements, became, strict=True)]
    assert status_of(replace(plan, placements=tuple(fates))) == status


def test_a_bug_leaves_with_1_and_a_traceback_only_where_wanted(
    flare: Flare, intent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(flare_core, "place", broken, raising=False)
    done = flare("place", intent, "--json")
    assert done.status == 1
    assert done.document["error_code"] == "INTERNAL"
    assert "bug" in done.err
    assert "Traceback" not in done.err
    assert "Traceback" in flare("place", intent, "--debug").err


def test_weights_decide_a_balance(flare: Flare, tmp_path: Path, offers: Path) -> None:
    document = service()
    document["intent"]["objective"] = "Balanced_Optimization"
    balanced = written(tmp_path, "balanced.json", document)

    def chosen(weights: str) -> str:
        done = flare("place", balanced, "-i", offers, "--json", "--now", NOW, "--weights", weights)
        return str(done.document["placements"][0]["assignments"][0]["offer"])

    assert chosen("cost=1") == "north-oslo-h100"
    assert chosen("latency=0.9,cost=0.1") == "south-pisa-h100"


def test_priority_decides_who_gets_the_last_node(flare: Flare, tmp_path: Path) -> None:
    scarce = {"version": 1, "offers": [federation()["offers"][0] | {"nodes": 1}]}
    offers = written(tmp_path, "scarce.json", scarce)
    both = written(tmp_path, "both.json", [service("a"), service("b")])
    for favourite in ("a", "b"):
        done = flare("place", both, "-i", offers, "--json", "--now", NOW, "--priority", f"{favourite}=2")
        assert done.status == 3
        assert [p["intent"] for p in done.document["placements"] if p["status"] == "placed"] == [favourite]


def test_origin_gives_unknown_latencies(flare: Flare, tmp_path: Path) -> None:
    document = federation()
    document["offers"] = [
        document["offers"][0] | {"provider": "aws", "region": "eu-north-1", "performance": {}}
    ]
    offers, intent = written(tmp_path, "o.json", document), written(tmp_path, "i.json", service())

    def placement(*words: str) -> Any:
        return flare("place", intent, "-i", offers, "--json", "--now", NOW, *words).document["placements"][0]

    assert placement()["latency_ms"] is None
    near, far = placement("--origin", "aws/eu-north-1"), placement("--origin", "40.4,-3.7")
    assert 0 < near["latency_ms"] < far["latency_ms"]
    assert placement("--origin", "-33.9,151.2")["status"] == "rejected"


def test_assumptions_fill_what_offers_do_not_say(flare: Flare, tmp_path: Path, offers: Path) -> None:
    asking = written(tmp_path, "i.json", service(compliance={"audit_logging": True}))
    known = written(tmp_path, "known.json", {"north": {"compliance": {"audit_logging": True}}})
    assert flare("place", asking, "-i", offers).status == 3
    assert flare("place", asking, "-i", offers, "--assume", known).status == 0


def test_without_an_inventory_the_output_says_whose_offers_these_are(flare: Flare) -> None:
    done = flare("place", SIX[0])
    assert done.out.startswith("Offers and prices are those of the bundled demonstration federation")
    assert done.err == ""


def test_the_funnel_is_shown_where_wanted(flare: Flare, intent: Path, offers: Path) -> None:
    assert "offers meet every constraint" not in flare("place", intent, "-i", offers).out
    explained = flare("place", intent, "-i", offers, "--explain").out
    assert re.search(r"^workload.resources.gpu.model\s+nvidia-h100\s+1\s+1\s+\d$", explained, re.M)


def test_what_reading_skipped_is_told_on_standard_error(flare: Flare, tmp_path: Path, intent: Path) -> None:
    document = federation()
    document["offers"] += [document["offers"][0] | {"id": f"bad-{k}", "provider": 1} for k in range(5)]
    done = flare("place", intent, "-i", written(tmp_path, "o.json", document), "--json")
    assert done.document["placements"][0]["status"] == "placed"
    assert len(done.err.splitlines()) == 4
    assert done.err.splitlines()[-1].startswith("flare: 2 more warnings")


def test_when_the_tasks_run_is_drawn_into_a_file(
    flare: Flare, tmp_path: Path, intent: Path, offers: Path
) -> None:
    svg = tmp_path / "plan.svg"
    done = flare("place", intent, "-i", offers, "--gantt", svg, "--json", "--now", NOW)
    assert (done.status, len(done.document["placements"])) == (0, 1)
    assert svg.read_text().startswith("<?xml")
    done = flare("place", intent, "-i", offers, "--gantt", tmp_path / "no" / "plan.svg", "--now", NOW)
    assert done.status == 2
    assert done.err.startswith("flare: gantt: cannot write")
