"""What the FLUIDOS backend has to be told about a federation, because no object in it says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final, Literal

from flare_core.errors import OptionsError, found_expected
from flare_core.inventory.fluidos import Reading

PREFIX: Final = "FLARE_FLUIDOS_"
IDENTITY: Final = "fluidos-node-identity"
"""ConfigMap in which FLUIDOS keeps who its cluster is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who buys or sells: FLUIDOS's NodeIdentity; ``ip`` is ``host:port`` of the REAR gateway."""

    domain: str
    node_id: str
    ip: str

    def to_dict(self) -> dict[str, str]:
        """Return it as FLUIDOS writes it."""
        return {"domain": self.domain, "nodeID": self.node_id, "ip": self.ip}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Longest time that each step may take, seconds; FLUIDOS itself gives up on none of them in time.

    The defaults leave room for what is built into FLUIDOS: a discovery asks the providers one after the
    other, reserving and buying sleep for 15 s, connecting waits up to 2 min three times.
    """

    discovery_s: float = 60.0
    reservation_s: float = 120.0
    allocation_s: float = 420.0
    resources_s: float = 120.0
    offloading_s: float = 120.0
    start_s: float = 1800.0
    release_s: float = 300.0

    def __post_init__(self) -> None:
        for each in fields(self):
            if not getattr(self, each.name) > 0:
                found = found_expected(getattr(self, each.name), "a number of seconds above 0")
                raise OptionsError(f"deadlines.{each.name}", found)


@dataclass(frozen=True, slots=True, kw_only=True)
class FluidosSettings:
    """How one federation is read and bought from.

    Attributes
    ----------
    namespace
        Where FLUIDOS keeps its objects.
    prices_per
        Whether ``hourly_rate`` is the price of a node (as the documents suggest) or of one GPU.
    places
        What ``gpu.region`` and ``gpu.zone`` of a flavor hold: ``swapped`` as the controllers write them,
        ``stated`` as they are named, ``auto`` whichever of the two looks like a region.
    country_from_region
        Take the country from names such as ``us-east-1`` or ``eu-west-1`` where nothing else states it. Off:
        a name is no proof of a place, and data residency rests on it.
    usd_eur
        Euro for one US dollar, such as ``"0.92"``; offers priced in USD are skipped without it.
    nodes
        Offer annotated nodes of this very cluster, too.
    buyer
        Who buys; None is what the ConfigMap `identity` says.
    refresh_s
        Age at which the newest Discovery is repeated, seconds.
    stale_s
        Age from which on the newest Discovery that succeeded is no longer believed, seconds.
    delete_candidates
        Delete candidates before a Discovery is repeated. FLUIDOS up to 0.1.2 gets stuck on old ones; where
        they are updated it only makes offers vanish for a moment.
    deadlines
        Longest time of each step.
    storage_class
        Of volumes. Liqo carries a volume to a provider only with its own class; None is the default class.
    ingress_class, ingress_annotations, ingress_tls
        Of exposed ports; with TLS the certificate is expected in the secret ``{workload}-tls``.
    ingress_domain
        Below which an exposed port without a domain gets one; None: a load balancer exposes it.
    gpu_metric
        Pod metric that tells the use of GPUs in percent; None: replicas follow the CPU alone.
    image_pull_secrets
        Names of secrets in the workload's namespace.
    secrets_namespace
        Where the platform keeps the secrets that intents name; they are copied into the workload's
        namespace. None: something else puts them there.
    """

    namespace: str = "fluidos"
    prices_per: Literal["node", "gpu"] = "node"
    places: Literal["auto", "swapped", "stated"] = "auto"
    country_from_region: bool = False
    usd_eur: str | None = None
    nodes: bool = False
    buyer: Identity | None = None
    identity: str = IDENTITY
    refresh_s: float = 60.0
    stale_s: float = 600.0
    delete_candidates: bool = False
    deadlines: Deadlines = field(default_factory=Deadlines)
    storage_class: str | None = "liqo"
    ingress_class: str | None = None
    ingress_annotations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ingress_tls: bool = True
    ingress_domain: str | None = None
    gpu_metric: str | None = "DCGM_FI_DEV_GPU_UTIL"
    image_pull_secrets: tuple[str, ...] = ()
    secrets_namespace: str | None = None

    def __post_init__(self) -> None:
        for path in ("refresh_s", "stale_s"):
            if not getattr(self, path) > 0:
                raise OptionsError(path, found_expected(getattr(self, path), "a number of seconds above 0"))
        self.reading()

    def reading(self) -> Reading:
        """Return how flavors and nodes are read."""
        return Reading(
            prices_per=self.prices_per,
            places=self.places,
            country_from_region=self.country_from_region,
            usd_eur=self.usd_eur,
        )


def read_settings(environ: Mapping[str, str]) -> FluidosSettings:
    """Return the settings that variables state.

    Parameters
    ----------
    environ
        ``FLARE_FLUIDOS_`` and a setting's name in capitals: ``FLARE_FLUIDOS_PRICES_PER=gpu``. Deadlines are
        ``FLARE_FLUIDOS_DEADLINES_START_S``, the parts of the buyer ``FLARE_FLUIDOS_BUYER_NODE_ID``; lists
        have commas, mappings ``key=value``; an empty text is None where that is possible.

    Raises
    ------
    OptionsError
        A name that is no setting, or a value that it cannot have.
    """
    given = {
        key.removeprefix(PREFIX).lower(): text for key, text in environ.items() if key.startswith(PREFIX)
    }
    deadlines = _taken("deadlines_", given, {each.name for each in fields(Deadlines)})
    buyer = _taken("buyer_", given, {each.name for each in fields(Identity)})
    known = {each.name: getattr(each.type, "__name__", str(each.type)) for each in fields(FluidosSettings)}
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in known or name in ("buyer", "deadlines"):
            raise OptionsError(f"{PREFIX}{name.upper()}", "is no setting of the FLUIDOS backend")
        values[name] = _value(name, text, known[name])
    if deadlines:
        numbers = {name: _number(f"deadlines_{name}", text) for name, text in deadlines.items()}
        values["deadlines"] = Deadlines(**numbers)
    if buyer:
        if buyer.keys() != {each.name for each in fields(Identity)}:
            raise OptionsError(f"{PREFIX}BUYER", found_expected(sorted(buyer), "domain, node_id and ip"))
        values["buyer"] = Identity(**buyer)
    return FluidosSettings(**values)


def _taken(prefix: str, given: dict[str, str], names: set[str]) -> dict[str, str]:
    """Take the variables of a part out of those given."""
    found = {key.removeprefix(prefix): key for key in given if key.startswith(prefix)}
    return {name: given.pop(key) for name, key in sorted(found.items()) if name in names}


def _value(name: str, text: str, kind: str) -> object:
    if kind == "bool":
        if text.lower() not in ("true", "false"):
            raise OptionsError(f"{PREFIX}{name.upper()}", found_expected(text, "true or false"))
        return text.lower() == "true"
    if kind == "float":
        return _number(name, text)
    if kind.startswith("tuple"):
        return tuple(part for part in text.split(",") if part)
    if kind.startswith("Mapping"):
        pairs = [part.partition("=") for part in text.split(",") if part]
        return MappingProxyType({key: value for key, _, value in pairs})
    return None if not text and "None" in kind else text


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        found = found_expected(text, "a number of seconds")
        raise OptionsError(f"{PREFIX}{name.upper()}", found) from None
