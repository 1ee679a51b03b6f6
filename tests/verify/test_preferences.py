"""Preferences between the GPUs of a task: what is missed is told, as it is."""

import pytest

from flare_core.intent import read_intent
from flare_core.verify import Violation, verify

from .inside import GPU, RING, SLOTS, linked, ring
from .worlds import Json, intent, inventory, offer, patched, placement, plan, row


def found(asked: Json, offered: Json, gpus: list[int], *relaxed: tuple[str, str, str]) -> list[Violation]:
    """Return what is wrong with what is told to be missed: (field, asked, got)."""
    entries = [{"path": f"{GPU}.{field}", "asked": want, "got": got} for field, want, got in relaxed]
    wanted = intent(workload__resources__gpu={"count": len(gpus), **asked})
    milli = 250 if offered["gpu"].get("sharing_slots") else None
    told = plan(placement("web", [row(0, "a", gpus=gpus, gpu_milli=milli)], relaxed=entries))
    every = verify(told, [read_intent(wanted)], inventory(offered))
    return [violation for violation in every if violation.rule == "preference"]


PAIRS = linked([0, 1, "nvlink", "50 GB/s"], [2, 3, "nvlink", "50 GB/s"], [1, 2, "pcie"], [0, 3, "pcie"])
CLASS, SHAPE = "interconnect", "topology"


@pytest.mark.parametrize(
    ("asked", "gpus", "missed"),
    [
        ({CLASS: "nvlink"}, [0, 1], ()),
        ({CLASS: "nvlink"}, [1, 2], ((CLASS, "nvlink", "pcie"),)),
        ({CLASS: "nvlink"}, [0, 2], ((CLASS, "nvlink", "none"),)),
        ({CLASS: "pcie"}, [0, 1, 2], ()),
        ({CLASS: "pcie"}, [0, 2], ((CLASS, "pcie", "none"),)),
        ({CLASS: "nvswitch"}, [0, 1], ((CLASS, "nvswitch", "nvlink"),)),
        ({CLASS: "nvswitch"}, [0], ()),
        ({SHAPE: "ring"}, [0], ()),
        ({SHAPE: "ring"}, [0, 1], ()),
        ({SHAPE: "ring"}, [1, 2], ((SHAPE, "ring", "none"),)),
        ({SHAPE: "ring", CLASS: "pcie"}, [1, 2], ()),
        ({SHAPE: "ring", CLASS: "pcie"}, [0, 1, 2, 3], ()),
        ({SHAPE: "mesh", CLASS: "pcie"}, [0, 1, 2, 3], ()),
        ({SHAPE: "all-to-all", CLASS: "pcie"}, [0, 1, 2, 3], ((SHAPE, "all-to-all", "none"),)),
        (
            {SHAPE: "ring", CLASS: "nvlink"},
            [0, 1, 2],
            ((CLASS, "nvlink", "pcie"), (SHAPE, "ring", "none")),
        ),
        ({SHAPE: "nvswitch"}, [0, 1], ((SHAPE, "nvswitch", "none"),)),
        ({CLASS: "infiniband"}, [0, 2], ()),
        ({}, [0, 2], ()),
    ],
)
def test_the_chosen_gpus_are_what_is_judged(
    asked: Json, gpus: list[int], missed: tuple[tuple[str, str, str], ...]
) -> None:
    assert found(asked, PAIRS, gpus, *missed) == []
    assert found(asked, PAIRS, gpus, *missed, ("model", "any", "none"))
    if missed:
        assert found(asked, PAIRS, gpus, *missed[1:])
    if len(missed) > 1:
        assert found(asked, PAIRS, gpus, *missed[::-1])


@pytest.mark.parametrize(
    ("offered", "missed"),
    [
        ({"gpu__interconnect": "nvlink"}, ((SHAPE, "ring", "unknown"),)),
        ({"gpu__interconnect": "pcie"}, ((CLASS, "nvlink", "pcie"), (SHAPE, "ring", "unknown"))),
        ({"gpu__interconnect": None}, ((CLASS, "nvlink", "unknown"), (SHAPE, "ring", "unknown"))),
        ({"gpu__interconnect": "nvlink", **SLOTS}, ((SHAPE, "ring", "unknown"),)),
        ({"gpu__links": RING, "gpu__interconnect": None}, ()),
        # Nobody says how parts of GPUs are linked, whatever their GPUs are.
        (
            {"gpu__links": RING, "gpu__interconnect": None, **SLOTS},
            ((CLASS, "nvlink", "unknown"), (SHAPE, "ring", "unknown")),
        ),
    ],
)
def test_what_is_not_known_is_missed(offered: Json, missed: tuple[tuple[str, str, str], ...]) -> None:
    dark = {"gpu__model": "acme-x1", "gpu__count": 4, **offered}
    asked = {"shared": True, SHAPE: "ring", CLASS: "nvlink"}
    assert found(asked, offer("a", **dark), [0, 1], *missed) == []
    assert found(asked, offer("a", **dark), [0, 1], *missed, *missed, ("model", "any", "none"))


def test_one_gpu_has_every_link_and_shape_that_nobody_knows() -> None:
    dark = offer("a", gpu__model="acme-x1", gpu__interconnect=None)
    assert found({CLASS: "nvswitch", SHAPE: "ring"}, dark, [0]) == []
    assert found({CLASS: "nvswitch", SHAPE: "ring"}, dark, [0, 1])


def test_tasks_that_miss_it_differently_are_told_together() -> None:
    told = placement("web", [row(0, "a", gpus=[0, 2]), row(1, "a", gpus=[1, 3]), row(2, "b")])
    asked = intent(workload__resources__gpu={"count": 2, "interconnect": "nvlink"})
    other = offer("b", gpu__interconnect="pcie", gpu__model="acme-x1")
    entry = {"path": f"{GPU}.{CLASS}", "asked": "nvlink", "got": "none, pcie"}
    document = plan({**told, "relaxed": [entry]})
    every = verify(document, [read_intent(asked)], inventory(PAIRS, other))
    assert "preference" not in {violation.rule for violation in every}


@pytest.mark.parametrize("fallback", ["fail", "queue"])
def test_with_the_fallback_fail_nothing_may_be_missed(fallback: str) -> None:
    given = ring()
    asked = intent(
        workload__resources__gpu={"count": 4, SHAPE: "all-to-all", CLASS: "nvlink"},
        constraints__negotiation={"fallback_strategy": fallback},
    )
    broken = verify(given.document, [read_intent(asked)], given.inventory)
    assert [v.rule for v in broken] == (["preference"] if fallback == "fail" else [])
    quiet = patched(given.document, {"placements.0.relaxed": []})
    assert len(verify(quiet, [read_intent(asked)], given.inventory)) == (2 if fallback == "fail" else 1)
