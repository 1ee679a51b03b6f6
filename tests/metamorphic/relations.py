"""What must become of an answer when its question is changed in a way whose effect is known.

A relation takes a world, changes it, checks, and says whether it could be tried there. "Not worse" compares
what counts before the ties: placed at all, tasks of `completion_policy: "Any"`, missed preferences, the
objective.
"""

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import flare_core as flare
from tests.worlds import Json, World, medium, patched, put

Relation = Callable[[World, Random], bool]
Quality = tuple[float, ...]
PURE = ("Cost_Minimization", "Performance_Maximization", "Latency_Minimization", "Energy_Efficiency")
SERVICE_LINKS = {"pcie": 1, "infinity-fabric": 2, "nvlink": 2, "nvswitch": 3}


# --- worlds and what is read from answers -----------------------------------------------------------


def known(seed: int) -> World:
    """Return a world of one intent and one term, whose figures count the same whatever else is offered."""
    return settled(medium(seed, tasks=4, offers=10), seed)


def settled(world: World, seed: int) -> World:
    """Return a world of one intent with one term, and no figure that depends on what else is offered."""
    offers = deepcopy(world.offers)
    for one in offers:
        for path in ("performance__latency_ms", "energy__carbon_intensity"):
            section, name = path.split("__")
            if one[section][name] is None:
                one[section][name] = 100 if section == "energy" else 20
        if one["gpu"] is not None and one["gpu"].get("power_w") is None:
            one["gpu"]["power_w"] = 300
        if one["energy"].get("power_usage_effectiveness") is None:
            one["energy"]["power_usage_effectiveness"] = 1.5
    intent = world.intents[0]
    if intent["objective"] not in PURE:
        intent = patched(intent, objective=PURE[seed % 4])
    return replace(world, intents=(intent,), offers=offers, weights=None)


def several(seed: int) -> World:
    return medium(seed, intents=1 + seed % 3, tasks=4, offers=8)


def changed(world: World, **changes: object) -> World:
    """Return the world with its only intent changed."""
    return replace(world, intents=(patched(world.intents[0], **changes),))


