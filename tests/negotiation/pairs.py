"""For each term of ``negotiation`` two values and one world in which they make a difference at the edge."""

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, NamedTuple

from tests.worlds import Json, answer, intent, offer, world

GPU = "workload__resources__gpu"
TERMS = "constraints.negotiation"


def asking(terms: Mapping[str, object], **changes: Any) -> Json:
    """An intent that negotiates; all that gives way is accepted unasked where `terms` do not say."""
    return intent(constraints__negotiation={"auto_accept_threshold": 1, **terms}, **changes)


class Pair(NamedTuple):
    """Values of one term and the outcomes that they lead to: a status, an offered id, or what is relaxed."""

    values: tuple[object, object]
    outcomes: tuple[object, object]
    asked: Json
    offers: tuple[Json, ...]
    seconds: float = 0.0


def steps_of(seconds: float) -> Callable[[], float]:
    """A clock that moves on at each look."""
    looks: Iterator[float] = count(0.0, seconds)
    return lambda: next(looks)


def outcome(pair: Pair, term: str, value: object) -> object:
    """Place with one value of the term; return what tells the two apart."""
    asked = {**pair.asked, "constraints": {**pair.asked["constraints"]}}
    asked["constraints"]["negotiation"] = {**asked["constraints"]["negotiation"], term: value}
    options: dict[str, Any] = {"timer": steps_of(pair.seconds), "time_limit": 1e9} if pair.seconds else {}
    [placed] = answer(world(asked, *pair.offers).place(**options))["placements"]
    rows = placed["assignments"]
    return rows[0]["offer"] if rows else "offered" if placed["offer"] else placed["status"]


DEAR = asking({}, constraints__max_hourly_cost="1 EUR")
PAIRS: Mapping[str, Pair] = {
    # Of three rounds the first allows 10 % more money, and only the last 8 % less memory.
    f"{TERMS}.max_negotiation_rounds": Pair(
        (1, 3),
        ("small", "dear"),
        asking(
            {"price_flexibility": 0.3, "resource_flexibility": 0.1},
            constraints__max_hourly_cost="1 EUR",
            **{f"{GPU}__memory": "50Gi"},
        ),
        (offer("dear", "1.09", gpu__memory="50Gi"), offer("small", 1, gpu__memory="46Gi")),
    ),
    f"{TERMS}.price_flexibility": Pair((0.09, 0.1), ("queued", "a"), DEAR, (offer("a", "1.10"),)),
    f"{TERMS}.resource_flexibility": Pair(
        (0.19, 0.2), ("queued", "a"), asking({}, **{f"{GPU}__memory": "50Gi"}), (offer("a"),)
    ),
    f"{TERMS}.timeout_seconds": Pair((1, 300), ("queued", "a"), DEAR, (offer("a", "1.10"),), seconds=2),
    f"{TERMS}.fallback_strategy": Pair(("queue", "fail"), ("queued", "rejected"), DEAR, (offer("a", 2),)),
    f"{TERMS}.auto_accept_threshold": Pair((0.099, 0.1), ("offered", "a"), DEAR, (offer("a", "1.10"),)),
}
