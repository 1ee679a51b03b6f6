"""Parts of GPUs: which is due, which fit, and what a plan that gives another one is refused for."""

from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import pytest

from flare_core.catalog.gpus import parts
from flare_core.catalog.mig import profiles_of
from flare_core.intent import read_intent
from flare_core.verify import verify
from flare_core.verify.instances import fit
from flare_core.verify.offers import Offer
from flare_core.verify.shares import WHOLE, Share, share_due

from .inside import SLOTS, a100, instances, instances_of_one_task, slots
from .worlds import World, intent, inventory, offer, patched, placement, plan, row

SKU = {part.sku: part for part in parts()}
GPU = {"model": "any", "count": 1}


def due(offered: dict[str, Any], **asked: object) -> Share | None:
    wanted = intent(workload__resources__gpu={**GPU, **asked})
    return share_due(read_intent(wanted), Offer(inventory(offered), 0))


@pytest.mark.parametrize(
    ("asked", "milli"),
    [
        ({}, 250),
        ({"memory": "20Gi"}, 250),
        ({"memory": "20481Mi"}, 500),
        ({"cores": 4224}, 250),
        ({"cores": 4225}, 500),
        ({"memory": "20Gi", "cores": 12673}, 1000),
        ({"memory": "60Gi", "cores": 1}, 750),
        ({"fp32_tflops": 66}, 250),
    ],
)
def test_slots_are_the_fewest_that_cover_memory_and_cores(asked: dict[str, object], milli: int) -> None:
    share = due(offer("s", **SLOTS), shared=True, **asked)
    assert share is not None
    assert (share.milli, share.profile, share.whole) == (milli, None, False)
    assert share.slots * 250 == milli
    assert share.part == share.slots / 4


def test_thousandths_are_rounded_down() -> None:
    share = due(offer("s", **{**SLOTS, "gpu__sharing_slots": 3}), shared=True, memory="50Gi")
    assert share is not None
    assert (share.slots, share.milli) == (2, 666)


def test_a_card_of_unknown_size_has_no_slots_for_what_is_asked() -> None:
    dark = {"model": "acme-x1", "count": 2, "shared": True, "sharing_strategy": "mps", "sharing_slots": 2}
    assert due(offer("s", gpu=dark), shared=True, memory="1Gi") is None
    assert due(offer("s", gpu=dark), shared=True, cores=1) is None
    assert due(offer("s", gpu=dark), shared=True) is not None
    assert due(offer("s", **SLOTS), shared=True, memory="81Gi") is None


@pytest.mark.parametrize(
    ("asked", "profile"),
    [
        ({}, "1g.5gb"),
        ({"memory": "5Gi"}, "1g.5gb"),
        ({"memory": "10Gi"}, "1g.10gb"),
        ({"memory": "10Gi", "cores": 897}, "2g.10gb"),
        ({"cores": 896}, "1g.5gb"),
        ({"cores": 897}, "2g.10gb"),
        ({"memory": "11Gi"}, "3g.20gb"),
        ({"memory": "20Gi", "cores": 2689}, "4g.20gb"),
        ({"memory": "40Gi"}, "7g.40gb"),
        ({"fp32_tflops": "2.5"}, "1g.5gb"),
        ({"fp32_tflops": "2.6"}, "2g.10gb"),
    ],
)
def test_an_instance_is_the_smallest_that_covers_all(asked: dict[str, object], profile: str) -> None:
    share = due(a100("m"), multi_instance=True, **asked)
    assert share is not None
    assert (share.profile, share.milli, share.slots) == (profile, None, 0)
    assert share.part == Fraction(int(profile[0]), 7)
    merely_shared = due(a100("m"), shared=True, **asked)
    assert merely_shared == (due(a100("m"), shared=True) if "fp32_tflops" in asked else share)


def test_sevenths_are_quarters_on_a_card_of_four() -> None:
    small = {"model": "nvidia-a30", "count": 1, "shared": True, "sharing_strategy": "mig"}
    share = due(offer("m", gpu=small), multi_instance=True, memory="12Gi")
    assert share is not None
    assert (share.profile, share.part) == ("2g.12gb", Fraction(1, 2))


