"""A plan's document against the optimum that exhaustion found."""

from collections.abc import Iterator, Mapping
from typing import Any

from flare_core.quantities import Rounding, parse_money_ueur, parse_rate_ueur_per_h
from tests.oracle.oracle import STEPS, Best, Choice, Need, Oracle, Row, up
from tests.worlds import World

Json = dict[str, Any]
UNITS = {
    "Cost_Minimization": 1e-6,
    "Performance_Maximization": -1e-3,
    "Latency_Minimization": 1e-3,
    "Energy_Efficiency": 1e-6,
}


def differences(world: World, document: Json, best: Best | None = None) -> list[str]:
    """Return in what `document` is not the optimum of `world`, in words."""
    best = Oracle(world).best() if best is None else best
    by_name = {p["intent"]: p for p in document["placements"]}
    _accept_shares(by_name, best)
    return [
        *_plan(document, best),
        *(
            d
            for n, c in zip(best.needs, best.choices, strict=True)
            for d in _one(by_name[n.name], n, c, best)
        ),
    ]


def _accept_shares(by_name: Mapping[str, Json], best: Best) -> None:
    """Take the seats that are told on nodes with shares for the best ones, where only numbers differ.

    Which of several GPUs that are as good a share lies on is for the one who packs them to say.
    """
    told: dict[tuple[str, int], dict[int, list[tuple[int, ...]]]] = {}
    for i, need in enumerate(best.needs):
        for row in by_name[need.name]["assignments"]:
            told.setdefault((row["offer"], row["node"]), {}).setdefault(i, []).append(tuple(row["gpus"]))
    lain = {(row.offer, row.node) for rows in best.rows for row in rows}
    if best.oracle is not None and any(
        [best.oracle.as_good(best.choices, place, told.get(place, {})) for place in sorted(lain)]
    ):
        best.rows = best.oracle.rows(best.choices)


def _plan(document: Json, best: Best) -> Iterator[str]:
    placed = [c for c in best.choices if c is not None]
    expected = "optimal" if placed else "infeasible"
    if document["status"] != expected:
        yield f"status is {document['status']}, expected {expected}"
        return
    if not placed:
        if document["objective"] is not None:
            yield f"nothing is placed and the objective is {document['objective']}"
        return
    primary = best.key[3]
    need = best.needs[0]
    if len(best.needs) > 1:
        yield from _number("objective.placed", document["objective"]["placed"], len(placed))
        yield from _number("objective.scaled", document["objective"]["scaled"], primary / STEPS)
    else:
        unit = UNITS.get(need.objective, 1 / STEPS)
        yield from _number("objective", document["objective"], primary * unit)
    if document["bound"] != document["objective"] or document["gap"] not in (0.0, 0):
        yield f"optimal with bound {document['bound']} and gap {document['gap']}"


def _number(what: str, found: float | None, expected: float) -> Iterator[str]:
    if found is None or abs(found - expected) > 1e-6:
        yield f"{what} is {found}, expected {expected}"


def _one(found: Json, need: Need, choice: Choice | None, best: Best) -> Iterator[str]:
    if choice is None:
        if found["status"] != "rejected":
            yield f"{need.name} is {found['status']}, expected rejected"
        return
    if found["status"] != "placed":
        yield f"{need.name} is {found['status']}, expected placed on {choice.loads}"
        return
    rows = [tuple(r[key] for key in _TOLD) for r in found["assignments"]]
    seats = [_told(row, need, choice) for row in best.rows[best.needs.index(need)]]
    if rows != seats:
        yield f"{need.name} lies on {rows}, expected {seats}"
    yield from _relaxed(found, need, choice, best)
    yield from _figures(found, need, choice, best)


_TOLD = ("offer", "node", "spot", "gpus", "mig_profile", "gpu_milli", "efficiency")


def _told(row: Row, need: Need, choice: Choice) -> tuple[object, ...]:
    """Return what the document says of a task."""
    share = need.worth[row.offer].want.share
    milli = share.milli if share and share.profile is None else None
    where = (row.offer, row.node, choice.prices[row.offer].spot, list(row.gpus))
    return (*where, share.profile if share else None, milli, row.efficiency / 10**6)


def _relaxed(found: Json, need: Need, choice: Choice, best: Best) -> Iterator[str]:
    missed = {path for row in best.rows[best.needs.index(need)] for path in row.missed}
    if choice.apart:
        missed.add("workload.resources.gpu.interconnect")
    yield from _equal("relaxed", sorted(r["path"] for r in found["relaxed"]), sorted(missed))


def _figures(found: Json, need: Need, choice: Choice, best: Best) -> Iterator[str]:
    terms = choice.terms
    speed = sum(row.speed for row in best.rows[best.needs.index(need)])
    used = [need.worth[x.offer] for x in choice.loads]
    yield from _equal("hourly_cost", _rate(found["hourly_cost"]), terms.hourly)
    yield from _equal("total_cost", _money(found["total_cost"]), None if need.length is None else terms.total)
    network = [w.network_ms for w in used]
    yield from _equal(
        "latency_ms",
        found["latency_ms"],
        None if None in network else max(n for n in network if n is not None),
    )
    known = all(w.carbon_known for w in used)
    yield from _equal(
        "carbon_g_per_hour", found["carbon_g_per_hour"], round(terms.carbon / 1e6, 6) if known else None
    )
    known = all(w.performance_known for w in used)
    yield from _equal("performance_tflops", found["performance_tflops"], speed / 1000 if known else None)
    if not all(w.uptime_known for w in used):
        yield from _equal("availability_percent", found["availability_percent"], None)
    elif need.kind == "service":
        yield from _number(
            "availability_percent", found["availability_percent"], float(100 * up(need, choice.loads))
        )
    else:
        yield from _number(
            "availability_percent", found["availability_percent"], float(100 * min(w.uptime for w in used))
        )
    replicas, hourly = best.headroom[best.needs.index(need)]
    told = found["headroom"]
    told = None if told is None else (told["replicas"], _rate(told["hourly_cost"]))
    yield from _equal("headroom", told, (replicas, hourly) if need.scales else None)


def _equal(what: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        yield f"{what} is {found}, expected {expected}"


def _rate(text: str | None) -> int | None:
    return None if text is None else parse_rate_ueur_per_h(text, Rounding.UP)


def _money(text: str | None) -> int | None:
    return None if text is None else parse_money_ueur(text, Rounding.UP)
