"""What a FLUIDOS federation offers, from the Kubernetes objects that tell of it.

================  =====================================================================================
PeeringCandidate  a flavor of some provider; ``spec.available`` decides whether it can still be had
Discovery         the newest solved one says which candidates are fresh: the others are left out as stale
Flavor            what a cluster itself sells; a candidate of the same flavor goes before it
Node              annotated or labelled; left out where a flavor was made of it
Pod               what it asks for is used already on its node
================  =====================================================================================

All objects of one reading are seen together, whatever list or file they came in. FLUIDOS does not deduct GPUs
that it sold: `Sold` tells of them, and the flavor that took the sold one's place is offered without.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from flare_core.catalog import gpus
from flare_core.errors import InventoryError
from flare_core.inventory.annotated import node_facts, not_offered
from flare_core.inventory.build import RawOffers
from flare_core.inventory.document import read_offers
from flare_core.inventory.fields import OtherAccelerator
from flare_core.inventory.flavors import K8SLICE, Object, flavor_facts, part
from flare_core.inventory.reading import Facts, Reading, quantity
from flare_core.quantities import QuantityError, parse_moment

__all__ = ["KINDS", "Reading", "Sold", "is_objects", "read_objects"]

KINDS: Final = ("Discovery", "Flavor", "Node", "PeeringCandidate", "Pod")
_OVER: Final = frozenset({"Succeeded", "Failed"})
_SHOWN: Final = 3
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sold:
    """GPUs that were bought with a part of a flavor, and that FLUIDOS goes on to advertise with the rest.

    A flavor that was bought whole leaves no rest.

    Attributes
    ----------
    flavor
        Name of the flavor that was bought.
    node_id
        ``nodeID`` of who sold it.
    model
        Of its GPUs, in any spelling.
    gpus
        How many were bought.
    advertised
        How many the flavor had when it was bought.
    cpu_left_milli
        Its milli-cores less those bought: the rest has as many, or fewer if somebody bought of it again. None
        where that is not known.
    """

    flavor: str
    node_id: str
    model: str
    gpus: int
    advertised: int
    cpu_left_milli: int | None = None


@dataclass(slots=True)
class _Objects:
    """The objects of one reading, by kind."""

    discoveries: list[Object] = field(default_factory=list)
    candidates: list[Object] = field(default_factory=list)
    flavors: list[Object] = field(default_factory=list)
    nodes: list[Object] = field(default_factory=list)
    pods: list[Object] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Machine:
    """One thing that can be offered: where it was told, and how it is read."""

    where: str
    name: str
    spec: Object
    node: bool = False


def is_objects(document: object) -> bool:
    """Tell whether a document is one or several Kubernetes objects."""
    if isinstance(document, list):
        return bool(document) and all(is_objects(each) for each in document)
    return (
        isinstance(document, Mapping) and isinstance(document.get("kind"), str) and "apiVersion" in document
    )


def read_objects(
    documents: Iterable[object],
    source: str = "",
    *,
    reading: Reading | None = None,
    sold: Sequence[Sold] = (),
) -> RawOffers:
    """Read what objects offer.

    Parameters
    ----------
    documents
        Objects, or lists of them as ``kubectl get -o json`` prints them; other kinds than `KINDS` do not
        matter.
    source
        For people.
    reading
        What no object says.
    sold
        Purchases to deduct.

    Raises
    ------
    InventoryError
        If none of the objects can be offered.
    """
    objects, warnings = _Objects(), _Counts()
    for each in documents:
        _sort(each, objects)
    machines = list(_machines(objects, warnings))
    deducted = _deducted(machines, sold)
    pods = _pods_by_node(objects.pods)
    offers = _offers(machines, reading or Reading(), deducted, pods, warnings)
    try:
        raw = read_offers(offers, source, inside=": {}".format)
    except InventoryError as error:
        why = "; ".join((error.message, *warnings.told()[:_SHOWN]))
        raise InventoryError(error.path, why) from None
    said = (*warnings.told(), *raw.warnings)
    return RawOffers(raw.ids, raw.columns, said, raw.source, raw.usage, raw.where)


class _Counts:
    """What was left out, by reason."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}
        self.words: list[str] = []

    def add(self, reason: str, name: str) -> None:
        self._names.setdefault(reason, []).append(name)

    def told(self) -> tuple[str, ...]:
        """Return one sentence for each reason, and those about single words."""
        said = []
        for reason, names in sorted(self._names.items()):
            shown = ", ".join(sorted(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            said.append(f"left out: {reason}: {shown}")
        return (*said, *self.words)


def _sort(document: object, objects: _Objects) -> None:
    if isinstance(document, list):
        for each in document:
            _sort(each, objects)
    if not isinstance(document, Mapping):
        return
    items = document.get("items")
    if isinstance(items, list):
        # Items of a typed list do not repeat what they are.
        kind = str(document.get("kind", "")).removesuffix("List")
        for item in items:
            _sort({"kind": kind, **item} if isinstance(item, Mapping) else item, objects)
        return
    by_kind = {
        "Discovery": objects.discoveries,
        "PeeringCandidate": objects.candidates,
        "Flavor": objects.flavors,
        "Node": objects.nodes,
        "Pod": objects.pods,
    }
    found = by_kind.get(str(document.get("kind")))
    if found is not None:
        found.append(document)


# --- which of them are offered -------------------------------------------------------------------


def _machines(objects: _Objects, counts: _Counts) -> Iterator[_Machine]:
    """Yield what is offered, each flavor once."""
    taken: set[str] = set()
    fresh = _newest_list(objects.discoveries)
    candidates = [_embedded(each) for each in objects.candidates]
    for name, candidate in candidates:
        if fresh is not None and name not in fresh:
            counts.add("stale, not in the newest discovery", name)
        elif part(candidate, "spec").get("available") is not True:
            counts.add("not available", name)
        else:
            yield from _flavor("PeeringCandidate", name, part(candidate, "spec", "flavor"), counts)
        taken.add(name)
    # What a discovery found is all there is where the candidates themselves were not read.
    for name, candidate in (fresh or {}).items() if not candidates else ():
        if part(candidate, "spec").get("available") is True:
            taken.add(name)
            yield from _flavor("Discovery", name, part(candidate, "spec", "flavor"), counts)
    made_of: set[str] = set()
    for flavor in objects.flavors:
        name = _name(flavor)
        made_of |= _owners(flavor)
        if name not in taken:
            yield from _flavor("Flavor", name, flavor, counts)
    for node in objects.nodes:
        reason = "a flavor stands for it" if _name(node) in made_of else not_offered(node)
        if reason is not None:
            counts.add(reason, _name(node))
        else:
            yield _Machine(f"Node {_name(node)}", _name(node), node, node=True)


def _flavor(kind: str, name: str, flavor: Object, counts: _Counts) -> Iterator[_Machine]:
    spec = part(flavor, "spec")
    if part(spec, "flavorType").get("typeIdentifier") != K8SLICE:
        counts.add("no K8Slice", name)
    elif spec.get("availability") is False:
        counts.add("sold", name)
    else:
        yield _Machine(f"{kind} {name}", name, spec)


def _name(thing: Object) -> str:
    return str(part(thing, "metadata").get("name") or "")


def _embedded(candidate: Object) -> tuple[str, Object]:
    flavor = _name(part(candidate, "spec", "flavor"))
    return flavor or _name(candidate).removeprefix("peeringcandidate-"), candidate


def _owners(flavor: Object) -> set[str]:
    owners = part(flavor, "metadata").get("ownerReferences")
    listed = owners if isinstance(owners, list) else []
    return {str(part(owner).get("name")) for owner in listed if part(owner).get("kind") == "Node"}


def _newest_list(discoveries: Sequence[Object]) -> Mapping[str, Object] | None:
    """Return the candidates of the newest solved discovery by flavor, None where there is none."""
    solved = [each for each in discoveries if part(each, "status", "phase").get("phase") == "Solved"]
    if not solved:
        return None
    newest = max(solved, key=lambda each: (_ended(each), _name(each)))
    items = part(newest, "status", "peeringCandidateList").get("items")
    return dict(_embedded(part(each)) for each in (items if isinstance(items, list) else []))


def _ended(discovery: Object) -> datetime:
    phase, meta = part(discovery, "status", "phase"), part(discovery, "metadata")
    for written in (phase.get("endTime"), phase.get("lastChangeTime"), meta.get("creationTimestamp")):
        try:
            return parse_moment(written)
        except QuantityError:
            continue
    return _LONG_AGO


def _pods_by_node(pods: Sequence[Object]) -> dict[str, list[Object]]:
    found: dict[str, list[Object]] = {}
    for pod in pods:
        node = part(pod, "spec").get("nodeName")
        if isinstance(node, str) and part(pod, "status").get("phase") not in _OVER:
            found.setdefault(node, []).append(pod)
    return found


# --- what they offer -----------------------------------------------------------------------------


def _offers(
    machines: Sequence[_Machine],
    reading: Reading,
    deducted: Mapping[str, int],
    pods: Mapping[str, Sequence[Object]],
    counts: _Counts,
) -> Iterator[tuple[str, object]]:
    """Yield each offer, or what is wrong with its object."""
    for machine in machines:
        try:
            facts = (
                node_facts(machine.spec, reading, pods.get(machine.name, ()))
                if machine.node
                else flavor_facts(machine.spec, machine.name, reading)
            )
            offer = facts.offer()
        except OtherAccelerator:
            yield machine.where, {"id": machine.name, "gpu.model": "tpu-v4"}
            continue
        except InventoryError as error:
            yield machine.where, error
            continue
        counts.words += [f"{machine.where}: {word}" for word in facts.left_out]
        if machine.name in deducted:
            offer["node_states"] = [_left(facts, deducted[machine.name])]
            again = f"{deducted[machine.name]} GPUs that were bought and are advertised again"
            counts.add(again, machine.name)
        yield machine.where, offer


def _left(facts: Facts, gpus: int) -> dict[str, object]:
    """Return what of a node is left: without some GPUs, and with all the rest, which FLUIDOS does deduct."""
    count = facts.get("gpu.count")
    state: dict[str, object] = {
        "node": 0,
        "free_gpus": list(range(gpus, count if isinstance(count, int) else gpus)),
    }
    state |= {key: facts.get(key) for key in ("cpu", "memory") if facts.get(key) is not None}
    return state


def _deducted(machines: Sequence[_Machine], sold: Sequence[Sold]) -> dict[str, int]:
    """Return how many GPUs to take off each flavor.

    The rest of a flavor comes back under a new name, with the cores that are left and with all of the GPUs.
    Of the provider's flavors of that model which were not bought themselves, the one with the most cores
    that are no more than that is taken for the rest. GPUs that are no longer advertised need not be deducted.
    """
    bought = {each.flavor for each in sold}
    others = (each for each in machines if not each.node and each.name not in bought)
    rests = sorted(map(_rest, others), reverse=True) if sold else []
    taken: dict[str, int] = {}
    for purchase in sorted(sold, key=lambda each: each.flavor):
        most = purchase.cpu_left_milli
        for rest in rests:
            if (rest.node_id, rest.model) != (purchase.node_id, _normal(purchase.model)):
                continue
            if most is not None and rest.cpu_milli > most:
                continue
            gone = max(0, purchase.advertised - rest.gpus)
            here = min(purchase.gpus - gone, rest.gpus - taken.get(rest.name, 0))
            if here > 0:
                taken[rest.name] = taken.get(rest.name, 0) + here
            break
    return taken


class _Rest(NamedTuple):
    """What a flavor has, as far as it tells whose rest it is."""

    cpu_milli: int
    name: str
    node_id: str
    model: str
    gpus: int


def _rest(machine: _Machine) -> _Rest:
    try:
        facts = flavor_facts(machine.spec, machine.name, Reading())
    except InventoryError:
        facts = Facts()
    count, named = facts.get("gpu.count"), str(facts.get("gpu.model"))
    owner = part(machine.spec, "owner").get("nodeID") or machine.spec.get("providerID")
    return _Rest(
        cpu_milli=int((quantity(facts.get("cpu")) or 0) * 1000),
        name=machine.name,
        node_id=str(owner),
        model=_normal(named),
        gpus=count if isinstance(count, int) else 0,
    )


def _normal(model: str) -> str:
    return gpus.normalize(model) or model.lower()
