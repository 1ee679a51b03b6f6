"""What the FLUIDOS backend has to be told about a federation, because no object in it says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Literal

from flare_core.errors import OptionsError, found_expected
from flare_core.inventory.fluidos import Reading

IDENTITY = "fluidos-node-identity"
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
