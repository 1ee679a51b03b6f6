"""``flare submit``, ``status``, ``list``, ``cancel``, ``accept``, ``resources``, against a gateway."""

import json
import signal
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Flare
from tests.cli.worlds import batch, federation, service, written
from tests.gateway.ops.served import FLARE, PATIENT_S, Served, environment, served

USERS = count()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("remote")
    offers = federation()
    for offer in offers["offers"]:
        offer["nodes"] = None
    (folder / "offers.json").write_text(json.dumps(offers))
    with served(folder, FLARE_POLL_S="0.05", FLARE_SUBMIT_WAIT_S="30") as server:
        server.ready()
        yield server


@pytest.fixture(autouse=True)
def user(gateway: Served, monkeypatch: pytest.MonkeyPatch) -> str:
    """A user of this test's own, whose token the environment holds."""
    name = f"user-{next(USERS)}"
    monkeypatch.setenv("FLARE_URL", gateway.url)
    monkeypatch.setenv("FLARE_TOKEN", gateway.token(user=name))
    return name


def stretched() -> dict[str, Any]:
    """An intent that gets an offer of negotiation."""
    document = service("stretched", max_hourly_cost="9.50 EUR")
    document["intent"]["constraints"]["negotiation"] = {"price_flexibility": 0.15}
    return document


def test_an_intent_is_submitted_shown_listed_and_cancelled(flare: Flare, tmp_path: Path) -> None:
    done = flare("submit", written(tmp_path, "chat.json", service()), "--json")
    made = done.document["intents"][0]
    assert (done.status, made["status"], made["data"]["selected_provider"]) == (0, "pending", "north")
    waited = flare("status", made["intent_id"], "--wait")
    assert waited.status == 0
    assert waited.err.splitlines()[-1].startswith(f"flare: {made['intent_id']} running: ")
    assert "north oslo" in waited.out
    assert "10.00" in waited.out
    assert flare("list").out == flare("status", made["intent_id"]).out
    listed = flare("list", "--status", "running", "--json").document["intents"]
    assert [each["intent_id"] for each in listed] == [made["intent_id"]]
    gone = flare("cancel", made["intent_id"], "--json")
    assert (gone.status, gone.document["intents"][0]["status"]) == (0, "cancelled")
    assert flare("status", made["intent_id"]).status == 3
    assert flare("list", "--status", "running").err == "flare: no intents\n"


def test_submitting_can_wait_until_it_runs(flare: Flare, tmp_path: Path) -> None:
    done = flare("submit", written(tmp_path, "chat.json", service()), "--wait", "--json")
    assert (done.status, done.document["intents"][0]["status"]) == (0, "running")
    assert " pending: " in done.err.splitlines()[0]
    assert " running: " in done.err.splitlines()[-1]


def test_of_several_intents_each_has_its_own_end(flare: Flare, tmp_path: Path) -> None:
    lines = [service(), service("poor", max_hourly_cost="1 EUR"), batch()]
    path = tmp_path / "intents.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    done = flare("submit", path, "--json")
    assert done.status == 3
    first, poor, last = done.document["intents"]
    assert first["data"]["assignments"]
    assert last["data"]["assignments"]
    assert (poor["error_code"], poor["status"]) == ("COST_LIMIT_EXCEEDED", "error")
    assert poor["suggestions"]
    told = done.err.splitlines()
    assert told[0].startswith("flare: poor: ")
    assert "(COST_LIMIT_EXCEEDED, req-" in told[0]
    assert told[1].startswith("flare:   instead: ")
    assert len(flare("list", "--json").document["intents"]) == 2


def test_a_submission_is_known_by_its_key(flare: Flare, tmp_path: Path) -> None:
    words = ("submit", written(tmp_path, "chat.json", service()), "--idempotency-key", "once", "--json")
    assert flare(*words).document == flare(*words).document
    several = flare(*words[:2], written(tmp_path, "other.json", batch()), *words[2:])
    assert several.status == 2
    assert "found 2 intents, expected one for one key" in several.err


def test_what_would_be_placed_is_told(flare: Flare, tmp_path: Path) -> None:
    rich, poor = service(), service("poor", max_hourly_cost="1 EUR")
    path = written(tmp_path, "chat.json", rich)
    done = flare("submit", path, "--dry-run")
    assert done.status == 0
    assert "north oslo" in done.out
    both = flare("submit", path, written(tmp_path, "poor.json", poor), "--dry-run", "--json")
    assert both.status == 3
    became = [plan["placements"][0]["status"] for plan in both.document["plans"]]
    assert became == ["placed", "rejected"]
    assert "rejected" in flare("submit", tmp_path / "poor.json", "--dry-run").out
    assert flare("list").err == "flare: no intents\n"


