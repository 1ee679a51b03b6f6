"""One pass over one order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.buying.lots import Lot
from flare_core.adapters.fluidos.buying.workload import Progress
from flare_core.adapters.fluidos.circuits import Circuits
from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.settings import FluidosSettings, Identity
from flare_core.adapters.gateway.backend.port import Order

TENANT: Final = "liqo-tenant-"


@dataclass(frozen=True, slots=True)
class Bought:
    """A contract that was made for a lot."""

    contract: str
    transaction: str
    liqo_id: str
    seller: str

    @property
    def tenant(self) -> str:
        """The namespace in which Liqo keeps what concerns the seller."""
        return TENANT + self.liqo_id


@dataclass(slots=True)
class Memory:
    """What the handle of an order holds.

    Attributes
    ----------
    reached
        How many steps were done once.
    step, since
        The step that is waited for, and since when.
    bought
        Contracts by number of lot.
    refusal
        Why it is being undone; None while it is not.
    started
        When the workload was first seen running.
    owed
        What could not be undone.
    slots
        Slots of one GPU by offer, where it shares its GPUs.
    """

    reached: int = 0
    step: str = ""
    since: datetime | None = None
    bought: dict[int, Bought] = field(default_factory=dict)
    refusal: tuple[str, tuple[tuple[str, int | None], ...]] | None = None
    started: datetime | None = None
    owed: list[str] = field(default_factory=list)
    slots: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, handle: Mapping[str, Any]) -> "Memory":
        """Read a handle; an empty one is that of an order of which nothing is known."""
        refusal = handle.get("refusal")
        return cls(
            reached=handle.get("reached", 0),
            step=handle.get("step", ""),
            since=_moment(handle.get("since")),
            bought={int(key): Bought(*value) for key, value in handle.get("bought", {}).items()},
            refusal=(refusal[0], tuple((offer, node) for offer, node in refusal[1])) if refusal else None,
            started=_moment(handle.get("started")),
            owed=list(handle.get("owed", ())),
            slots=dict(handle.get("slots", {})),
        )

    def handle(self) -> dict[str, Any]:
        """Return it as JSON."""
        bought = {
            str(k): [b.contract, b.transaction, b.liqo_id, b.seller] for k, b in sorted(self.bought.items())
        }
        refusal = [self.refusal[0], [list(each) for each in self.refusal[1]]] if self.refusal else None
        return {
            "reached": self.reached,
            "step": self.step,
            "since": self.since.isoformat() if self.since else None,
            "bought": bought,
            "refusal": refusal,
            "started": self.started.isoformat() if self.started else None,
            "owed": list(self.owed),
            "slots": self.slots,
        }

    def waits_s(self, step: str, now: datetime) -> float:
        """Seconds since it waits for `step`; begins to count where it did not."""
        if self.step != step or self.since is None or self.since > now:
            self.step, self.since = step, now
        return (now - self.since).total_seconds()


@dataclass(slots=True)
class Ground:
    """An order, and where it is bought.

    Attributes
    ----------
    lots
        What is bought, in the order of offers and nodes.
    buyer
        Who buys.
    past
        Whether the step that is taken was done once already: what is missing then is gone.
    circuits
        Which providers are left alone for a while.
    sellers
        Providers by offer, as far as they are known.
    progress
        How far the workload is, once it is there.
    """

    cluster: Cluster
    settings: FluidosSettings
    order: Order
    lots: tuple[Lot, ...]
    buyer: Identity
    now: datetime
    memory: Memory
    circuits: Circuits = field(default_factory=Circuits)
    past: bool = False
    sellers: dict[str, str] = field(default_factory=dict)
    progress: Progress | None = None

    @property
    def namespace(self) -> str:
        """Where FLUIDOS keeps its objects."""
        return self.settings.namespace

    @property
    def workload(self) -> str:
        """The namespace of the workload."""
        return names.namespace(self.order.key)

    @property
    def nodes(self) -> dict[str, str]:
        """Names of the virtual nodes, as a deployment asks for them."""
        return {lot.key: self.memory.bought[lot.index].contract for lot in self.lots}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
