"""A quick look at a copy of FLARE: does any net catch what was planted in it?

Run as a script with the copy first on the path; prints which net caught it, and where, as JSON.
"""

import json
from random import Random

import flare_core
from flare_core.errors import InternalError
from tests.insides import cut, gangs, inside, linked
from tests.metamorphic import relations
from tests.oracle.compare import differences
from tests.oracle.test_optimum import at_the_edge
from tests.worlds import alike, small

WORLDS = 3000
MAKES = (small, cut, alike, linked, inside, gangs)
EDGES = 60
RELATIONS = (
    relations.another_order_is_the_same_question,
    relations.a_split_offer_is_worth_the_same,
    relations.without_an_unused_offer_the_choice_stays,
)


def net_of(error: Exception) -> str:
    """Return which net an exception is: the checker, a rule's own audit, or a name of its own."""
    if isinstance(error, InternalError):
        if "does not pass the check" in error.message:
            return "verify"
        if "breaks a rule" in error.message:
            return "audit"
    return type(error).__name__


def caught() -> tuple[str, str]:
    """Return the net and where it caught something; ("", "") for nothing."""
    for number in range(WORLDS):
        make, seed = MAKES[number % len(MAKES)], number // len(MAKES)
        world = make(seed)
        try:
            different = differences(world, world.document())
        except Exception as error:  # whatever it is, it is caught
            return net_of(error), f"{make.__name__}({seed}): {error}"
        if different:
            return "oracle", f"{make.__name__}({seed}): {different[0]}"
    for seed in range(EDGES):
        try:
            wrong = at_the_edge(seed)[1]
        except Exception as error:
            return net_of(error), f"edge {seed}: {error}"
        if wrong:
            return "oracle", f"edge {wrong[0]}"
    for relation in RELATIONS:
        for seed in range(20):
            make = relations.known if relation in relations.SINGLE else relations.several
            try:
                relation(make(seed), Random(seed))
            except Exception as error:
                return "metamorphic", f"{relation.__name__} in world {seed}: {error}"
    return "", ""


if __name__ == "__main__":
    net, where = caught()
    print(json.dumps({"net": net, "where": where[:200], "code": flare_core.__file__}))  # noqa: T201