def said(intent: Json, path: str) -> Any:
    value: Any = intent
    for key in path.split("__"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def scales(world: World) -> bool:
    """Whether a service counts headroom, which looks at offers that are not used, too."""
    return bool(said(world.intents[0], "workload__scaling__auto_scale"))


def quality(world: World, document: Json | None = None) -> Quality:
    """Return how good the answer is, smaller is better."""
    document = world.document() if document is None else document
    placement, intent = document["placements"][0], world.intents[0]
    if placement["status"] != "placed":
        assert placement["status"] == "rejected"
        return (1.0,)
    rows = placement["assignments"]
    any_tasks = said(intent, "workload__job__completion_policy") == "Any"
    sign = -1 if intent["objective"] == "Performance_Maximization" else 1
    return (
        0.0,
        -len(rows) if any_tasks else 0,
        sum(misses(world, row["offer"]) for row in rows),
        round(sign * document["objective"], 6),
    )


def misses(world: World, name: str) -> int:
    gpu = said(world.intents[0], "workload__resources__gpu") or {}
    wanted = gpu.get("interconnect", "any")
    if wanted == "any" or gpu.get("count", 1) < 2:
        return 0
    has = next(o for o in world.offers if o["id"] == name)["gpu"].get("interconnect")
    return int(SERVICE_LINKS.get(has or "", 0) < SERVICE_LINKS[wanted])


def choice(document: Json) -> list[list[tuple[str, int, bool]]]:
    return [[(r["offer"], r["node"], r["spot"]) for r in p["assignments"]] for p in document["placements"]]


def used(document: Json) -> set[str]:
    return {row["offer"] for p in document["placements"] for row in p["assignments"]}


def without(world: World, names: set[str]) -> World:
    return replace(world, offers=tuple(o for o in world.offers if o["id"] not in names))


# --- offers come and go -----------------------------------------------------------------------------


def one_more_offer_makes_it_no_worse(world: World, random: Random) -> bool:
    more = replace(world, offers=(*world.offers[1:], world.offers[0]))
    assert quality(more) <= quality(without(more, {world.offers[0]["id"]})) if len(world.offers) > 1 else True
    return len(world.offers) > 1


def without_a_chosen_offer_it_is_no_better(world: World, random: Random) -> bool:
    document = world.document()
    names = sorted(used(document))
    if not names or len(world.offers) == 1:
        return False
    assert quality(without(world, {random.choice(names)})) >= quality(world, document)
    return True


def without_an_unused_offer_the_choice_stays(world: World, random: Random) -> bool:
    document = world.document()
    idle = sorted({o["id"] for o in world.offers} - used(document))
    if not idle or len(world.offers) == 1 or scales(world):
        return False
    assert choice(without(world, {random.choice(idle)}).document()) == choice(document)
    return True


def with_the_chosen_offers_alone_the_choice_stays(world: World, random: Random) -> bool:
    document = world.document()
    if not used(document) or scales(world):
        return False
    idle = {o["id"] for o in world.offers} - used(document)
    assert choice(without(world, idle).document()) == choice(document)
    return True


def a_copy_of_an_unused_elastic_offer_changes_nothing(world: World, random: Random) -> bool:
    document = world.document()
    # A copy is more room; of as much as one pays for there is enough already.
    idle = [o for o in world.offers if o["id"] not in used(document) and o["nodes"] is None]
    if not idle or not used(document) or scales(world):
        return False
    copy = {**random.choice(idle), "id": "zz"}
    assert choice(replace(world, offers=(*world.offers, copy)).document()) == choice(document)
    return True


def a_split_offer_is_worth_the_same(world: World, random: Random) -> bool:
    splittable = [o for o in world.offers if (o["nodes"] or 0) > 1 and not {"used", "node_states"} & o.keys()]
    if not splittable:
        return False
    one = random.choice(splittable)
    part = random.randint(1, one["nodes"] - 1)
    halves = ({**one, "nodes": part}, {**one, "nodes": one["nodes"] - part, "id": one["id"] + "x"})
    rest = tuple(o for o in world.offers if o is not one)
    split = replace(world, offers=(*rest, *halves))
    assert quality(split) == quality(world)
    return True


def an_elastic_offer_is_one_with_more_nodes_than_anybody_needs(world: World, random: Random) -> bool:
    if not any(o["nodes"] is None for o in world.offers):
        return False
    finite = replace(
        world, offers=tuple({**o, "nodes": 40 if o["nodes"] is None else o["nodes"]} for o in world.offers)
    )
    assert finite.document() == world.document()
    return True


def an_offer_of_an_excluded_provider_changes_nothing(world: World, random: Random) -> bool:
    world = changed(world, constraints__providers=["p1", "p2"])
    stranger = patched(random.choice(world.offers), id="aa", provider="p9")
    stranger["price"]["hourly"] = "0.000001 EUR/hour"
    assert choice(replace(world, offers=(*world.offers, stranger)).document()) == choice(world.document())
    return True


def an_offer_in_an_excluded_country_changes_nothing(world: World, random: Random) -> bool:
    world = changed(world, constraints__location="EU")
    stranger = patched(random.choice(world.offers), id="aa", country=random.choice(("NO", "CH", "GB", None)))
    assert choice(replace(world, offers=(*world.offers, stranger)).document()) == choice(world.document())
    return True


# --- limits -----------------------------------------------------------------------------------------

_NEUTRAL: Mapping[str, object] = {
    "constraints__max_latency_ms": 100_000,
    "constraints__performance__max_jitter_ms": 100_000,
    "constraints__performance__min_uptime_percent": 0,
    "constraints__energy__power_usage_effectiveness": 50,
    "sla__availability": 0,
}
_LIMITING = ("constraints", "sla", "workload__resources__gpu")
_KEPT = ("deadline", "preemptible", "interruptible", "count", "shared", "interconnect")


def _limits(intent: Json, at: str = "") -> list[str]:
    found: list[str] = []
    for key, value in intent.items():
        path = f"{at}__{key}" if at else key
        if isinstance(value, dict):
            found += _limits(value, path)
        elif at.startswith(_LIMITING) and not at.endswith("negotiation") and key not in _KEPT:
            found.append(path)
    return found


def _dropped(intent: Json, path: str) -> Json:
    if path in _NEUTRAL:
        return patched(intent, **{path: _NEUTRAL[path]})
    copy = deepcopy(intent)
    *way, last = path.split("__")
    inner = copy
    for key in way:
        inner = inner[key]
    del inner[last]
    return copy


def without_a_constraint_it_is_no_worse(world: World, random: Random) -> bool:
    intent = world.intents[0]
    paths = _limits(intent)
    if intent["objective"] == "Latency_Minimization":
        paths = [p for p in paths if not p.endswith("max_latency_ms")]
    if not paths:
        return False
    freer = replace(world, intents=(_dropped(intent, random.choice(paths)),))
    assert quality(freer) <= quality(world)
    return True


def a_larger_budget_makes_it_no_worse(world: World, random: Random) -> bool:
    amount = random.choice((1, 2, 3, 5))
    tight = changed(world, constraints__max_hourly_cost=f"{amount} EUR")
    loose = changed(world, constraints__max_hourly_cost=f"{amount + random.choice((0.5, 1, 4))} EUR")
    assert quality(loose) <= quality(tight)
    return True


def a_larger_carbon_cap_makes_it_no_worse(world: World, random: Random) -> bool:
    grams = random.choice((20, 60, 100))
    tight = changed(world, constraints__energy__max_carbon_footprint=f"{grams} g CO2/h")
    loose = changed(world, constraints__energy__max_carbon_footprint=f"{grams * 2} g CO2/h")
    assert quality(loose) <= quality(tight)
    return True


def a_larger_latency_limit_makes_it_no_worse(world: World, random: Random) -> bool:
    limit = random.choice((5, 10, 20))
    tight, loose = (changed(world, constraints__max_latency_ms=ms) for ms in (limit, limit * 2))
    assert quality(loose) <= quality(tight)
    return True


def a_later_deadline_makes_it_no_worse(world: World, random: Random) -> bool:
    intent = world.intents[0]
    if intent["workload"]["type"] != "job":
        return False
    timed = changed(world, workload__job__timeout="1h")
    tight = changed(timed, constraints__deadline=f"2026-01-15T{random.choice(('10:59:59', '11:00:00'))}Z")
    loose = changed(timed, constraints__deadline="2026-01-15T11:00:01Z")
    assert quality(loose) <= quality(tight)
    return True


def a_lower_availability_makes_it_no_worse(world: World, random: Random) -> bool:
    if world.intents[0]["workload"]["type"] != "service":
        return False
    tight, loose = (changed(world, sla__availability=percent) for percent in (99.95, 99.5))
    assert quality(loose) <= quality(tight)
    return True


def what_was_tried_before_leaves_no_trace(world: World, random: Random) -> bool:
    inventory = flare.read_inventory({"version": 1, "offers": deepcopy(list(world.offers))})
    intent = flare.read_intent(deepcopy(world.intents[0]))
    tight = flare.read_intent(patched(world.intents[0], constraints__max_hourly_cost="1 EUR"))
    plans = [flare.place(i, inventory, now="2026-01-15T10:00:00Z").to_dict() for i in (intent, tight, intent)]
    for plan in plans:
        del plan["wall_time_s"]
    assert plans[0] == plans[2]
    return True


def an_answer_within_a_tighter_budget_is_valid_in_the_looser(world: World, random: Random) -> bool:
    if scales(world):
        return False
    tight = changed(world, constraints__max_hourly_cost=f"{random.choice((2, 3, 5))} EUR")
    plan = tight.place()
    if plan.to_dict()["placements"][0]["status"] != "placed":
        return False
    loose = changed(world, constraints__max_hourly_cost="1000 EUR")
    assert not flare.verify(plan, [flare.read_intent(loose.intents[0])], plan.inventory)
    return True


def spot_makes_it_no_worse(world: World, random: Random) -> bool:
    bought = [0.3, 0.7, 1.1]
    offers = tuple(
        patched(o, price__spot_hourly=_times(o["price"]["hourly"], random.choice(bought)))
        for o in world.offers
    )
    world = changed(replace(world, offers=offers), constraints__preemptible=False)
    if "gpu" in world.intents[0]["workload"]["resources"]:
        world = changed(world, workload__resources__gpu__interruptible=False)
    assert quality(changed(world, constraints__preemptible=True)) <= quality(world)
    return True


def spot_that_is_no_cheaper_is_not_bought(world: World, random: Random) -> bool:
    offers = [patched(o) for o in world.offers]
    for one in offers:
        one["price"].pop("spot_hourly", None)
    plain = replace(changed(world, constraints__preemptible=True), offers=tuple(offers))
    factor = random.choice((1, 2))
    dear = tuple(patched(o, price__spot_hourly=_times(o["price"]["hourly"], factor)) for o in offers)
    assert replace(plain, offers=dear).document() == plain.document()
    return True


def sharing_where_nobody_shares_changes_nothing(world: World, random: Random) -> bool:
    gpu = said(world.intents[0], "workload__resources__gpu")
    if not gpu or gpu.get("dedicated"):
        return False
    documents = [changed(world, workload__resources__gpu__shared=flag).document() for flag in (True, False)]
    assert documents[0] == documents[1]
    return True


def an_offer_without_maintenance_is_no_worse(world: World, random: Random) -> bool:
    intent = world.intents[0]
    if intent["workload"]["type"] != "job" or len(world.offers) < 2:
        return False
    closed = {"maintenance_windows": [{"start": "2026-01-15T09:00:00Z", "end": "2026-01-15T10:01:00Z"}]}
    name = random.choice(world.offers)["id"]
    offers = tuple(patched(o, availability=closed) if o["id"] == name else o for o in world.offers)
    assert quality(world) <= quality(replace(world, offers=offers))
    return True


def _with_hours(world: World, random: Random) -> World:
    """Return the world with one offer that is open during the day alone."""
    hours = {"window_start": "09:00", "window_end": random.choice(("13:00", "18:00"))}
    name = random.choice(world.offers)["id"]
    return replace(
        world, offers=tuple(patched(o, availability=hours) if o["id"] == name else o for o in world.offers)
    )


def needing_less_of_the_time_makes_it_no_worse(world: World, random: Random) -> bool:
    if world.intents[0]["workload"]["type"] != "service" or not world.offers:
        return False
    timed = _with_hours(world, random)
    wide, narrow = (
        changed(timed, constraints__availability={"window_start": begins, "window_end": ends})
        for begins, ends in (("08:00", "14:00"), ("10:00", "12:30"))
    )
    assert quality(narrow) <= quality(wide)
    return True


def more_time_to_run_in_makes_it_no_worse(world: World, random: Random) -> bool:
    if world.intents[0]["workload"]["type"] == "service" or not world.offers:
        return False
    timed = changed(_with_hours(world, random), workload__job__timeout="1h")
    narrow, wide = (
        changed(
            timed,
            constraints__deadline="2026-01-17T00:00:00Z",
            constraints__availability={"window_start": begins, "window_end": ends},
        )
        for begins, ends in (("11:00", "12:30"), ("09:30", "14:00"))
    )
    assert quality(wide) <= quality(narrow)
    return True


def more_time_for_a_batch_makes_it_no_worse(world: World, random: Random) -> bool:
    if world.intents[0]["workload"]["type"] != "batch":
        return False
    timed = changed(world, workload__job__timeout="1h")
    tight, loose = (
        changed(timed, constraints__deadline=f"2026-01-15T{hour}:00:00Z")
        for hour in (random.choice((11, 12)), random.choice((13, 15)))
    )
    assert quality(loose) <= quality(tight)
    return True


# --- other amounts ----------------------------------------------------------------------------------


def more_gpus_are_no_better(world: World, random: Random) -> bool:
    gpus = said(world.intents[0], "workload__resources__gpu__count")
    if not gpus or world.intents[0]["objective"] == "Performance_Maximization":
        return False
    assert quality(changed(world, workload__resources__gpu__count=gpus + 1)) >= quality(world)
    return True


def more_tasks_are_no_better(world: World, random: Random) -> bool:
    job = world.intents[0]["workload"].get("job")
    if job is None or job.get("completion_policy") == "Any" or world.intents[0]["objective"] == PURE[1]:
        return False
    more = changed(world, workload__job__parallel_tasks=job["parallel_tasks"] + 1)
    assert quality(more) >= quality(world)
    return True


def _times(price: str, factor: float) -> str:
    amount = Fraction(price.split()[0]) * Fraction(str(factor))
    return f"{float(amount):.6f} EUR/hour"


def k_times_the_prices_cost_k_times_as_much(world: World, random: Random) -> bool:
    intent = world.intents[0]
    if intent["workload"]["type"] != "service" or "gpu" not in intent["workload"]["resources"]:
        return False
    for path in ("constraints__max_hourly_cost", "constraints__max_total_cost", "constraints__deadline"):
        if said(intent, path) is not None:
            return False
    k = random.choice((2, 3, 10))
    cheap, dear = [patched(o) for o in world.offers], [patched(o) for o in world.offers]
    for one, other in zip(cheap, dear, strict=True):
        one["price"].pop("spot_hourly", None)
        other["price"].pop("spot_hourly", None)
        other["price"]["hourly"] = _times(one["price"]["hourly"], k)
    few, many = (replace(world, offers=tuple(offers)).document() for offers in (cheap, dear))
    assert choice(few) == choice(many)
    if intent["objective"] == "Cost_Minimization" and few["objective"] is not None:
        assert round(few["objective"] * k, 6) == round(many["objective"], 6)
    return True


def a_constant_on_every_latency_changes_no_choice(world: World, random: Random) -> bool:
    limit = said(world.intents[0], "constraints__max_latency_ms")
    base = 100 if limit is None else float(str(limit).removesuffix("ms"))
    more = random.choice((1, 7.5, 30))
    world = changed(world, objective="Latency_Minimization", constraints__max_latency_ms=base)
    offers = tuple(
        patched(o, performance__latency_ms=o["performance"]["latency_ms"] + more) for o in world.offers
    )
    later = changed(replace(world, offers=offers), constraints__max_latency_ms=base + more)
    assert choice(later.document()) == choice(world.document())
    return True


def a_cheaper_chosen_offer_is_no_worse(world: World, random: Random) -> bool:
    world = changed(world, objective="Cost_Minimization")
    document = world.document()
    names = used(document)
    if not names:
        return False
    offers = tuple(
        patched(o, price__hourly=_times(o["price"]["hourly"], 0.5)) if o["id"] in names else o
        for o in world.offers
    )
    assert quality(replace(world, offers=offers)) <= quality(world, document)
    return True


# --- the same thing in other words ------------------------------------------------------------------


def renamed_in_order_the_same_offers_are_chosen(world: World, random: Random) -> bool:
    names = sorted(o["id"] for o in world.offers)
    new = {name: f"n{10 * k:05}" for k, name in enumerate(names)}
    other = replace(world, offers=tuple({**o, "id": new[o["id"]]} for o in world.offers))
    expected = [[(new[o], n, s) for o, n, s in rows] for rows in choice(world.document())]
    assert choice(other.document()) == expected
    return True


_UNITS: Mapping[str, Callable[[str], str]] = {
    r"(\d+)Gi": lambda n: f"{int(n) * 1024}Mi",
    r"(\d+)Ti": lambda n: f"{int(n) * 1024}Gi",
    r"([\d.]+)G": lambda n: f"{Fraction(n) * 1000}M",
    r"(\d+)h": lambda n: f"{int(n) * 60}m",
    r"(\d+)m": lambda n: f"{int(n) * 60}s",
    r"([\d.]+) EUR": lambda n: f"{n}{'' if '.' in n else '.'}00 EUR",
    r"([\d.]+)ms": lambda n: f"{n} ms",
    r"(\d+)Gbps": lambda n: f"{n} Gb/s",
    r"(\d+)g CO2/h": lambda n: f"{Fraction(n) / 1000} kg CO2/h" if Fraction(n) % 1000 == 0 else f"{n} gCO2/h",
    r"([\d.]+) EUR/hour": lambda n: f"{_decimal(Fraction(n) * 24)} EUR/day",
}


def _decimal(amount: Fraction) -> str:
    return f"{int(amount * 10**6) // 10**6}.{int(amount * 10**6) % 10**6:06d}"


def respelt(value: Any, key: str = "") -> Any:
    """Write every quantity of a document in another unit."""
    if isinstance(value, dict):
        return {k: respelt(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [respelt(v, key) for v in value]
    if isinstance(value, str) and key not in ("id", "name", "zone", "region", "provider", "path"):
        for pattern, write in _UNITS.items():
            if found := re.fullmatch(pattern, value):
                return write(found[1])
    if key == "cpu" and isinstance(value, str):
        return f"{int(Fraction(value) * 1000)}m"
    return value


def other_units_say_the_same(world: World, random: Random) -> bool:
    other = replace(world, intents=respelt(list(world.intents)), offers=tuple(respelt(list(world.offers))))
    assert other != world
    found, expected = replace(other, intents=tuple(other.intents)).document(), world.document()
    assert _without_quotes(found) == _without_quotes(expected)
    return True


def _without_quotes(value: Any) -> Any:
    """Return a document without the texts that quote limits as they are written."""
    if isinstance(value, list):
        return [_without_quotes(item) for item in value]
    if not isinstance(value, dict):
        return value
    quoting = ("message", "text", "alternative", "asked")
    return {key: _without_quotes(item) for key, item in value.items() if key not in quoting}


def neutral_wishes_ask_for_nothing(world: World, random: Random) -> bool:
    asked = patched(world.intents[0])
    for path, value in (
        ("constraints__location", "any"),
        ("constraints__providers", []),
        ("constraints__compliance__audit_logging", False),
        ("constraints__security__network_isolation", "public"),
        ("constraints__energy__renewable_energy_only", False),
        ("sla__backup_strategy", "none"),
    ):
        if said(asked, path) is None:
            put(asked, path, value)
    assert replace(world, intents=(asked,)).document() == world.document()
    return True


def a_week_later_everything_is_a_week_later(world: World, random: Random) -> bool:
    def later(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: later(v) for k, v in value.items()}
        if isinstance(value, list):
            return [later(v) for v in value]
        if isinstance(value, str):
            return re.sub(r"2026-(01|02)-(\d\d)T", lambda m: f"2026-{m[1]}-{int(m[2]) + 7:02}T", value)
        return value

    other = replace(world, intents=tuple(map(later, world.intents)), offers=tuple(map(later, world.offers)))
    assert other.document(now="2026-01-22T10:00:00Z") == later(world.document())
    return True


def k_times_the_weights_weigh_the_same(world: World, random: Random) -> bool:
    weights = {"cost": random.choice((1, 2)), "latency": random.choice((0, 1)), "carbon": 0.5}
    world = changed(world, objective="Balanced_Optimization")
    documents = [
        replace(world, weights={term: k * w for term, w in weights.items()}).document() for k in (1, 4)
    ]
    assert documents[0] == documents[1]
    return True


# --- several together -------------------------------------------------------------------------------


def k_times_the_priorities_rank_the_same(world: World, random: Random) -> bool:
    names = [i["workload"]["name"] for i in world.intents]
    if len(names) < 2:
        return False
    weights = {name: random.choice((1, 2, 5)) for name in names}
    documents = [
        replace(world, priorities={name: k * w for name, w in weights.items()}).document() for k in (1, 2)
    ]
    assert documents[0] == documents[1]
    return True


def what_does_not_meet_adds_up(world: World, random: Random) -> bool:
    halves = []
    for k, (part, provider) in enumerate(
        ((world, "pa"), (medium(random.randrange(10**6), tasks=2, offers=6), "pb"))
    ):
        mine = changed(part, objective="Balanced_Optimization", constraints__providers=[provider])
        mine.intents[0]["workload"]["name"] = f"w{k}"
        offers = tuple({**o, "id": f"{provider}-{o['id']}", "provider": provider} for o in mine.offers)
        halves.append(replace(mine, offers=offers, weights=None))
    alone = [half.document() for half in halves]
    both = replace(
        halves[0],
        intents=tuple(half.intents[0] for half in halves),
        offers=tuple(o for half in halves for o in half.offers),
    ).document()
    assert choice(both) == [choice(one)[0] for one in alone]
    values = [one["objective"] for one in alone if one["objective"] is not None]
    if values:
        assert both["objective"]["placed"] == len(values)
        assert abs(both["objective"]["scaled"] - sum(values)) < 3e-6
    return True


def fewer_intents_leave_the_others_no_worse(world: World, random: Random) -> bool:
    if len(world.intents) < 2:
        return False
    both = world.document()
    gone = random.choice(world.intents)["workload"]["name"]
    rest = replace(
        world,
        intents=tuple(i for i in world.intents if i["workload"]["name"] != gone),
        priorities={n: p for n, p in world.priorities.items() if n != gone},
    ).document()
    placed = {p["intent"] for p in both["placements"] if p["status"] == "placed"} - {gone}
    if not world.priorities:
        assert sum(p["status"] == "placed" for p in rest["placements"]) >= len(placed)
    return True


# --- order ------------------------------------------------------------------------------------------


def shuffled(value: Any, random: Random) -> Any:
    """Return a document with its keys and its lists in another order."""
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key], random) for key in keys}
    if isinstance(value, list):
        items = [shuffled(item, random) for item in value]
        random.shuffle(items)
        return items
    return value