@pytest.mark.parametrize(
    ("model", "cores", "profile"),
    [
        ("nvidia-b300", 2368, "1g.34gb"),  # an eighth of 18,944
        ("nvidia-b300", 2369, "2g.67gb"),
        ("nvidia-b300", 16576, "7g.269gb"),
        ("nvidia-b300", 16577, None),
        ("nvidia-rtx-pro-6000", 5888, "1g.24gb"),  # 46 multiprocessors of 128
        ("nvidia-rtx-pro-6000", 5889, "2g.48gb"),
        ("nvidia-rtx-pro-6000", 12032, "2g.48gb"),  # half of 24,064
        ("nvidia-rtx-pro-6000", 12033, "4g.96gb"),
    ],
)
def test_unpublished_multiprocessors_are_those_of_one_memory_slice_each(
    model: str, cores: int, profile: str | None
) -> None:
    cut = {"model": model, "count": 1, "shared": True, "sharing_strategy": "mig"}
    share = due(offer("m", gpu=cut), multi_instance=True, cores=cores)
    assert (share and share.profile) == profile


@pytest.mark.parametrize(
    ("offered", "asked", "expected"),
    [
        (offer("a"), {}, WHOLE),
        (offer("a"), {"shared": True}, WHOLE),
        (offer("a", **SLOTS), {}, WHOLE),
        (offer("a", **{**SLOTS, "gpu__shared": False}), {"shared": True}, WHOLE),
        (offer("a", **{**SLOTS, "gpu__shared": None}), {"shared": True}, WHOLE),
        (offer("a", **{**SLOTS, "gpu__sharing_slots": 1}), {"shared": True}, WHOLE),
        (offer("a", **{**SLOTS, "gpu__sharing_slots": None}), {"shared": True}, WHOLE),
        (offer("a"), {"multi_instance": True}, None),
        (offer("a", **SLOTS), {"multi_instance": True}, None),
        (a100("a"), {}, WHOLE),
        (a100("a", gpu__shared=False), {"shared": True}, WHOLE),
        (a100("a", gpu__shared=False), {"multi_instance": True}, None),
        (a100("a"), {"multi_instance": True, "memory": "41Gi"}, None),
        (a100("a", gpu__memory=None), {"multi_instance": True}, None),  # 1g.5gb or 1g.10gb
        (a100("a", gpu__model="nvidia-t4", gpu__memory="16Gi"), {"shared": True}, None),
        (a100("a", gpu__model="acme-x1"), {"multi_instance": True}, None),
        (a100("a"), {"count": 0, "multi_instance": True}, WHOLE),
    ],
)
def test_a_part_is_had_where_one_is_sold_and_asked(
    offered: dict[str, Any], asked: dict[str, object], expected: Share | None
) -> None:
    assert due(offered, **asked) == expected


# --- placement of instances ------------------------------------------------------------------------------


def fits_by_hand(sku: str, there: list[tuple[str, int]], more: list[str]) -> bool:
    """Try every start of every instance, and look at every slice."""
    table = {profile.profile: profile for profile in profiles_of(sku)}
    for starts in product(*(table[name].starts for name in more)):
        slices = [
            start + i
            for name, start in (*there, *zip(more, starts, strict=True))
            for i in range(table[name].memory_slices)
        ]
        if len(set(slices)) == len(slices):
            return True
    return False


@pytest.mark.parametrize("sku", ["nvidia-a100-sxm4-40gb", "nvidia-h100-sxm5-80gb", "nvidia-a30-24gb"])
def test_instances_fit_where_some_starts_take_no_slice_twice(sku: str) -> None:
    rng, answers = Random(7), []
    plain = [profile for profile in profiles_of(sku) if not profile.extension]
    for _ in range(200):
        there: list[tuple[str, int]] = []
        for profile in rng.sample(plain, rng.randint(0, 2)):
            way = [*there, (profile.profile, rng.choice(profile.starts))]
            there = way if fits_by_hand(sku, way, []) else there
        more = [rng.choice(plain).profile for _ in range(rng.randint(1, 4))]
        answers.append(fits_by_hand(sku, there, more))
        assert fit([SKU[sku]], there, more) == answers[-1], (there, more)
    assert 20 < sum(answers) < 180


A100 = [SKU["nvidia-a100-sxm4-40gb"]]


