"""What must become of an answer when the GPUs inside the nodes change in a way whose effect is known."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from itertools import combinations
from random import Random
from typing import Any

from tests.insides import single
from tests.metamorphic.relations import Quality, Relation, changed, said, scales, settled
from tests.oracle.oracle import Need
from tests.worlds import Json, World, intent, offer, world

Change = Callable[[Json], Json | None]
GPU = "workload__resources__gpu"


def known(seed: int) -> World:
    """Return a world of one intent and one term, whose figures count the same whatever else is offered."""
    return settled(single(seed), seed)


def quality(world: World, document: Json | None = None) -> Quality:
    """Return how good the answer is before the ties, smaller is better."""
    document = world.document() if document is None else document
    placement, asked = document["placements"][0], world.intents[0]
    if placement["status"] != "placed":
        assert placement["status"] == "rejected"
        return (1.0,)
    rows = placement["assignments"]
    any_tasks = said(asked, "workload__job__completion_policy") == "Any"
    sign = -1 if asked["objective"] == "Performance_Maximization" else 1
    value = round(sign * document["objective"], 6)
    return (0.0, -len(rows) if any_tasks else 0, misses(world, placement), value)


def misses(world: World, placement: Json) -> int:
    """Return how many wishes the tasks miss in all, a gang's fabric by what the answer says itself."""
    need = Need(world.intents[0], world.offers, world.weights)
    offers = {o["id"]: o for o in world.offers}
    missed = 0
    for row in placement["assignments"]:
        want = need.worth[row["offer"]].want
        missed += len(need.missed(offers[row["offer"]], want, tuple(row["gpus"])))
    path = "workload.resources.gpu.interconnect"
    apart = need.asked.get("interconnect") == "infiniband" and any(
        relaxed["path"] == path for relaxed in placement["relaxed"]
    )
    return missed + apart * len(placement["assignments"])


def with_offers(world: World, change: Change) -> World | None:
    """Return the world with all offers changed for which there is something to change, if there is one."""
    new = [(one, change(deepcopy(one))) for one in world.offers]
    if all(other is None for _, other in new):
        return None
    return replace(world, offers=tuple(one if other is None else other for one, other in new))


def no_worse(world: World, change: Change) -> bool:
    better = with_offers(world, change)
    if better is None:
        return False
    assert quality(better) <= quality(world)
    return True


# --- links ------------------------------------------------------------------------------------------


def _stated(one: Json) -> bool:
    links = one["gpu"] and one["gpu"].get("links")
    return bool(links) and all(len(link) == 4 for link in links)


def a_link_more_makes_it_no_worse(world: World, random: Random) -> bool:
    def link(one: Json) -> Json | None:
        if not _stated(one):
            return None
        linked = {frozenset(pair[:2]) for pair in one["gpu"]["links"]}
        pairs = [p for p in combinations(range(one["gpu"]["count"]), 2) if frozenset(p) not in linked]
        if not pairs:
            return None
        one["gpu"]["links"].append([*random.choice(pairs), random.choice(("pcie", "nvlink")), "40 GB/s"])
        return one

    return no_worse(world, link)


def a_faster_link_makes_it_no_worse(world: World, random: Random) -> bool:
    def hasten(one: Json) -> Json | None:
        if not _stated(one):
            return None
        random.choice(one["gpu"]["links"])[3] = "200 GB/s"
        return one

    return no_worse(world, hasten)


def a_better_kind_of_link_makes_it_no_worse(world: World, random: Random) -> bool:
    def better(one: Json) -> Json | None:
        if not _stated(one) or {link[2] for link in one["gpu"]["links"]} != {"pcie"}:
            return None
        for link in one["gpu"]["links"]:
            link[2] = "nvlink"
        return one

    return no_worse(world, better)


