"""Intents that come and go: an inventory, what is placed on it, and what is left.

An intent is placed beside those that are there, as `place` does it beside a plan that is carried out; what is
placed stays as it is until it ends or is released, begun or not. So nobody is refused who would have been
accepted when it came, and nobody is moved by who comes after.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from flare_core.engine import around, moment_of
from flare_core.errors import FlareError, OptionsError, found_expected
from flare_core.intent import read_intent
from flare_core.inventory.digest import digest
from flare_core.options import FIRST_COME, Options
from flare_core.placement.types import Plan, Status
from flare_core.quantities import format_moment, parse_moment
from flare_core.verify.stays import without_room

if TYPE_CHECKING:
    from flare_core.intent import Intent
    from flare_core.inventory.types import Inventory

VERSION: Final = 1
"""Of the snapshots."""


class Acceptance(NamedTuple):
    """How many intents of a class were placed, of how many."""

    placed: int
    of: int


def class_of(intent: "Intent") -> str:
    """Return what intents are counted by: their type, their tasks, and the GPUs of a task."""
    workload, gpu = intent.workload, intent.workload.resources.gpu
    gpus = "no GPU" if gpu is None or not gpu.count else f"{gpu.count} {_part(intent)}{gpu.model or 'any'}"
    return f"{workload.type}, {workload.tasks} x {gpus}"


def _part(intent: "Intent") -> str:
    gpu = intent.workload.resources.gpu
    return (
        "" if gpu is None else "instances of " if gpu.multi_instance else "shares of " if gpu.shared else ""
    )


def acceptance(plan: Plan, intents: "Sequence[Intent]") -> Mapping[str, Acceptance]:
    """Return how many intents of each class a plan places.

    A plan that places most may refuse all that are awkward to place, which a number of all together hides.

    Parameters
    ----------
    plan
        Of `place`.
    intents
        Those that it was made for, in the same order.

    Returns
    -------
    Mapping
        By class (``"service, 2 x 1 nvidia-h100"``), ascending.
    """
    pairs = list(zip(intents, plan.placements, strict=True))
    return _counted(
        Counter(class_of(intent) for intent, found in pairs if found.status is Status.PLACED),
        Counter(class_of(intent) for intent, _ in pairs),
    )


def _counted(placed: Counter[str], of: Counter[str]) -> Mapping[str, Acceptance]:
    return MappingProxyType({name: Acceptance(placed[name], of[name]) for name in sorted(of)})


@dataclass(frozen=True, slots=True)
class _Held:
    """An intent that is placed, the document of its placement, and what was warned of."""

    intent: "Intent"
    document: Mapping[str, Any]
    warnings: tuple[str, ...]
    end: datetime | None


class Engine:
    """An inventory, the intents placed on it, and what they leave.

    Every rule of `place` holds, for each intent beside all that is there. What was placed stays where and
    when it was placed until it ends or is released. The same calls give the same placements. For tasks by the
    thousand, without prices and places, see `flare_core.scale.engine`.

    Parameters
    ----------
    inventory
        What is offered, from `read_inventory`, without what is placed here.
    options
        How to search, each time anew. Several intents together are placed so that none is refused that
        first-come would have accepted, whatever `fairness` says.

    Examples
    --------
    >>> import flare_core as flare
    >>> offer = {
    ...     "id": "o",
    ...     "provider": "p",
    ...     "region": "r",
    ...     "nodes": 1,
    ...     "cpu": "8",
    ...     "memory": "64Gi",
    ...     "price": {"hourly": "2 EUR/hour", "billing": "gpu"},
    ...     "gpu": {"model": "nvidia-t4", "count": 2},
    ... }
    >>> engine = flare.Engine(flare.read_inventory({"version": 1, "offers": [offer]}))
    >>> def intent(name):
    ...     workload = {"type": "service", "name": name, "image": "app:1"}
    ...     workload["resources"] = {"cpu": "1", "memory": "1Gi", "gpu": {"count": 2}}
    ...     return flare.read_intent({"objective": "Cost_Minimization", "workload": workload})
    >>> engine.submit(intent("one"), "2026-01-15T10:00:00Z").placements[0].status
    <Status.PLACED: 'placed'>
    >>> engine.submit(intent("two"), "2026-01-15T10:05:00Z").placements[0].status
    <Status.REJECTED: 'rejected'>
    >>> engine.release("one")
    >>> engine.submit(intent("two"), "2026-01-15T10:10:00Z").placements[0].status
    <Status.PLACED: 'placed'>
    """

    def __init__(self, inventory: "Inventory", options: Options | None = None) -> None:
        self._inventory = inventory
        self._options = replace(Options() if options is None else options, fairness=FIRST_COME)
        self._held: dict[str, _Held] = {}
        self._now: datetime | None = None
        self._came: Counter[str] = Counter()
        self._placed: Counter[str] = Counter()

    @property
    def inventory(self) -> "Inventory":
        """What is offered, without what is placed here."""
        return self._inventory

    @property
    def intents(self) -> "tuple[Intent, ...]":
        """The intents that are placed, in the order in which they were."""
        return tuple(one.intent for one in self._held.values())

    @property
    def accepted(self) -> Mapping[str, Acceptance]:
        """How many of the intents of each class that came were placed at once; see `acceptance`."""
        return _counted(self._placed, self._came)

    def submit(self, intent: "Intent", now: str | datetime) -> Plan:
        """Place an intent beside all that is there.

        Parameters
        ----------
        now
            The moment at which it comes, as for `place`; not before that of an earlier call.

        Returns
        -------
        Plan
            Of this intent alone. If it is not placed, nothing is kept of it.

        Raises
        ------
        FlareError
            As `place`, or if an intent of this name is there already.
        """
        return self.submit_many((intent,), now)

    def submit_many(self, intents: "Sequence[Intent]", now: str | datetime) -> Plan:
        """Place intents that have come together, in this order, beside all that is there.

        None of them is refused that would be placed if they were submitted one by one; as many others are
        placed as there is room for.

        Raises
        ------
        FlareError
            As `submit`; then none is placed.
        """
        moment = self._moment(now)
        held = {name: one for name, one in self._held.items() if one.end is None or one.end > moment}
        for k, intent in enumerate(intents):
            if intent.name in held:
                expected = "a name of which no intent is placed"
                raise OptionsError(f"intents.{k}", found_expected(intent.name, expected))
        options = replace(self._options, priorities=self._priorities(intents))
        started, beside = options.timer(), [one.intent for one in held.values()]
        plan = around(
            tuple(intents), self._inventory, moment, _document(held.values()), options, started, beside
        )
        self._now, self._held = moment, held | dict(_kept(plan, intents))
        self._came.update(map(class_of, intents))
        pairs = zip(intents, plan.placements, strict=True)
        self._placed.update(class_of(intent) for intent, found in pairs if found.status is Status.PLACED)
        return plan

    def release(self, name: str) -> None:
        """Free what an intent has, begun or not.

        Raises
        ------
        OptionsError
            If no intent of this name is placed.
        """
        if self._held.pop(name, None) is None:
            raise OptionsError(name, "no intent of this name is placed")

    def update_inventory(self, inventory: "Inventory", now: str | datetime) -> tuple[str, ...]:
        """Replace what is offered; return the intents that lose their place, in the order of `intents`.

        An intent loses it where an offer or node that it uses is gone, is of another GPU model, or has become
        too small for those placed before it and itself; it is then as if it was released. Changed prices and
        facts change nothing for who is placed.
        """
        moment = self._moment(now)
        self._forget(moment)
        lost = without_room(_document(self._held.values()), self.intents, inventory, moment)
        self._held = {name: one for name, one in self._held.items() if name not in lost}
        self._inventory, self._now = inventory, moment
        return lost

    def plan(self, now: str | datetime) -> Plan | None:
        """Return the plan of all that is placed and has not ended, checked; None where nothing is."""
        moment = self._moment(now)
        self._forget(moment)
        self._now = moment
        if not self._held:
            return None
        options = replace(self._options, priorities={})
        document = _document(self._held.values())
        return around(self.intents, self._inventory, moment, document, options, options.timer(), ())

    def snapshot(self) -> str:
        """Return all there is to know beside inventory and options, as JSON; see `restore`."""
        document = {
            "version": VERSION,
            "inventory": digest(self._inventory),
            "now": None if self._now is None else format_moment(self._now),
            "placed": [
                {"intent": one.intent.to_dict(), "placement": one.document, "warnings": one.warnings}
                for one in self._held.values()
            ],
            "came": dict(sorted(self._came.items())),
            "accepted": dict(sorted(self._placed.items())),
        }
        return json.dumps(document)

    @classmethod
    def restore(cls, text: str, inventory: "Inventory", options: Options | None = None) -> Self:
        """Return the engine of a snapshot, which goes on as the one that wrote it would.

        Parameters
        ----------
        inventory, options
            Those of that engine. Where offers have changed since, restore with the old inventory, and
            `update_inventory`.

        Raises
        ------
        OptionsError
            If the text is no snapshot of this version, or was written on another inventory.
        """
        document = _read(text)
        if document["inventory"] != digest(inventory):
            raise OptionsError("inventory", "found another inventory than that of the snapshot")
        engine = cls(inventory, options)
        try:
            for one in document["placed"]:
                held = _held(read_intent(one["intent"]), one["placement"], tuple(one["warnings"]))
                engine._held[held.intent.name] = held
            engine._now = None if document["now"] is None else parse_moment(document["now"])
            engine._came, engine._placed = Counter(document["came"]), Counter(document["accepted"])
        except (KeyError, TypeError, ValueError, FlareError) as error:
            raise OptionsError("snapshot", f"found no snapshot as it is written: {error}") from None
        return engine

    def _moment(self, now: str | datetime) -> datetime:
        moment = moment_of(now)
        if self._now is not None and moment < self._now:
            expected = f"{format_moment(self._now)} or later, the moment of the last call"
            raise OptionsError("now", found_expected(format_moment(moment), expected))
        return moment

    def _forget(self, moment: datetime) -> None:
        """Leave out what has ended."""
        self._held = {name: one for name, one in self._held.items() if one.end is None or one.end > moment}

    def _priorities(self, intents: "Sequence[Intent]") -> Mapping[str, float]:
        names = {intent.name for intent in intents}
        return {name: weight for name, weight in self._options.priorities.items() if name in names}


def _document(held: "Sequence[_Held] | Any") -> Mapping[str, Any]:
    """Return the document of a plan that places all that is held, and nothing else."""
    listed = list(held)
    return {
        "status": "feasible" if listed else "infeasible",
        "objective": None,
        "bound": None,
        "gap": None,
        "wall_time_s": 0.0,
        "warnings": [text for one in listed for text in one.warnings],
        "placements": [one.document for one in listed],
    }


def _kept(plan: Plan, intents: "Sequence[Intent]") -> Iterator[tuple[str, _Held]]:
    """Yield what a plan places, by name."""
    document = plan.to_dict()
    for intent, written in zip(intents, document["placements"], strict=True):
        if written["status"] == "placed":
            prefix = f"{intent.name}: "
            own = [text for text in document["warnings"] if len(intents) == 1 or text.startswith(prefix)]
            said = tuple(text if text.startswith(prefix) else prefix + text for text in own)
            yield intent.name, _held(intent, written, said)


def _held(intent: "Intent", written: Mapping[str, Any], warnings: tuple[str, ...]) -> _Held:
    end = written["end_time"]
    return _Held(intent, written, warnings, None if end is None else parse_moment(end))


def _read(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
        version = document["version"]
    except (ValueError, TypeError, KeyError):
        raise OptionsError("snapshot", "found no version, expected a snapshot") from None
    if version != VERSION or not isinstance(document, Mapping) or "inventory" not in document:
        raise OptionsError("snapshot.version", found_expected(version, str(VERSION)))
    return document