@pytest.mark.parametrize(
    ("there", "more", "fits"),
    [
        ([], ["3g.20gb"] * 2, True),
        ([], ["3g.20gb", "3g.20gb", "1g.5gb"], False),
        ([("3g.20gb", 0)], ["4g.20gb"], False),
        ([("3g.20gb", 4)], ["4g.20gb"], True),
        ([("3g.20gb", 4)], ["1g.5gb"] * 4, True),
        ([("3g.20gb", 4)], ["1g.5gb"] * 5, False),
        ([], ["1g.5gb"] * 7, True),
        ([], ["1g.5gb"] * 8, False),
        ([("1g.5gb+me", 0)], ["1g.5gb"], True),
        ([("1g.5gb+me", 0), ("1g.5gb+me", 1)], ["1g.5gb"], False),  # only one has the media engines
        ([("3g.20gb", 2)], ["1g.5gb"], False),  # no 3g begins there: nobody knows what is taken
        ([("3g.20gb", 0), ("1g.5gb", 2)], ["1g.5gb"], False),  # these two overlap
        ([("9g.90gb", 0)], ["1g.5gb"], False),
    ],
)
def test_instances_beside_instances(there: list[tuple[str, int]], more: list[str], fits: bool) -> None:
    assert fit(A100, there, more) == fits


def test_instances_fit_on_every_part_that_a_gpu_may_be() -> None:
    both = [*A100, SKU["nvidia-a30-24gb"]]
    assert not fit(both, [], ["1g.5gb"])
    assert not fit([], [], ["1g.5gb"])


# --- in plans --------------------------------------------------------------------------------------------


def rules(given: World, **changes: object) -> set[str]:
    document = patched(given.document, {key.replace("__", "."): value for key, value in changes.items()})
    return {violation.rule for violation in verify(document, given.intents, given.inventory)}


def at(placement: int, task: int, field: str) -> str:
    return f"placements__{placement}__assignments__{task}__{field}"


@pytest.mark.parametrize(
    ("given", "changes", "broken"),
    [
        (slots(), {at(0, 0, "gpu_milli"): 499}, {"share"}),
        (slots(), {at(0, 0, "gpu_milli"): None}, {"share"}),
        (slots(), {at(0, 0, "gpu_milli"): 750}, {"share"}),
        (slots(), {at(0, 0, "mig_profile"): "1g.10gb"}, {"share"}),
        (slots(), {at(0, 0, "gpus"): [1]}, set()),
        (slots(), {at(1, 1, "gpus"): [0]}, set()),  # the fourth slot
        (slots(), {at(0, 0, "gpus"): [3]}, {"gpus"}),  # one slot of four is free there
        (slots(), {at(1, 1, "gpus"): [4]}, {"gpus"}),  # in use
        (slots(), {at(1, 1, "gpus"): [8]}, {"gpus"}),
        (slots(), {at(1, 1, "gpus"): [2, 3]}, {"gpus", "price", "figure"}),
        (slots(), {at(0, 0, "hourly_cost"): "2.000001 EUR/hour"}, {"price"}),
        (instances(), {at(0, 0, "mig_profile"): "4g.20gb"}, {"share"}),
        (instances(), {at(0, 0, "mig_profile"): None}, {"share"}),
        (instances(), {at(0, 0, "gpu_milli"): 428}, {"share"}),
        (instances(), {at(1, 3, "gpus"): [1]}, set()),
        (instances(), {at(1, 3, "gpus"): [2]}, {"gpus"}),
        (instances(), {at(1, 0, "hourly_cost"): "0.999999 EUR/hour"}, {"price"}),
        (instances_of_one_task(), {at(0, 0, "efficiency"): 1.0}, {"figure", "objective"}),
        (instances_of_one_task(), {at(0, 0, "gpus"): [0, 1]}, {"gpus"}),  # GPU 1 is in use
        (instances_of_one_task(), {at(0, 0, "gpus"): [0]}, {"gpus", "price", "figure", "objective"}),
    ],
)
def test_a_plan_with_another_part(given: World, changes: dict[str, object], broken: set[str]) -> None:
    assert rules(given, **changes) == broken


def moved(given: World, *offers: dict[str, Any]) -> set[str]:
    """The same plan on other offers."""
    return {violation.rule for violation in verify(given.document, given.intents, inventory(*offers))}


def free(**said: object) -> dict[str, Any]:
    return {"node_states": [{"node": 0, "cpu": "99", "memory": "1Ti", **said}]}


@pytest.mark.parametrize(
    ("states", "broken"),
    [
        ({}, set()),
        (free(free_gpus=[0, 1]), {"gpus"}),  # GPU 3 is in use
        (free(gpu_milli={"0": 750, "3": 250}), set()),
        (free(gpu_milli={"0": 749, "3": 250}), {"gpus"}),
        (free(gpu_milli={"3": 249}), {"gpus"}),
        (free(mig=[{"gpu": 3, "profile": "1g.10gb", "start": 0}]), {"gpus"}),
    ],
)
def test_slots_lie_on_what_is_free(states: dict[str, Any], broken: set[str]) -> None:
    assert moved(slots(), offer("s", **SLOTS, **states)) == broken


