"""FLUIDOS as a backend: what the engine chose is bought, run, followed and given back.

No call waits: each takes all the steps that can be taken now and says what is waited for. A refusal, which
FLUIDOS tells only seconds or minutes later, therefore comes from `commit` and `status`, too.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.buying.ground import Ground, Memory
from flare_core.adapters.fluidos.buying.lots import lots_of, slots_of, sold
from flare_core.adapters.fluidos.buying.purchase import advance
from flare_core.adapters.fluidos.buying.undo import Way, undo
from flare_core.adapters.fluidos.circuits import Circuits
from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.errors import ClusterError
from flare_core.adapters.fluidos.inventory import Sold, Source
from flare_core.adapters.fluidos.kinds import CONFIG_MAP, CONTRACT
from flare_core.adapters.fluidos.settings import FluidosSettings, Identity
from flare_core.adapters.gateway.backend.port import BackendError, Order, Phase, Report
from flare_core.inventory.types import Inventory


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FluidosBackend:
    """Buys at the providers of a FLUIDOS federation.

    Parameters
    ----------
    cluster
        The consumer's cluster; closed with the backend.
    settings
        What the federation does not say by itself.
    clock
        Tells the moment, for deadlines.
    circuits
        Which providers are left alone for a while.
    assume
        Values for what no flavor says, see `flare_core.read_inventory`.
    watches
        Follow the federation by watches, in threads, instead of listing it at each look.
    """

    name = "fluidos"

    def __init__(
        self,
        cluster: Cluster,
        settings: FluidosSettings | None = None,
        *,
        clock: Callable[[], datetime] = _utc_now,
        circuits: Circuits | None = None,
        assume: Mapping[str, object] | None = None,
        watches: bool = False,
    ) -> None:
        self.cluster = cluster
        self.settings = settings or FluidosSettings()
        self._clock = clock
        self._circuits = circuits or Circuits()
        self._source = Source(cluster, self.settings, assume=assume, sold=self._sold, also=(CONTRACT,))
        self._watches = watches
        self._inventory: Inventory | None = None

    def discover(self) -> Inventory:
        """Return what the providers offer; the same object while nothing has changed."""
        try:
            if self._watches:
                self._source.start()
            self._inventory = self._source.discover(self._clock())
        except ClusterError as error:
            raise BackendError(error.message) from error
        return self._inventory

    def reserve(self, order: Order) -> Report:
        """Ask for a reservation of everything; none is bought before all are held."""
        return advance(self._ground(order), buys=False)

    def commit(self, order: Order) -> Report:
        """Buy what is reserved and run the workload, as far as that goes now."""
        return advance(self._ground(order), buys=True)

    def status(self, order: Order) -> Report:
        """Go on with what is under way, and look at what runs."""
        return advance(self._ground(order), buys=True)

    def release(self, order: Order) -> Report:
        """Undo an order in reverse; `leftovers` is what only its providers can undo."""
        memory = Memory.read(order.handle)
        way = Way(self.cluster, self.settings, names.selector(order.key), self._clock(), memory)
        try:
            rest = undo(way)
        except ClusterError as error:
            raise BackendError(error.message) from error
        phase = Phase.STARTING if rest else Phase.RELEASED
        message = f"waiting for {rest[0]}" if rest else "nothing is left"
        leftovers = tuple(memory.owed)
        return Report(phase=phase, message=message, handle=memory.handle(), leftovers=leftovers)

    def close(self) -> None:
        """Let go of connections."""
        self._source.stop()
        self.cluster.close()

    def _ground(self, order: Order) -> Ground:
        memory = Memory.read(order.handle)
        offers = {str(seat["offer"]) for seat in order.placement["assignments"]}
        memory.slots = memory.slots or slots_of(self._inventory, offers)
        return Ground(
            cluster=self.cluster,
            settings=self.settings,
            order=order,
            lots=lots_of(order, memory.slots),
            buyer=self._buyer(),
            now=self._clock(),
            memory=memory,
            circuits=self._circuits,
        )

    def _sold(self) -> Sequence[Sold]:
        """Parts of flavors that were bought, whose GPUs FLUIDOS goes on to advertise with the rest."""
        contracts = self._source.items(CONTRACT)
        return tuple(found for each in contracts if (found := sold(each)) is not None)

    def _buyer(self) -> Identity:
        """Who buys: as the settings say, else as FLUIDOS's own ConfigMap does."""
        if self.settings.buyer is not None:
            return self.settings.buyer
        try:
            data = (
                self.cluster.get(CONFIG_MAP, self.settings.identity, self.settings.namespace).get("data")
                or {}
            )
            address = f"{data['ip']}:{data['port']}"
            return Identity(domain=data["domain"], node_id=data["nodeID"], ip=address)
        except ClusterError as error:
            raise BackendError(error.message) from error
        except KeyError as error:
            told = f"ConfigMap {self.settings.identity} does not say {error}: state the buyer in the settings"
            raise BackendError(told) from error