def test_an_offer_is_told_and_accepted(flare: Flare, tmp_path: Path) -> None:
    done = flare("submit", written(tmp_path, "stretched.json", stretched()), "--wait")
    assert done.status == 3
    told = done.err.splitlines()[-1]
    assert told.startswith("flare: to accept the offer until ")
    words = told.partition(": flare ")[2].split()
    assert flare(*words[:2], "acc_wrong").status == 2
    accepted = flare(*words, "--json")
    assert accepted.status == 0
    assert accepted.document["intents"][0]["assignments"]


def test_what_is_free_is_shown(flare: Flare) -> None:
    shown = flare("resources", "--model", "nvidia-l4").out
    assert "elastic" in shown
    assert "3.00" in shown
    assert "nvidia-h100" not in shown
    found = flare("resources", "--provider", "north", "--json").document["available_gpus"]
    assert [(each["model"], each["count"]) for each in found] == [("nvidia-h100", None)]
    assert flare("resources", "--model", "nvidia-b200").err == "flare: nothing of that kind is free\n"


@pytest.mark.parametrize(
    "words", ["list", "resources", "status intent-x", "cancel intent-x", "accept intent-x y"]
)
@pytest.mark.parametrize(
    ("name", "value", "status", "said"),
    [
        ("FLARE_TOKEN", "", 2, "flare: FLARE_TOKEN: found no API token, expected one there or by --token"),
        ("FLARE_TOKEN", "a b", 2, "flare: FLARE_URL, FLARE_TOKEN: a token is a word"),
        ("FLARE_TOKEN", "flr_nobody", 2, "(INVALID_TOKEN, req-"),
        ("FLARE_URL", "flare.example", 2, "the URL of a gateway is like"),
    ],
)
def test_who_is_not_let_in_is_told_why(
    flare: Flare, monkeypatch: pytest.MonkeyPatch, words: str, name: str, value: str, status: int, said: str
) -> None:
    monkeypatch.setenv(name, value)
    done = flare(*words.split(), "--json")
    assert done.status == status
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert json.loads(done.out)


def test_one_of_several_that_is_not_there_hides_no_other(flare: Flare, tmp_path: Path) -> None:
    made = flare("submit", written(tmp_path, "chat.json", service()), "--json").document["intents"][0]
    done = flare("status", made["intent_id"], "intent-0", "--json")
    assert done.status == 2
    assert [each.get("error_code") for each in done.document["intents"]] == [None, "NOT_FOUND"]
    assert flare("cancel", "intent-0", made["intent_id"]).status == 2
    assert flare("status", made["intent_id"], "--json").document["intents"][0]["status"] == "cancelled"


def test_a_wrong_intent_never_leaves(flare: Flare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLARE_URL", "http://127.0.0.1:1")
    document = service()
    document["intent"]["workload"]["resources"]["gpu"]["count"] = "two"
    done = flare("submit", written(tmp_path, "chat.json", document), "--json")
    assert (done.status, done.document["path"]) == (2, "workload.resources.gpu.count")


def test_where_nobody_answers_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flare: Flare
) -> None:
    monkeypatch.setenv("FLARE_URL", "http://127.0.0.1:1")
    done = flare("submit", written(tmp_path, "chat.json", service()), "--json")
    assert done.status == 4
    assert done.document["intents"][0]["error_code"] == "UNAVAILABLE"
    assert "no answer from the gateway" in done.err


def test_ctrl_c_says_how_to_go_on(gateway: Served, tmp_path: Path) -> None:
    """Following an intent that waits is interrupted; the intent is not."""
    document = service("waits", max_hourly_cost="1 EUR")
    document["intent"]["constraints"]["negotiation"] = {"price_flexibility": 0, "fallback_strategy": "queue"}
    path = written(tmp_path, "waits.json", document)
    more = {"FLARE_URL": gateway.url, "FLARE_TOKEN": gateway.token(user=f"user-{next(USERS)}")}
    process = subprocess.Popen(
        [*FLARE, "submit", str(path), "--wait"],
        env=environment(tmp_path, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process:
        line = process.stderr.readline()
        while "queued" not in line:
            assert line
            line = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        left = process.stderr.read()
        assert process.wait(PATIENT_S) == 4
    intent = line.split()[1]
    assert left == f"flare: {intent} goes on by itself; to go on watching: flare status {intent} --wait\n"