@pytest.mark.parametrize(
    ("states", "broken"),
    [
        (free(mig=[{"gpu": 1, "profile": "7g.40gb", "start": 0}]), set()),
        (free(mig=[{"gpu": 0, "profile": "1g.5gb", "start": 0}]), {"gpus"}),
        (free(free_gpus=[1]), {"gpus"}),
        (free(gpu_milli={"0": 900}), {"gpus"}),  # thousandths say nothing of slices
    ],
)
def test_instances_lie_on_what_is_free(states: dict[str, Any], broken: set[str]) -> None:
    assert moved(instances(), a100("m", **states)) == broken


def test_a_gpu_holds_whole_tasks_or_shares() -> None:
    """The same three GPUs, where the first intent does not ask to share."""
    given = slots()
    whole = read_intent(intent("half", workload__resources__gpu__count=1))
    document = patched(given.document, {"placements.0.assignments.0.gpu_milli": None})
    broken = verify(document, [whole, given.intents[1]], given.inventory)
    assert {(v.rule, v.path) for v in broken if v.rule == "gpus"} == {
        ("gpus", "placements.1.assignments.0.gpus")
    }
    alone = patched(document, {"placements.0.assignments.0.gpus": [1]})
    rest = {v.rule for v in verify(alone, [whole, given.intents[1]], given.inventory)}
    assert rest == {"price", "figure"}, "a whole GPU costs, emits and does more"


def test_a_whole_task_takes_no_gpu_of_which_a_part_is_used() -> None:
    given = slots()
    whole = read_intent(intent("half", workload__resources__gpu__count=1))
    document = patched(given.document, {"placements.0.assignments.0.gpus": [3]})
    assert "gpus" in {v.rule for v in verify(document, [whole, given.intents[1]], given.inventory)}


def test_shares_of_one_task_lie_on_different_gpus_unless_they_are_instances() -> None:
    given = instances_of_one_task()
    assert rules(given) == set()
    apart = patched(intent("pair"), {"workload.resources": {"cpu": "8", "memory": "32Gi"}})
    gpu = {"model": "nvidia-a100", "count": 2, "multi_instance": True, "shared": True}
    apart = patched(apart, {"workload.resources.gpu": gpu, "objective": "Performance_Maximization"})
    broken = verify(given.document, [read_intent(apart)], given.inventory)
    assert {v.rule for v in broken} == {"gpus"}


@pytest.mark.parametrize(
    ("offered", "asked", "told", "price"),
    [
        (a100("m", price__hourly="2 EUR/hour"), {"multi_instance": True}, "1g.5gb", "0.142858"),
        # The GPU's price is rounded up first: 0.333334 / 7, and not 1 / 21.
        (
            a100("m", price__hourly="0.666667 EUR/hour"),
            {"multi_instance": True, "count": 2},
            "1g.5gb",
            "0.095240",
        ),
        (offer("m", price__hourly="8 EUR/hour", **{**SLOTS, "gpu__sharing_slots": 3}), {}, 333, "0.333334"),
        (
            offer("m", price__hourly="8 EUR/hour", **{**SLOTS, "gpu__sharing_slots": 3}),
            {"memory": "50Gi", "count": 2},
            666,
            "1.333334",
        ),
    ],
)
def test_the_price_of_a_share_is_rounded_up_for_each_gpu(
    offered: dict[str, Any], asked: dict[str, Any], told: str | int, price: str
) -> None:
    gpu = {"model": "any", "count": 1, "shared": True, **asked}
    share = {"mig_profile": told} if isinstance(told, str) else {"gpu_milli": told}
    gpus = list(range(gpu["count"]))
    given = row(
        0, "m", gpus=gpus, gpu_model=offered["gpu"]["model"], hourly_cost=f"{price} EUR/hour", **share
    )
    document = plan(placement("web", [given], hourly_cost=f"{price} EUR/hour"))
    asked_for = read_intent(intent(workload__resources__gpu=gpu))
    rules = {v.rule for v in verify(document, [asked_for], inventory(offered))}
    assert not rules & {"price", "share", "gpus"}
    cheaper = f"{float(price) - 1e-6:.6f} EUR/hour"
    document = plan(placement("web", [{**given, "hourly_cost": cheaper}], hourly_cost=cheaper))
    assert "price" in {v.rule for v in verify(document, [asked_for], inventory(offered))}
