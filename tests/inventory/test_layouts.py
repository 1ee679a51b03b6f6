"""MIG instances in use lie where the vendor's table allows it."""

import pytest

import flare_core as flare

Mig = list[dict[str, object]]


def _offer(mig: Mig, model: str = "nvidia-a100", memory: str = "40Gi") -> dict[str, object]:
    return {
        "id": "a",
        "provider": "p",
        "region": "r",
        "nodes": 1,
        "price": {"hourly": "7.00 EUR/hour", "billing": "gpu"},
        "gpu": {
            "model": model,
            "count": 2,
            "memory": memory,
            "shared": True,
            "sharing_strategy": "mig",
        },
        "node_states": [{"node": 0, "mig": mig}],
    }


def _instance(profile: str, start: int, gpu: int = 0) -> dict[str, object]:
    return {"gpu": gpu, "profile": profile, "start": start}


@pytest.mark.parametrize(
    "mig",
    [
        [_instance("3g.20gb", 4), _instance("1g.5gb", 0)],
        [_instance("4g.20gb", 0), _instance("3g.20gb", 4)],
        [_instance("7g.40gb", 0), _instance("7g.40gb", 0, gpu=1)],
    ],
)
def test_a_layout_of_the_table_is_read(mig: Mig) -> None:
    other = _offer([]) | {"id": "b"}
    assert flare.read_inventory({"version": 1, "offers": [_offer(mig), other]}).ids == ("a", "b")


@pytest.mark.parametrize(
    ("mig", "why"),
    [
        ([_instance("4g.20gb", 4)], "cannot begin at slice 4"),
        ([_instance("3g.20gb", 0), _instance("2g.10gb", 2)], "overlaps"),
        ([_instance("3g.20gb", 0), _instance("4g.20gb", 0)], "overlaps"),
        ([_instance("2g.20gb", 0)], "no profile 2g.20gb"),
        ([_instance("1g.5gb+me", 0), _instance("1g.5gb+me", 1)], "at most 1"),
    ],
)
def test_what_cannot_lie_so_is_reported_and_skipped(mig: Mig, why: str) -> None:
    other = _offer([]) | {"id": "b"}
    inventory = flare.read_inventory({"version": 1, "offers": [_offer(mig), other]})
    assert inventory.ids == ("b",)
    assert any("node_states.0.mig" in text and why in text for text in inventory.warnings)


def test_a_part_without_mig_has_no_instances() -> None:
    bad = _offer([_instance("1g.5gb", 0)], "nvidia-t4", "16Gi")
    inventory = flare.read_inventory({"version": 1, "offers": [bad, _offer([]) | {"id": "b"}]})
    assert any("no MIG" in text for text in inventory.warnings)


def test_of_an_unknown_part_nothing_can_be_said() -> None:
    odd = _offer([_instance("9g.9gb", 7)], "acme-x1", "9Gi")
    assert flare.read_inventory({"version": 1, "offers": [odd]}).ids == ("a",)
