"""FLARE beside others: the questions are what they say, and who is absent is said to be."""

import numpy as np
import pytest

import flare_core as flare
from benchmarks import mixed, peers
from benchmarks.scenarios import NOW


def test_a_peer_that_is_not_installed_is_left_out_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(peers.PYTHON, raising=False)
    rows = list(peers.measured(None, ["skypilot", "savings", "policies"]))
    assert all(row.reached is None and row.met is None for row in rows)
    assert all("not measured" in row.note for row in rows)


def test_the_gang_of_racks_is_measured() -> None:
    rows = list(peers.measured(None, ["gang"]))
    assert [row.unit for row in rows] == ["s", "s"]
    assert all(row.reached is not None for row in rows)


def test_half_full_nodes_are_half_full_and_unlike() -> None:
    intents, inventory = peers.half_full(60, 1)
    free = inventory.groups.free_cpu_milli
    assert len(intents) == 50
    assert np.unique(inventory.groups.offer).size == 60
    assert (free.min() >= 1_000, free.max() <= 50_000) == (True, True)
    plan = flare.place(intents, inventory, now=NOW, options=flare.Options(effort=0.05))
    assert not flare.verify(plan, intents, inventory)


def test_mixed_intents_are_valid_and_of_all_kinds() -> None:
    """Each of them is read, none twice the same, and together they ask for every section."""
    documents = mixed.intents(200)
    assert mixed.intents(200) == documents != mixed.intents(200, seed=1)
    assert len({flare.read_intent(each).name for each in documents}) == 200
    asked = {field for each in documents for field in each["constraints"]}
    assert asked >= {"compliance", "security", "energy", "performance", "providers", "deadline"}
    assert asked >= {"max_hourly_cost", "max_total_cost", "max_latency_ms", "preemptible"}


def test_the_finite_nodes_are_as_many_as_asked_for() -> None:
    assert sum(offer["nodes"] for offer in mixed.finite(mixed.NODES)) == mixed.NODES