def another_order_is_the_same_question(world: World, random: Random) -> bool:
    intents = {i["workload"]["name"]: shuffled(i, random) for i in world.intents}
    order = random.sample(sorted(intents), len(intents))
    other = replace(
        world, intents=tuple(intents[n] for n in order), offers=tuple(shuffled(list(world.offers), random))
    )
    found, expected = other.document(), world.document()
    for document in (found, expected):
        document["placements"].sort(key=lambda p: p["intent"])
        document["warnings"].sort()
    assert found == expected
    return True


SINGLE: tuple[Relation, ...] = (
    one_more_offer_makes_it_no_worse,
    without_a_chosen_offer_it_is_no_better,
    without_an_unused_offer_the_choice_stays,
    with_the_chosen_offers_alone_the_choice_stays,
    a_copy_of_an_unused_elastic_offer_changes_nothing,
    a_split_offer_is_worth_the_same,
    an_elastic_offer_is_one_with_more_nodes_than_anybody_needs,
    an_offer_of_an_excluded_provider_changes_nothing,
    an_offer_in_an_excluded_country_changes_nothing,
    without_a_constraint_it_is_no_worse,
    a_larger_budget_makes_it_no_worse,
    a_larger_carbon_cap_makes_it_no_worse,
    a_larger_latency_limit_makes_it_no_worse,
    a_later_deadline_makes_it_no_worse,
    a_lower_availability_makes_it_no_worse,
    what_was_tried_before_leaves_no_trace,
    an_answer_within_a_tighter_budget_is_valid_in_the_looser,
    spot_makes_it_no_worse,
    spot_that_is_no_cheaper_is_not_bought,
    sharing_where_nobody_shares_changes_nothing,
    an_offer_without_maintenance_is_no_worse,
    needing_less_of_the_time_makes_it_no_worse,
    more_time_to_run_in_makes_it_no_worse,
    more_time_for_a_batch_makes_it_no_worse,
    more_gpus_are_no_better,
    more_tasks_are_no_better,
    k_times_the_prices_cost_k_times_as_much,
    a_constant_on_every_latency_changes_no_choice,
    a_cheaper_chosen_offer_is_no_worse,
    renamed_in_order_the_same_offers_are_chosen,
    neutral_wishes_ask_for_nothing,
    k_times_the_weights_weigh_the_same,
    what_does_not_meet_adds_up,
)
"""Relations of one intent."""

SEVERAL: tuple[Relation, ...] = (
    other_units_say_the_same,
    a_week_later_everything_is_a_week_later,
    k_times_the_priorities_rank_the_same,
    fewer_intents_leave_the_others_no_worse,
    another_order_is_the_same_question,
)
"""Relations of one intent or several."""


def tried(
    relation: Relation, times: int, start: int = 0, *, make: Callable[[int], World] | None = None
) -> int:
    """Try a relation in as many worlds as it takes to apply it `times`; return how often it was applied."""
    make = make or (known if relation in SINGLE else several)
    applied, seed = 0, start
    while applied < times and seed < start + 40 * times:
        try:
            applied += relation(make(seed), Random(seed))
        except AssertionError as error:
            raise AssertionError(f"{relation.__name__}, world {seed}: {error}") from error
        seed += 1
    return applied