def labels_say_what_links_would(world: World, random: Random) -> bool:
    shape = random.choice(("ring", "all-to-all"))

    def plain(one: Json) -> Json | None:
        gpu = one["gpu"]
        if gpu is None or gpu["model"] not in ("nvidia-x1", "nvidia-x2", "nvidia-x3"):
            return None
        gpu |= {
            "links": None,
            "interconnect": "nvlink",
            "interconnect_bandwidth": "120 GB/s",
            "topology": shape,
        }
        return one

    def listed(one: Json) -> Json | None:
        if plain(one) is None:
            return None
        n = one["gpu"]["count"]
        ring = {frozenset((a, (a + 1) % n)) for a in range(n)} - {frozenset((0,))}
        pairs = ring if shape == "ring" else {frozenset(p) for p in combinations(range(n), 2)}
        most = max((sum(g in pair for pair in pairs) for g in range(n)), default=1)
        one["gpu"]["links"] = [[*sorted(pair), "nvlink", f"{120 / most} GB/s"] for pair in pairs]
        del one["gpu"]["topology"]
        return one

    named = with_offers(world, plain)
    drawn = with_offers(world, listed)
    if named is None or drawn is None:
        return False
    assert named.document() == drawn.document()
    return True


def renumbered_gpus_are_worth_the_same(world: World, random: Random) -> bool:
    def renumber(one: Json) -> Json | None:
        if one["gpu"] is None or one["gpu"]["count"] < 2 or not one["gpu"].get("links"):
            return None
        new = random.sample(range(one["gpu"]["count"]), one["gpu"]["count"])
        for link in one["gpu"]["links"]:
            link[:2] = new[link[0]], new[link[1]]
        for state in one.get("node_states", ()):
            if "free_gpus" in state:
                state["free_gpus"] = [new[g] for g in state["free_gpus"]]
            if "gpu_milli" in state:
                state["gpu_milli"] = {str(new[int(g)]): milli for g, milli in state["gpu_milli"].items()}
            for instance in state.get("mig", ()):
                instance["gpu"] = new[instance["gpu"]]
        return one

    other = with_offers(world, renumber)
    if other is None:
        return False
    documents = [world.document(), other.document()]
    assert quality(other, documents[1]) == quality(world, documents[0])
    assert _without_gpus(documents[1]) == _without_gpus(documents[0])
    return True


