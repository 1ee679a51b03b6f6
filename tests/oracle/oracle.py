"""The optimum by exhaustion: every way to put tasks on nodes, judged straight from the documents.

Nothing of what decides in FLARE is used: no requirements, screens, prices, scores, orders or rules, only
the readers of quantities and places. Money is whole micro-euro, time whole seconds, probabilities fractions.
Tasks of an intent are alike and so are nodes of one offer of which the same is free, so each way to share
out the tasks is looked at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import ceil, inf
from operator import add, le
from typing import Any, NamedTuple

from flare_core import quantities as q
from flare_core.catalog.regions import location_countries
from flare_core.quantities import Rounding
from tests.worlds import NOW, RATINGS, World

Json = Mapping[str, Any]
UP, DOWN = Rounding.UP, Rounding.DOWN
STEPS = 2**36
BALANCE = {"cost": 0.4, "performance": 0.3, "latency": 0.2, "carbon": 0.1}
OWN_TERM = {
    "Cost_Minimization": "cost",
    "Performance_Maximization": "performance",
    "Latency_Minimization": "latency",
    "Energy_Efficiency": "carbon",
}
LETTERS = "ABCDEF"


def at(document: Json | None, path: str, default: Any = None) -> Any:
    """Return the value at a dotted path, `default` where it is absent or null."""
    value: Any = document
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return default if value is None else value


def known(document: Json, path: str, read: Any) -> Any:
    """Return what an offer says at `path`, read; None where it says nothing."""
    said = at(document, path)
    return None if said is None else read(said)


def _number(value: object) -> Fraction:
    return Fraction(str(value))


class Figure(NamedTuple):
    """A limit on one figure of an offer: where both stand, how they are read, the default, which way."""

    asked: str
    there: str
    read: Callable[[Any], float | Fraction]
    default: int | None
    least: bool


FIGURES = (
    Figure("constraints.max_latency_ms", "performance.latency_ms", q.parse_latency_ms, 100, False),
    Figure("constraints.performance.max_jitter_ms", "performance.jitter_ms", q.parse_latency_ms, 50, False),
    Figure("constraints.performance.min_uptime_percent", "performance.uptime_percent", _number, 99, True),
    Figure(
        "constraints.performance.max_cold_start_time",
        "performance.cold_start_time",
        q.parse_duration_s,
        None,
        False,
    ),
    Figure(
        "constraints.performance.min_network_bandwidth",
        "performance.network_bandwidth",
        q.parse_bandwidth_gbps,
        None,
        True,
    ),
    Figure(
        "constraints.energy.power_usage_effectiveness",
        "energy.power_usage_effectiveness",
        _number,
        2,
        False,
    ),
    Figure("sla.max_interruption_time", "performance.cold_start_time", q.parse_duration_s, None, False),
    Figure("sla.availability", "performance.uptime_percent", _number, 99, True),
)


# --- nodes ------------------------------------------------------------------------------------------


class Free(NamedTuple):
    """What a node has left."""

    gpus: int
    cpu: int
    memory: int
    storage: int


@dataclass(frozen=True)
class Kind:
    """Nodes of one offer of which the same is free, by number; ``untouched`` if nothing runs there."""

    offer: str
    free: Free
    indices: tuple[int, ...]
    untouched: bool
    nodes: tuple[int, ...]


def kinds_of(offer: Json, tasks: int) -> list[Kind]:
    """Return the nodes of an offer; an elastic one has as many as there are tasks."""
    count = at(offer, "gpu.count", 0) if offer["gpu"] is not None else 0
    cpu = known(offer, "cpu", lambda v: q.parse_cpu_milli(v, DOWN)) or 0
    memory = known(offer, "memory", lambda v: q.parse_memory_mib(v, DOWN)) or 0
    storage = known(offer, "storage", lambda v: q.parse_memory_mib(v, DOWN)) or 0
    whole = (tuple(range(count)), cpu, memory)
    states = {k: whole for k in range(tasks if offer["nodes"] is None else offer["nodes"])}
    left = at(offer, "used.gpus", 0)
    for k in states:
        taken = min(left, count)
        left -= taken
        if taken:
            part = Fraction(count - taken, count)
            states[k] = tuple(range(taken, count)), int(cpu * part), int(memory * part)
    for state in at(offer, "node_states", ()):
        free = tuple(state.get("free_gpus", range(count)))
        part = Fraction(len(free), count) if count else Fraction(1)
        states[state["node"]] = (
            free,
            known(state, "cpu", lambda v: q.parse_cpu_milli(v, DOWN)) if "cpu" in state else int(cpu * part),
            known(state, "memory", lambda v: q.parse_memory_mib(v, DOWN))
            if "memory" in state
            else int(memory * part),
        )
    members: dict[tuple[tuple[int, ...], int, int], list[int]] = {}
    for k, state in states.items():
        members.setdefault(state, []).append(k)
    return [
        Kind(offer["id"], Free(len(gpus), cpus, mem, storage), gpus, (gpus, cpus, mem) == whole, tuple(nodes))
        for (gpus, cpus, mem), nodes in members.items()
    ]


# --- one intent on one offer ------------------------------------------------------------------------


class Price(NamedTuple):
    """What one task (on a node billed whole: the node) costs per hour and over the run."""

    spot: bool
    hourly: int
    total: int


@dataclass(frozen=True)
class Worth:
    """What one task of an intent is worth on an offer."""

    by_node: bool
    prices: tuple[Price, ...]
    misses: int
    performance: int
    latency: int
    carbon: int
    uptime: Fraction
    provider: str
    domain: tuple[object, ...]
    network_ms: float | None
    carbon_known: bool
    performance_known: bool
    uptime_known: bool

    @property
    def cheapest(self) -> Price:
        return min(self.prices, key=lambda p: (p.hourly, p.spot))


class Need:
    """One intent, read by the contract."""

    def __init__(self, intent: Json, offers: Sequence[Json], weights: Mapping[str, float] | None) -> None:
        self.document = intent
        self.name: str = intent["workload"]["name"]
        self.kind: str = intent["workload"]["type"]
        self.objective: str = intent["objective"]
        self.gpus: int = at(intent, "workload.resources.gpu.count", 1) if self.gpu is not None else 0
        self.cpu = known(intent, "workload.resources.cpu", lambda v: q.parse_cpu_milli(v, UP)) or 0
        self.memory = known(intent, "workload.resources.memory", lambda v: q.parse_memory_mib(v, UP)) or 0
        volumes = at(intent, "workload.storage.volumes", ())
        self.storage = sum(q.parse_memory_mib(v["size"], UP) for v in volumes)
        self.persistent = any(v["type"] == "persistent" for v in volumes)
        service = self.kind == "service"
        self.tasks: int = at(
            intent, "workload.scaling.min_replicas" if service else "workload.job.parallel_tasks", 1
        )
        self.any = at(intent, "workload.job.completion_policy") == "Any"
        scales = at(intent, "workload.scaling.auto_scale", False)
        self.most: int = at(intent, "workload.scaling.max_replicas", 10) if scales else self.tasks
        self.scales: bool = scales
        self.spot = at(intent, "constraints.preemptible", False) or at(
            intent, "workload.resources.gpu.interruptible", False
        )
        self.max_hourly = known(
            intent, "constraints.max_hourly_cost", lambda v: q.parse_rate_ueur_per_h(v, DOWN)
        )
        self.max_total = known(intent, "constraints.max_total_cost", lambda v: q.parse_money_ueur(v, DOWN))
        cap = known(intent, "constraints.energy.max_carbon_footprint", q.parse_carbon_g_per_h)
        self.max_carbon = None if cap is None else round(Fraction(str(cap)) * 10**6)
        self.latency_limit: float = q.parse_latency_ms(at(intent, "constraints.max_latency_ms", 100))
        self.weights = BALANCE if weights is None else weights
        self.worth = {o["id"]: w for o in offers if (w := self._worth(o)) is not None}
        self._settle_carbon()

    @property
    def gpu(self) -> Json | None:
        gpu: Json | None = at(self.document, "workload.resources.gpu")
        return gpu

    def asks(self, path: str, default: Any = None) -> Any:
        return at(self.document, path, default)

    # --- time ---

    @cached_property
    def length(self) -> int | None:
        """Seconds of the run, None without end."""
        deadline = known(self.document, "constraints.deadline", q.parse_moment)
        left = None if deadline is None else max(0, int((deadline - now()).total_seconds()))
        if self.kind == "service":
            return left
        timeout = known(self.document, "workload.job.timeout", q.parse_duration_s)
        if timeout is not None:
            return int(timeout)
        return 3600 if left is None else left

    @property
    def too_late(self) -> bool:
        deadline = known(self.document, "constraints.deadline", q.parse_moment)
        if deadline is None:
            return False
        left = (deadline - now()).total_seconds()
        return bool(left <= 0 or (self.length or 0) > left)

    # --- one offer ---

    def _worth(self, offer: Json) -> Worth | None:
        """Return what a task is worth there, None where the offer alone breaks a constraint."""
        if self.too_late or not all(self._fits(offer)):
            return None
        prices = tuple(p for p in self._prices(offer) if self._affordable(p))
        room = any(self.fitting(k, offer) for k in kinds_of(offer, 1))
        if not prices or not room:
            return None
        rating = at(offer, "gpu.fp32_tflops") if self.gpus else 0
        network = known(offer, "performance.latency_ms", q.parse_latency_ms)
        cold = known(offer, "performance.cold_start_time", q.parse_duration_s) or 0
        carbon = self._carbon(offer)
        if self.max_carbon is not None and (carbon is None or carbon > self.max_carbon):
            return None
        uptime = known(offer, "performance.uptime_percent", lambda v: Fraction(str(v)) / 100)
        unknown_uptime = Fraction(0 if self.asks("sla.availability") is not None else 1)
        return Worth(
            by_node=at(offer, "price.billing", "node") == "node",
            prices=prices,
            misses=int(self._misses(offer)),
            performance=0 if rating is None else self.gpus * round(Fraction(str(rating)) * 1000),
            latency=round(Fraction(str(self.latency_limit if network is None else network)) * 1000)
            + 1000 * cold,
            carbon=-1 if carbon is None else carbon,
            uptime=unknown_uptime if uptime is None else uptime,
            provider=offer["provider"],
            domain=(offer["provider"], offer["region"], at(offer, "zone")),
            network_ms=network,
            carbon_known=carbon is not None,
            performance_known=rating is not None,
            uptime_known=uptime is not None,
        )

    def _settle_carbon(self) -> None:
        """Let unknown emissions count as the worst known candidate's."""
        worst = max((w.carbon for w in self.worth.values()), default=0)
        for name, w in self.worth.items():
            if not w.carbon_known:
                self.worth[name] = Worth(**{**_fields(w), "carbon": max(worst, 0)})

    def fitting(self, kind: Kind, offer: Json) -> int:
        """Return how many tasks one node holds."""
        if at(offer, "price.billing", "node") == "node" and not kind.untouched:
            return 0
        if not kind.nodes:
            return 0
        return min(
            (have // want for have, want in zip(kind.free, self.demand, strict=True) if want),
            default=self.most,
        )

    @property
    def demand(self) -> Free:
        return Free(self.gpus, self.cpu, self.memory, self.storage)

    def _prices(self, offer: Json) -> Iterator[Price]:
        for spot, field_name in ((False, "price.hourly"), (True, "price.spot_hourly")):
            node = known(offer, field_name, lambda v: q.parse_rate_ueur_per_h(v, UP))
            if node is None or (spot and not self.spot):
                continue
            hourly = node if at(offer, "price.billing", "node") == "node" else self._part(offer, node)
            total = hourly if self.length is None else ceil(Fraction(hourly * self.length, 3600))
            yield Price(spot, hourly, total)

    def _part(self, offer: Json, node: int) -> int:
        if self.gpus:
            count = at(offer, "gpu.count") if offer["gpu"] is not None else self.gpus
            return self.gpus * ceil(Fraction(node, count))
        shares = [
            Fraction(want, have)
            for want, have in (
                (self.cpu, known(offer, "cpu", lambda v: q.parse_cpu_milli(v, DOWN))),
                (self.memory, known(offer, "memory", lambda v: q.parse_memory_mib(v, DOWN))),
            )
            if want and have
        ]
        return ceil(node * max(shares, default=Fraction(0)))

    def _affordable(self, price: Price) -> bool:
        if self.max_hourly is not None and price.hourly > self.max_hourly:
            return False
        return self.max_total is None or price.total <= self.max_total

    def _carbon(self, offer: Json) -> int | None:
        """Return micro-grams per hour of one task."""
        watts = at(offer, "gpu.power_w") if self.gpus else 0
        pue = at(offer, "energy.power_usage_effectiveness")
        intensity = at(offer, "energy.carbon_intensity")
        if None in (watts, pue, intensity):
            return None
        power = self.gpus * Fraction(watts)
        power += Fraction("2.12") * Fraction(self.cpu, 1000) + Fraction("0.42") * Fraction(self.memory, 1024)
        return round(power * Fraction(str(pue)) * Fraction(str(intensity)) * 1000)

    def _misses(self, offer: Json) -> bool:
        """Whether the interconnect is preferred and not had."""
        if self.asks("constraints.negotiation.fallback_strategy") == "fail":
            return False
        return not self._linked(offer)

    def _linked(self, offer: Json) -> bool:
        wanted = self.asks("workload.resources.gpu.interconnect", "any")
        if wanted == "any" or self.gpus < 2:
            return True
        rank = {"pcie": 1, "infinity-fabric": 2, "nvlink": 2, "nvswitch": 3}
        return rank.get(at(offer, "gpu.interconnect", ""), 0) >= rank[wanted]

    # --- what one offer must be ---

    def _fits(self, offer: Json) -> Iterator[bool]:
        yield from self._gpu_fits(offer)
        yield from self._figures_fit(offer)
        yield from self._place_fits(offer)
        for section in ("compliance", "security"):
            for name, asked in self.asks(f"constraints.{section}", {}).items():
                if asked is True:
                    yield at(offer, f"{section}.{name}") is True
        held = {_canonical(c) for c in at(offer, "compliance.certifications", ())}
        yield all(_canonical(c) in held for c in self.asks("constraints.compliance.certifications", ()))
        if self.asks("constraints.security.network_isolation") == "private":
            yield at(offer, "security.network_isolation") == "private"
        if self.persistent:
            yield at(offer, "persistent_storage") is True
        for asked, name in (
            ("renewable_energy_only", "renewable_energy"),
            ("green_certified_only", "green_certified"),
        ):
            if self.asks(f"constraints.energy.{asked}"):
                yield at(offer, f"energy.{name}") is True

    def _gpu_fits(self, offer: Json) -> Iterator[bool]:
        if not self.gpus:
            return
        asked, has = self.gpu or {}, offer["gpu"]
        yield has is not None
        for name in ("model", "architecture", "tier"):
            if asked.get(name, "any") != "any":
                yield at(has, name) == asked[name]
        for name, read in (
            ("memory", lambda v: q.parse_memory_mib(v, UP)),
            ("cores", int),
            ("clock_speed", q.parse_clock_mhz),
            ("fp32_tflops", q.parse_number),
            ("compute_capability", float),
        ):
            if asked.get(name, "any") != "any":
                yield has is not None and at(has, name) is not None and read(has[name]) >= read(asked[name])
        if asked.get("dedicated"):
            yield at(has, "dedicated") is True
        if self.asks("constraints.negotiation.fallback_strategy") == "fail":
            yield self._linked(offer)

    def _figures_fit(self, offer: Json) -> Iterator[bool]:
        several = self.kind == "service" and self.tasks > 1
        for path, there, read, default, least in FIGURES:
            asked, said = self.asks(path), at(offer, there)
            if path == "sla.availability" and several:
                yield not (asked and said is None)  # judged together; unknown is never up
                continue
            if asked is None:
                yield default is None or said is None or _holds(least, read(said), read(default))
            elif not least or read(asked):
                yield said is not None and _holds(least, read(said), read(asked))
        letter = self.asks("constraints.energy.energy_efficiency_rating")
        if letter is not None:
            rating = at(offer, "energy.energy_efficiency_rating") or _rating(
                at(offer, "energy.power_usage_effectiveness")
            )
            yield rating is not None and LETTERS.index(rating) <= LETTERS.index(letter)

    def _place_fits(self, offer: Json) -> Iterator[bool]:
        country, region = at(offer, "country"), offer["region"]

        def lies_in(place: str) -> bool:
            countries = location_countries(place)
            if countries is None:
                return bool(region == place or region.startswith(f"{place}-"))
            return country in countries

        location = self.asks("constraints.location", "any")
        yield location == "any" or lies_in(location)
        zone = self.asks("constraints.availability_zone")
        yield zone is None or at(offer, "zone") == zone
        residency = self.asks("constraints.compliance.data_residency", ())
        yield not residency or any(lies_in(place) for place in residency)
        providers = [p.lower() for p in self.asks("constraints.providers", ())]
        yield not providers or offer["provider"].lower() in providers

    # --- the objective ---

    def pure(self, terms: "Terms") -> int:
        """Return the own term of the objective, smaller is better."""
        return {
            "cost": terms.cost,
            "performance": -terms.performance,
            "latency": terms.latency,
            "carbon": terms.carbon,
        }[OWN_TERM[self.objective]]

    def scaled(self, loads: "Loads", prices: Mapping[str, Price]) -> int:
        """Return the weighted sum of the terms, each scaled to its range over the candidates, in steps."""
        weights = self.weights if self.objective.startswith("Bal") else {OWN_TERM[self.objective]: 1.0}
        share = {t: w / sum(weights.values()) for t, w in weights.items()}
        tasks = [(load.offer, load.tasks) for load in loads]
        value = self._scaled_cost(loads, prices, share.get("cost", 0.0))
        speeds = {name: -w.performance for name, w in self.worth.items()}
        emissions = {name: w.carbon for name, w in self.worth.items()}
        for term, values in (("performance", speeds), ("carbon", emissions)):
            best = min(values.values())
            scale = _scale(max(values.values()) - best, share.get(term, 0.0) / self.tasks)
            value += sum(n * round((values[o] - best) * scale) for o, n in tasks)
        latencies = [w.latency for w in self.worth.values()]
        best = min(latencies)
        scale = _scale(max(latencies) - best, share.get("latency", 0.0))
        return value + max(round((self.worth[o].latency - best) * scale) for o, _ in tasks)

    def _scaled_cost(self, loads: "Loads", prices: Mapping[str, Price], weight: float) -> int:
        """Return the scaled cost: at best full nodes of one offer, at worst a node for each task."""
        cost = {name: self.cost_of(w.cheapest) for name, w in self.worth.items()}
        once = {name: w.by_node and self.each[name] > 1 and self.tasks > 1 for name, w in self.worth.items()}
        if not any(once.values()):
            best = min(cost.values())
            scale = _scale(max(cost.values()) - best, weight / self.tasks)
            return sum(x.tasks * round((self.cost_of(prices[x.offer]) - best) * scale) for x in loads)
        best = min(
            amount * (ceil(Fraction(self.tasks, self.each[name])) if once[name] else self.tasks)
            for name, amount in cost.items()
        )
        scale = _scale(self.tasks * max(cost.values()) - best, weight)
        paid = ((1 if once[x.offer] else x.tasks, self.cost_of(prices[x.offer])) for x in loads)
        return sum(times * round(amount * scale) for times, amount in paid) - round(best * scale)

    @cached_property
    def each(self) -> dict[str, int]:
        """How many tasks the emptiest node of each candidate holds."""
        return {}

    def cost_of(self, price: Price) -> int:
        return price.hourly if self.kind == "service" else price.total


class Load(NamedTuple):
    """Tasks of one intent on one node."""

    offer: str
    node: int
    tasks: int


Loads = tuple[Load, ...]


class Terms(NamedTuple):
    """What the placement of one intent adds up to."""

    tasks: int
    misses: int
    cost: int
    performance: int
    latency: int
    carbon: int
    hourly: int
    total: int


def now() -> datetime:
    return q.parse_moment(NOW)


def _fields(worth: Worth) -> dict[str, Any]:
    return {name: getattr(worth, name) for name in Worth.__dataclass_fields__}


def _holds(least: bool, has: float | Fraction, asked: float | Fraction) -> bool:
    return has >= asked if least else has <= asked


def _canonical(name: str) -> str:
    return name.lower().replace(" ", "").replace("-", "")


def _rating(pue: float | None) -> str | None:
    if pue is None:
        return None
    bounds = (1.2, 1.4, 1.6, 1.8, 2.0)
    return LETTERS[sum(pue > bound for bound in bounds)]


def _scale(width: int, weight: float) -> float:
    """Return steps per unit of a term whose range is `width`; one that never varies counts nothing."""
    return weight * STEPS / width if width else 0.0


# --- the enumeration --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """One way to place one intent: loads, what is bought as what, and what it adds up to."""

    loads: Loads
    prices: Mapping[str, Price]
    terms: Terms
    primary: int


@dataclass
class Best:
    """The optimum: its place in the order and the choice for each intent, None where it is not placed."""

    key: tuple[Any, ...]
    choices: tuple[Choice | None, ...]
    needs: tuple["Need", ...] = field(repr=False)
    headroom: tuple[tuple[int, int], ...] = ()


class Oracle:
    """Enumerates one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        intents = sorted(world.intents, key=lambda i: i["workload"]["name"])
        self.needs = tuple(Need(i, world.offers, world.weights) for i in intents)
        self.offers = {o["id"]: o for o in sorted(world.offers, key=lambda o: o["id"])}
        tasks = sum(n.most for n in self.needs)
        self.kinds = [k for o in self.offers.values() for k in kinds_of(o, tasks)]
        for need in self.needs:
            for k in self.kinds:
                fits = min(need.most, need.fitting(k, self.offers[k.offer]))
                need.each[k.offer] = max(need.each.get(k.offer, 1), fits)
        self.judged: dict[tuple[int, Loads], list[Choice]] = {}
        self.rank = {name: k for k, name in enumerate(self.offers)}

    def best(self) -> Best:
        """Return the best of all plans."""
        best: tuple[Any, ...] | None = None
        finalists: list[tuple[Choice | None, ...]] = []
        for choices in self._plans(0, {}, {}, 0):
            key = self._key(choices)
            if best is None or key < best:
                best, finalists = key, []
            if key == best:
                finalists.append(choices)
            self.most_placed = max(self.most_placed, -key[0])
        assert best is not None
        ended = [(self._ties(c), k) for k, c in enumerate(finalists)]
        ties, k = min(ended)
        headroom = tuple(self._headroom(finalists[k], i) for i in range(len(self.needs)))
        return Best((*best, *ties), finalists[k], self.needs, headroom)

    most_placed = 0

    def weight(self, i: int) -> int:
        return round(self.world.priorities.get(self.needs[i].name, 1.0) * 1e6)

    def _plans(
        self, i: int, taken: dict[tuple[str, int], Free], owner: dict[tuple[str, int], int], placed: int
    ) -> Iterator[tuple[Choice | None, ...]]:
        if i == len(self.needs):
            yield ()
            return
        rest = sum(self.weight(k) for k in range(i, len(self.needs)))
        if placed + rest < self.most_placed:
            return
        for loads in self._ways(i, taken, owner):
            now_taken, now_owner = dict(taken), dict(owner)
            self._take(i, loads, now_taken, now_owner)
            for choice in self._judged(i, loads):
                for others in self._plans(i + 1, now_taken, now_owner, placed + self.weight(i)):
                    yield (choice, *others)
        if placed + rest - self.weight(i) >= self.most_placed:
            for others in self._plans(i + 1, taken, owner, placed):
                yield (None, *others)

    def _take(
        self, i: int, loads: Loads, taken: dict[tuple[str, int], Free], owner: dict[tuple[str, int], int]
    ) -> None:
        for load in loads:
            key = (load.offer, load.node)
            before = taken.get(key, Free(0, 0, 0, 0))
            taken[key] = Free(
                *(b + load.tasks * d for b, d in zip(before, self.needs[i].demand, strict=True))
            )
            owner[key] = i

    def _room(
        self,
        i: int,
        kind: Kind,
        node: int,
        taken: Mapping[tuple[str, int], Free],
        owner: Mapping[tuple[str, int], int],
    ) -> int:
        need, key = self.needs[i], (kind.offer, node)
        worth = need.worth[kind.offer]
        if worth.by_node and (not kind.untouched or owner.get(key, i) != i):
            return 0
        used = taken.get(key, Free(0, 0, 0, 0))
        return min(
            (
                (have - gone) // want
                for have, gone, want in zip(kind.free, used, need.demand, strict=True)
                if want
            ),
            default=need.most,
        )

    def _ways(
        self, i: int, taken: dict[tuple[str, int], Free], owner: dict[tuple[str, int], int]
    ) -> Iterator[Loads]:
        """Yield every way to share out the tasks of an intent, equal fresh nodes filled in falling order."""
        need = self.needs[i]
        slots: list[tuple[str, int, int, bool]] = []  # offer, node, room, fresh and equal to the one before
        for kind in self.kinds:
            if kind.offer not in need.worth:
                continue
            fresh_before = False
            opened = 0
            for node in kind.nodes:
                fresh = (kind.offer, node) not in taken
                opened += fresh
                if opened > need.tasks:
                    break
                slots.append(
                    (kind.offer, node, self._room(i, kind, node, taken, owner), fresh and fresh_before)
                )
                fresh_before = fresh
        for number in range(1 if need.any else need.tasks, need.tasks + 1):
            yield from _shares(slots, 0, number, number)

    def _judged(self, i: int, loads: Loads) -> list[Choice]:
        """Return the choices of purchase under which `loads` keep all limits of the intent."""
        made = self.judged.get((i, loads))
        if made is None:
            need = self.needs[i]
            used = sorted({load.offer for load in loads})
            made = []
            for bought in product(*(need.worth[o].prices for o in used)):
                prices = dict(zip(used, bought, strict=True))
                terms = self._terms(need, loads, prices)
                if self._keeps(need, loads, terms):
                    several = len(self.needs) > 1 or need.objective.startswith("Bal")
                    primary = need.scaled(loads, prices) if several else need.pure(terms)
                    made.append(Choice(loads, prices, terms, primary))
            self.judged[i, loads] = made
        return made

    def _terms(self, need: Need, loads: Loads, prices: Mapping[str, Price]) -> Terms:
        tasks = misses = performance = carbon = hourly = total = 0
        latency = 0
        for load in loads:
            worth, price = need.worth[load.offer], prices[load.offer]
            paid = 1 if worth.by_node else load.tasks
            tasks += load.tasks
            misses += load.tasks * worth.misses
            performance += load.tasks * worth.performance
            carbon += load.tasks * worth.carbon
            hourly += paid * price.hourly
            total += paid * price.total
            latency = max(latency, worth.latency)
        cost = hourly if need.kind == "service" else total
        return Terms(tasks, misses, cost, performance, latency, carbon, hourly, total)

    def _keeps(self, need: Need, loads: Loads, terms: Terms) -> bool:
        for spent, limit in (
            (terms.hourly, need.max_hourly),
            (terms.total, need.max_total),
            (terms.carbon, need.max_carbon),
        ):
            if limit is not None and spent > limit:
                return False
        if need.kind == "service" and need.tasks > 1:
            asked = Fraction(str(need.asks("sla.availability", 99))) / 100
            return up(need, loads) >= asked
        return True

    def _key(self, choices: Sequence[Choice | None]) -> tuple[Any, ...]:
        placed = [(i, c) for i, c in enumerate(choices) if c is not None]
        sums = [c.terms for _, c in placed]
        return (
            -sum(self.weight(i) for i, _ in placed),
            -sum(c.terms.tasks for i, c in placed if self.needs[i].any),
            sum(t.misses for t in sums),
            sum(c.primary for _, c in placed),
            sum(t.cost for t in sums),
            -sum(t.performance for t in sums),
            sum(t.latency for t in sums),
            sum(t.carbon for t in sums),
        )

    def _ties(self, choices: tuple[Choice | None, ...]) -> tuple[Any, ...]:
        nodes = {(load.offer, load.node) for c in choices if c for load in c.loads}
        seats = [self._seats(need, c) for need, c in zip(self.needs, choices, strict=True)]
        return (
            -sum(self._headroom(choices, i)[0] for i in range(len(choices))),
            len({self.offers[o]["provider"] for o, _ in nodes}),
            len(nodes),
            tuple(tuple(o for o, _ in seat) for seat in seats),
            tuple(tuple(n for _, n in seat) for seat in seats),
            sum(price.spot for c in choices if c for price in c.prices.values()),
        )

    def _seats(self, need: Need, choice: Choice | None) -> list[tuple[float, float]]:
        """Return (rank of the offer, node) of every task in order; those not placed come last."""
        loads = choice.loads if choice else ()
        seats: list[tuple[float, float]] = sorted(
            (self.rank[load.offer], load.node) for load in loads for _ in range(load.tasks)
        )
        return seats + [(inf, inf)] * (need.tasks - len(seats))

    def _headroom(self, choices: tuple[Choice | None, ...], i: int) -> tuple[int, int]:
        """Return how many more replicas would fit beside the plan, and the hourly price of all."""
        need, choice = self.needs[i], choices[i]
        if choice is None or not need.scales:
            return 0, 0
        wanted = need.most - need.tasks
        taken: dict[tuple[str, int], Free] = {}
        owner: dict[tuple[str, int], int] = {}
        for k, other in enumerate(choices):
            self._take(k, other.loads if other else (), taken, owner)
        limits = tuple(inf if x is None else x for x in (need.max_hourly, need.max_total, need.max_carbon))
        spent = choice.terms
        so_far: tuple[int, ...] = (spent.hourly, spent.total, spent.carbon)
        growths: list[set[tuple[int, ...]]] = [{so_far}] + [set() for _ in range(wanted)]
        for kind in self.kinds:
            if kind.offer not in need.worth:
                continue
            worth = need.worth[kind.offer]
            fresh = 0
            for node in kind.nodes:
                key = (kind.offer, node)
                fresh += key not in taken
                if fresh > wanted:
                    break
                room = min(wanted, self._room(i, kind, node, taken, owner))
                paid = worth.by_node and owner.get(key) == i
                before = [set(sums) for sums in growths]
                for more in range(1, room + 1):
                    times = 0 if paid else 1 if worth.by_node else more
                    price = worth.cheapest
                    step = (times * price.hourly, times * price.total, more * worth.carbon)
                    for k in range(wanted - more + 1):
                        sums = (tuple(map(add, old, step)) for old in before[k])
                        growths[k + more] |= {x for x in sums if all(map(le, x, limits))}
                growths = [_undominated(sums) for sums in growths]
        most = max(k for k, sums in enumerate(growths) if sums)
        return most, min(growths[most])[0]


def _undominated(sums: set[tuple[int, ...]]) -> set[tuple[int, ...]]:
    return {x for x in sums if not any(y != x and all(map(le, y, x)) for y in sums)}


def _shares(slots: list[tuple[str, int, int, bool]], k: int, left: int, before: int) -> Iterator[Loads]:
    if left == 0:
        yield ()
        return
    if k == len(slots):
        return
    offer, node, room, equal = slots[k]
    most = min(left, room, before if equal else left)
    for tasks in range(most, -1, -1):
        for rest in _shares(slots, k + 1, left - tasks, tasks):
            yield (Load(offer, node, tasks), *rest) if tasks else rest


def up(need: Need, loads: Loads) -> Fraction:
    """Return the probability that at least half of the tasks are up, domains falling one by one."""
    domains: dict[tuple[object, ...], tuple[int, Fraction]] = {}
    for load in loads:
        worth = need.worth[load.offer]
        tasks, uptime = domains.get(worth.domain, (0, Fraction(1)))
        domains[worth.domain] = tasks + load.tasks, min(uptime, worth.uptime)
    n = sum(tasks for tasks, _ in domains.values())
    result = Fraction(0)
    for states in product((True, False), repeat=len(domains)):
        alive, likely = 0, Fraction(1)
        for works, (tasks, uptime) in zip(states, domains.values(), strict=True):
            alive += tasks if works else 0
            likely *= uptime if works else 1 - uptime
        if 2 * alive >= n:
            result += likely
    return result


assert all(RATINGS.values())