def _without_gpus(value: Any) -> Any:
    """Return a document without the numbers of GPUs, and without the order of the tasks that follows it."""
    if isinstance(value, list):
        return [_without_gpus(item) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {key: _without_gpus(item) for key, item in value.items() if key != "gpus"}
    if "assignments" in copy:
        rows = sorted(copy["assignments"], key=lambda row: (row["offer"], row["node"], row["efficiency"]))
        # The price of a node stands on its first task.
        copy["assignments"] = [{**row, "task": 0, "hourly_cost": None} for row in rows]
    return copy


def a_stated_efficiency_of_one_is_not_beaten(world: World, random: Random) -> bool:
    def perfect(one: Json) -> Json | None:
        if one["gpu"] is None or one["gpu"]["count"] < 2:
            return None
        one["gpu"]["multi_gpu_efficiency"] = 1
        return one

    return no_worse(changed(world, objective="Performance_Maximization"), perfect)


# --- wishes -----------------------------------------------------------------------------------------


def a_lower_efficiency_is_asked_of_no_fewer(world: World, random: Random) -> bool:
    if (said(world.intents[0], f"{GPU}__count") or 0) < 2:
        return False
    low, high = sorted(random.sample((0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), 2))
    loose, tight = (changed(world, **{f"{GPU}__multi_gpu_efficiency": e}) for e in (low, high))
    assert quality(loose) <= quality(tight)
    return True


def a_lesser_class_of_links_is_missed_no_more_often(world: World, random: Random) -> bool:
    if (said(world.intents[0], f"{GPU}__count") or 0) < 2:
        return False
    plain = {k: v for k, v in world.intents[0]["workload"]["resources"]["gpu"].items() if k != "topology"}
    world = changed(world, workload__resources__gpu=plain)
    lesser, better = random.choice((("pcie", "nvlink"), ("nvlink", "nvswitch"), ("any", "pcie")))
    asked = [changed(world, **{f"{GPU}__interconnect": kind}) for kind in (lesser, better)]
    assert quality(asked[0]) <= quality(asked[1])
    return True


def what_is_kept_as_a_condition_is_kept_as_a_wish(world: World, random: Random) -> bool:
    if not {"interconnect", "topology"} & (said(world.intents[0], GPU) or {}).keys():
        return False
    if scales(world) or said(world.intents[0], "workload__job__completion_policy") == "Any":
        return False  # more replicas count, or more tasks come before wishes
    hard = changed(world, constraints__negotiation={"fallback_strategy": "fail"})
    document = hard.document()
    if document["placements"][0]["status"] != "placed":
        return False
    wished = deepcopy(world.intents[0])
    wished.get("constraints", {}).pop("negotiation", None)
    soft = replace(world, intents=(wished,)).document()
    assert {**soft, "warnings": []} == {**document, "warnings": []}  # they count the candidates
    return True


# --- what is free and what is shared ----------------------------------------------------------------


def more_free_gpus_make_it_no_worse(world: World, random: Random) -> bool:
    def free(one: Json) -> Json | None:
        busy = [s for s in one.get("node_states", ()) if len(s.get("free_gpus", ())) < one["gpu"]["count"]]
        if not busy:
            return None
        state = random.choice(busy)
        gpus = set(range(one["gpu"]["count"]))
        state["free_gpus"] = sorted(gpus)
        for key in ("gpu_milli", "mig", "cpu", "memory"):
            state.pop(key, None)
        return one

    return no_worse(world, free)


def one_instance_less_makes_it_no_worse(world: World, random: Random) -> bool:
    def remove(one: Json) -> Json | None:
        states = [s for s in one.get("node_states", ()) if s.get("mig")]
        if not states:
            return None
        state = random.choice(states)
        gone = state["mig"].pop(random.randrange(len(state["mig"])))
        if all(left["gpu"] != gone["gpu"] for left in state["mig"]):
            state["free_gpus"] = sorted({*state.get("free_gpus", ()), gone["gpu"]})
        state["cpu"], state["memory"] = one["cpu"], one["memory"]
        return one

    def roomy(one: Json) -> Json | None:
        for state in one.get("node_states", ()):
            named = {int(g) for g in state.get("gpu_milli", {})} | {m["gpu"] for m in state.get("mig", ())}
            state.setdefault("free_gpus", sorted(set(range(one["gpu"]["count"])) - named))
            state["cpu"], state["memory"] = one["cpu"], one["memory"]
        return one

    rooms = with_offers(world, roomy)
    return rooms is not None and no_worse(rooms, remove)


def a_slot_more_free_makes_it_no_worse(world: World, random: Random) -> bool:
    def remove(one: Json) -> Json | None:
        states = [s for s in one.get("node_states", ()) if s.get("gpu_milli")]
        if not states:
            return None
        milli = random.choice(states)["gpu_milli"]
        gpu = random.choice(sorted(milli))
        milli[gpu] = min(999, milli[gpu] + random.choice((1, 100, 500)))
        return one

    return no_worse(world, remove)


def the_shares_of_a_gpu_cost_what_it_costs(_: World, random: Random) -> bool:
    slots, gpus = random.choice((2, 3, 4, 7, 10)), random.choice((1, 2, 4))
    each = random.randint(1, 4_000_000) * slots
    one = offer("o", price=f"{each * gpus / 10**6:.6f}", gpus=gpus)
    one["gpu"] |= {"shared": True, "sharing_strategy": "mps", "sharing_slots": slots}
    small: dict[str, Any] = {"workload__resources__cpu": "100m", "workload__resources__memory": "1Gi"}
    sharing: dict[str, Any] = {f"{GPU}__shared": True}
    shares = world(intent("a", tasks=slots, **sharing, **small), one)
    whole = world(intent("a", **small), one)
    placements = [each.document()["placements"][0] for each in (shares, whole)]
    assert placements[0]["hourly_cost"] == placements[1]["hourly_cost"]
    assert len({tuple(row["gpus"]) for row in placements[0]["assignments"]}) == 1
    return True


def a_share_of_all_slots_costs_the_whole_gpu(world: World, random: Random) -> bool:
    def slotted(one: Json) -> Json | None:
        if one["gpu"] is None:
            return None
        one["gpu"] |= {"shared": True, "sharing_strategy": "mps", "sharing_slots": 5, "interconnect": "pcie"}
        one["gpu"] |= {
            "model": "nvidia-x1",
            "memory": "40Gi",
            "fp32_tflops": "10.5",
            "links": None,
            "topology": None,
        }
        one.pop("node_states", None)
        return one

    asked = said(world.intents[0], GPU)
    slotted_world = with_offers(world, slotted)
    if slotted_world is None or not asked or asked.get("dedicated"):
        return False
    plain = {"count": asked["count"], "memory": "40Gi"}
    shared = changed(slotted_world, workload__resources__gpu={**plain, "shared": True})
    whole = changed(slotted_world, workload__resources__gpu={**plain, "shared": False})
    documents = [each.document() for each in (shared, whole)]
    told = [[_plain(p) for p in document["placements"]] for document in documents]
    assert told[0] == told[1]
    return True


def _plain(placement: Json) -> tuple[Any, ...]:
    rows = [(r["offer"], r["node"], r["hourly_cost"], r["spot"]) for r in placement["assignments"]]
    return placement["status"], placement["hourly_cost"], placement["carbon_g_per_hour"], rows


# --- gangs ------------------------------------------------------------------------------------------


def _gang(world: World) -> bool:
    workload = world.intents[0]["workload"]
    return bool(workload["type"] == "job" and workload["job"]["parallel_tasks"] > 1)


def a_faster_fabric_makes_it_no_worse(world: World, random: Random) -> bool:
    def hasten(one: Json) -> Json | None:
        if not one.get("fabric"):
            return None
        one["fabric"]["bandwidth"] = "1600 Gb/s"
        return one

    return _gang(world) and no_worse(changed(world, objective="Performance_Maximization"), hasten)


def one_fabric_is_no_worse_than_several(world: World, random: Random) -> bool:
    def join(one: Json) -> Json | None:
        if not one.get("fabric"):
            return None
        one["fabric"] |= {"path": ["dc1", *one["fabric"]["path"][1:]], "interconnect": "infiniband"}
        return one

    return _gang(world) and no_worse(changed(world, objective="Performance_Maximization"), join)


def other_names_of_the_fabric_mean_the_same(world: World, random: Random) -> bool:
    def rename(one: Json) -> Json | None:
        if not one.get("fabric"):
            return None
        one["fabric"]["path"] = [f"{part[::-1]}-{depth}" for depth, part in enumerate(one["fabric"]["path"])]
        return one

    other = with_offers(world, rename)
    # A path that is shorter repeats its last element, which then is another name at each depth.
    depths = {len(o["fabric"]["path"]) for o in world.offers if o.get("fabric")}
    if other is None or len(depths) > 1 or not _gang(world):
        return False
    assert other.document() == world.document()
    return True


def without_tasks_that_talk_the_fabric_is_nothing(world: World, random: Random) -> bool:
    def bare(one: Json) -> Json | None:
        if "fabric" not in one:
            return None
        del one["fabric"]
        return one

    other = with_offers(world, bare)
    if other is None or _gang(world):
        return False
    assert other.document() == world.document()
    return True


# --- order ------------------------------------------------------------------------------------------


def another_order_inside_is_the_same_question(world: World, random: Random) -> bool:
    def turned(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            items = [(k, turned(v, k)) for k, v in value.items()]
            return dict(random.sample(items, len(items)))
        if isinstance(value, list) and key in ("node_states", "free_gpus", "mig", "links"):
            items = [turned(item) for item in value]
            return random.sample(items, len(items))
        if isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], int):
            return [value[1], value[0], *value[2:]]  # the ends of a link
        return value

    offers = [turned(one) for one in world.offers]
    other = replace(world, offers=tuple(random.sample(offers, len(offers))))
    assert other.document() == world.document()
    return True


INSIDE: tuple[Relation, ...] = (
    a_link_more_makes_it_no_worse,
    a_faster_link_makes_it_no_worse,
    a_better_kind_of_link_makes_it_no_worse,
    labels_say_what_links_would,
    renumbered_gpus_are_worth_the_same,
    a_stated_efficiency_of_one_is_not_beaten,
    a_lower_efficiency_is_asked_of_no_fewer,
    a_lesser_class_of_links_is_missed_no_more_often,
    what_is_kept_as_a_condition_is_kept_as_a_wish,
    more_free_gpus_make_it_no_worse,
    one_instance_less_makes_it_no_worse,
    a_slot_more_free_makes_it_no_worse,
    the_shares_of_a_gpu_cost_what_it_costs,
    a_share_of_all_slots_costs_the_whole_gpu,
    a_faster_fabric_makes_it_no_worse,
    one_fabric_is_no_worse_than_several,
    other_names_of_the_fabric_mean_the_same,
    without_tasks_that_talk_the_fabric_is_nothing,
    another_order_inside_is_the_same_question,
)
"""Relations of one intent about the inside of nodes and the fabric between them."""
