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
from itertools import product, zip_longest
from math import ceil, inf
from operator import add, le
from typing import Any, NamedTuple

from flare_core import quantities as q
from flare_core.catalog.regions import location_countries
from flare_core.quantities import Rounding
from tests.oracle import inside
from tests.oracle.cards import sharing, smallest
from tests.oracle.nodes import Inside, Node, Seat, Seats, Want
from tests.worlds import NOW, World

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
    """What a node has left beside its GPUs."""

    cpu: int
    memory: int
    storage: int


@dataclass(frozen=True)
class Kind:
    """Nodes of one offer of which the same is free, by number; ``untouched`` if nothing runs there."""

    offer: str
    free: Free
    inside: Inside
    untouched: bool
    nodes: tuple[int, ...]


def kinds_of(offer: Json, tasks: int) -> list[Kind]:
    """Return the nodes of an offer; an elastic one has as many as there are tasks."""
    count = at(offer, "gpu.count", 0) if offer["gpu"] is not None else 0
    cpu = known(offer, "cpu", lambda v: q.parse_cpu_milli(v, DOWN)) or 0
    memory = known(offer, "memory", lambda v: q.parse_memory_mib(v, DOWN)) or 0
    storage = known(offer, "storage", lambda v: q.parse_memory_mib(v, DOWN)) or 0
    whole = (Inside(tuple(range(count))), cpu, memory)
    states = {k: whole for k in range(tasks if offer["nodes"] is None else offer["nodes"])}
    left = at(offer, "used.gpus", 0)
    for k in states:
        taken = min(left, count)
        left -= taken
        if taken:
            part = Fraction(count - taken, count)
            states[k] = Inside(tuple(range(taken, count))), int(cpu * part), int(memory * part)
    for state in at(offer, "node_states", ()):
        inside = _inside(state, count)
        milli = 1000 * len(inside.free) + sum(m for _, m in inside.milli)
        part = Fraction(milli, 1000 * count) if count else Fraction(1)
        states[state["node"]] = (
            inside,
            known(state, "cpu", lambda v: q.parse_cpu_milli(v, DOWN)) if "cpu" in state else int(cpu * part),
            known(state, "memory", lambda v: q.parse_memory_mib(v, DOWN))
            if "memory" in state
            else int(memory * part),
        )
    members: dict[tuple[Inside, int, int], list[int]] = {}
    for k, state in states.items():
        members.setdefault(state, []).append(k)
    return [
        Kind(offer["id"], Free(cpus, mem, storage), inside, (inside, cpus, mem) == whole, tuple(nodes))
        for (inside, cpus, mem), nodes in members.items()
    ]


def _inside(state: Json, count: int) -> Inside:
    """Read what is free of the GPUs: what nothing is said of is free, unless what is free is said."""
    milli = {int(g): m for g, m in state.get("gpu_milli", {}).items()}
    mig = tuple(sorted((m["gpu"], m["profile"], m["start"]) for m in state.get("mig", ())))
    others = set(range(count)) - milli.keys() - {g for g, _, _ in mig}
    free = set(state.get("free_gpus", others)) | {g for g, m in milli.items() if m == 1000}
    partly = tuple(sorted((g, m) for g, m in milli.items() if 0 < m < 1000))
    return Inside(tuple(sorted(free)), partly, mig)


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
    want: Want
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
        self.gang: bool = self.kind == "job" and self.tasks > 1
        self.hard = self.asks("constraints.negotiation.fallback_strategy") == "fail"
        self.asked = self.gpu or {}
        self.seen: set[int] = set()
        self.worth = {o["id"]: w for o in offers if (w := self._worth(o)) is not None}
        self._settle_carbon()
        self.depth = max((len(at(o, "fabric.path", ())) for o in offers), default=0) or 1

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
        want = self._want(offer)
        if want is None:
            return None
        prices = tuple(p for p in self._prices(offer, want) if self._affordable(p))
        room = any(self.fitting(k, offer, want, 1) for k in kinds_of(offer, 1))
        if not prices or not room:
            return None
        network = known(offer, "performance.latency_ms", q.parse_latency_ms)
        cold = known(offer, "performance.cold_start_time", q.parse_duration_s) or 0
        carbon = self._carbon(offer, want)
        if self.max_carbon is not None and (carbon is None or carbon > self.max_carbon):
            return None
        self.seen |= {
            self.speed(offer, want, self._best_seat(k, offer, want), inside.MILLION)
            for k in kinds_of(offer, 1)
            if self.fitting(k, offer, want, 1)
        }
        uptime = known(offer, "performance.uptime_percent", lambda v: Fraction(str(v)) / 100)
        unknown_uptime = Fraction(0 if self.asks("sla.availability") is not None else 1)
        return Worth(
            by_node=at(offer, "price.billing", "node") == "node",
            prices=prices,
            want=want,
            latency=round(Fraction(str(self.latency_limit if network is None else network)) * 1000)
            + 1000 * cold,
            carbon=-1 if carbon is None else carbon,
            uptime=unknown_uptime if uptime is None else uptime,
            provider=offer["provider"],
            domain=(offer["provider"], offer["region"], at(offer, "zone")),
            network_ms=network,
            carbon_known=carbon is not None,
            performance_known=not self.gpus or inside.rating(offer) is not None,
            uptime_known=uptime is not None,
        )

    # --- GPUs ---

    def _want(self, offer: Json) -> Want | None:
        """Return what a task takes of a node's GPUs, None where it is to be a share and none will do."""
        multiple, shared = self.asked.get("multi_instance"), self.asked.get("shared")
        if self.gpus and (multiple or (shared and sharing(offer))):
            share = smallest(offer, self.asked) if sharing(offer) == "mig" or not multiple else None
            return None if share is None else Want(self.gpus, share, apart=bool(shared))
        return Want(self.gpus)

    def missed(self, offer: Json, want: Want, seat: Seat) -> list[str]:
        """Return which preferences about the links of its GPUs a task on `seat` misses."""
        if self.gpus < 2:
            return []
        kind, topology = self.asked.get("interconnect", "any"), self.asked.get("topology", "any")
        kind = "any" if kind == "infiniband" else kind
        least = inside.CLASSES.get(kind, 2)
        missed = []
        if kind != "any" and inside.class_had(offer, None if want.share else seat) < least:
            missed.append("workload.resources.gpu.interconnect")
        if topology != "any" and (
            want.share or not inside.has_shape(inside.graph(offer), frozenset(seat), topology, least)
        ):
            missed.append("workload.resources.gpu.topology")
        return missed

    def efficiency(self, offer: Json, want: Want, seat: Seat) -> int:
        """Return the predicted efficiency of the GPUs of a task, in millionths."""
        return inside.efficiency(offer, None if want.share else frozenset(seat), self.gpus)

    def allowed(self, offer: Json, want: Want, seat: Seat) -> bool:
        """Whether a task may sit there: efficient enough, and no hard wish is missed."""
        least = self.asked.get("multi_gpu_efficiency")
        if self.gpus and least and self.efficiency(offer, want, seat) < round(Fraction(str(least)) * 10**6):
            return False
        return not (self.hard and self.missed(offer, want, seat))

    def speed(self, offer: Json, want: Want, seat: Seat, phi: int) -> int:
        """Return the predicted throughput of one task, in thousandths of a TFLOPS."""
        rating = inside.rating(offer) if self.gpus else None
        if rating is None:
            return 0
        part = want.share.part if want.share else Fraction(1)
        return inside.speed(self.gpus, rating, part, self.efficiency(offer, want, seat), phi)

    def _settle_carbon(self) -> None:
        """Let unknown emissions count as the worst known candidate's."""
        worst = max((w.carbon for w in self.worth.values()), default=0)
        for name, w in self.worth.items():
            if not w.carbon_known:
                self.worth[name] = Worth(**{**_fields(w), "carbon": max(worst, 0)})

    def fitting(self, kind: Kind, offer: Json, want: Want, most: int) -> int:
        """Return how many tasks one node holds, at most `most`."""
        if (at(offer, "price.billing", "node") == "node" and not kind.untouched) or not kind.nodes:
            return 0
        host = (have // need for have, need in zip(kind.free, self.demand, strict=True) if need)
        most = min(most, *host, most)
        while most and not any(True for _ in self._alone(kind, offer, want, most)):
            most -= 1
        return most

    def _best_seat(self, kind: Kind, offer: Json, want: Want) -> Seat:
        """Return where a task sits best: fewest misses, then most efficient."""
        seats = [seats[0][0] for seats in self._alone(kind, offer, want, 1)]
        return min(seats, key=lambda s: (len(self.missed(offer, want, s)), -self.efficiency(offer, want, s)))

    def _alone(self, kind: Kind, offer: Json, want: Want, tasks: int) -> Iterator[Seats]:
        """Yield every way to seat tasks on one node."""
        node = Node(offer, kind.inside)
        return node.seatings([(want, tasks)], lambda _, seat: self.allowed(offer, want, seat))

    @property
    def demand(self) -> Free:
        return Free(self.cpu, self.memory, self.storage)

    def _prices(self, offer: Json, want: Want) -> Iterator[Price]:
        for spot, field_name in ((False, "price.hourly"), (True, "price.spot_hourly")):
            node = known(offer, field_name, lambda v: q.parse_rate_ueur_per_h(v, UP))
            if node is None or (spot and not self.spot):
                continue
            hourly = node if at(offer, "price.billing", "node") == "node" else self._part(offer, node, want)
            total = hourly if self.length is None else ceil(Fraction(hourly * self.length, 3600))
            yield Price(spot, hourly, total)

    def _part(self, offer: Json, node: int, want: Want) -> int:
        if self.gpus:
            count = at(offer, "gpu.count") if offer["gpu"] is not None else self.gpus
            one = ceil(Fraction(node, count))
            return self.gpus * (ceil(one * want.share.part) if want.share else one)
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

    def _carbon(self, offer: Json, want: Want) -> int | None:
        """Return micro-grams per hour of one task."""
        watts = at(offer, "gpu.power_w") if self.gpus else 0
        pue = at(offer, "energy.power_usage_effectiveness")
        intensity = at(offer, "energy.carbon_intensity")
        if None in (watts, pue, intensity):
            return None
        power = self.gpus * Fraction(watts) * (want.share.part if want.share else 1)
        power += Fraction("2.12") * Fraction(self.cpu, 1000) + Fraction("0.42") * Fraction(self.memory, 1024)
        return round(power * Fraction(str(pue)) * Fraction(str(intensity)) * 1000)

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
        """Return the own term of the objective but for performance, smaller is better."""
        return {"cost": terms.cost, "performance": 0, "latency": terms.latency, "carbon": terms.carbon}[
            OWN_TERM[self.objective]
        ]

    @cached_property
    def share(self) -> dict[str, float]:
        """The weight of each term in a sum of scaled ones."""
        weights = self.weights if self.objective.startswith("Bal") else {OWN_TERM[self.objective]: 1.0}
        return {t: w / sum(weights.values()) for t, w in weights.items()}

    def scaled(self, loads: "Loads", prices: Mapping[str, Price]) -> int:
        """Return the weighted sum of the terms but performance, each scaled to its range, in steps."""
        value = self._scaled_cost(loads, prices, self.share.get("cost", 0.0))
        emissions = [w.carbon for w in self.worth.values()]
        best = min(emissions)
        scale = _scale(max(emissions) - best, self.share.get("carbon", 0.0) / self.tasks)
        value += sum(x.tasks * round((self.worth[x.offer].carbon - best) * scale) for x in loads)
        latencies = [w.latency for w in self.worth.values()]
        best = min(latencies)
        scale = _scale(max(latencies) - best, self.share.get("latency", 0.0))
        return value + max(round((self.worth[x.offer].latency - best) * scale) for x in loads)

    def scaled_speed(self, speed: int) -> int:
        """Return what the performance of one task counts in that sum."""
        slowest, fastest = self.speeds
        scale = _scale(fastest - slowest, self.share.get("performance", 0.0) / self.tasks)
        return round((fastest - speed) * scale)

    @cached_property
    def speeds(self) -> tuple[int, int]:
        """The least and the most of a task's performance, on the best GPUs of each node, the fabric aside."""
        return min(self.seen), max(self.seen)

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
    """What the placement of one intent adds up to, but for what depends on its GPUs."""

    tasks: int
    cost: int
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


Place = tuple[str, int]
Counts = tuple[int, ...]
"""How many tasks of each intent lie on a node."""


@dataclass(frozen=True)
class Choice:
    """One way to place one intent: loads, what is bought as what, and what it adds up to.

    ``fabric`` is the efficiency of the fabric on each offer, in millionths, ``apart`` whether its nodes are
    not joined as asked, ``primary`` the objective but for performance.
    """

    loads: Loads
    prices: Mapping[str, Price]
    terms: Terms
    primary: int
    fabric: Mapping[str, int]
    apart: bool
    prefixes: tuple[int, ...]


class Row(NamedTuple):
    """One task: where, on which GPUs, and what that is worth."""

    offer: str
    node: int
    gpus: Seat
    efficiency: int
    speed: int
    missed: tuple[str, ...]


@dataclass(frozen=True)
class Arranged:
    """The best seats of the tasks on one node: their place in the order, and by intent the rows."""

    value: tuple[int, int, int]
    seats: Mapping[int, tuple[tuple[Seat, int, int, tuple[str, ...]], ...]]


@dataclass
class Best:
    """The optimum: its place in the order and the choice for each intent, None where it is not placed."""

    key: tuple[Any, ...]
    choices: tuple[Choice | None, ...]
    needs: tuple["Need", ...] = field(repr=False)
    headroom: tuple[tuple[int, int], ...] = ()
    rows: tuple[tuple[Row, ...], ...] = ()
    oracle: "Oracle | None" = field(default=None, repr=False)


class Oracle:
    """Enumerates one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        intents = sorted(world.intents, key=lambda i: i["workload"]["name"])
        self.needs = tuple(Need(i, world.offers, world.weights) for i in intents)
        self.offers = {o["id"]: o for o in sorted(world.offers, key=lambda o: o["id"])}
        tasks = sum(n.most for n in self.needs)
        self.kinds = [k for o in self.offers.values() for k in kinds_of(o, tasks)]
        self.kind_of = {(k.offer, node): k for k in self.kinds for node in k.nodes}
        self.nodes = {(k.offer, k.inside): Node(self.offers[k.offer], k.inside) for k in self.kinds}
        for need in self.needs:
            for k in self.kinds:
                if k.offer in need.worth:
                    fits = need.fitting(k, self.offers[k.offer], need.worth[k.offer].want, need.most)
                    need.each[k.offer] = max(need.each.get(k.offer, 1), fits)
        self.judged: dict[tuple[int, Loads], list[Choice]] = {}
        self.held: dict[tuple[str, Free, Inside, Counts], bool] = {}
        self.arranged: dict[tuple[Any, ...], Arranged] = {}
        self.rank = {name: k for k, name in enumerate(self.offers)}
        self.several = len(self.needs) > 1

    def best(self) -> Best:
        """Return the best of all plans."""
        best: tuple[Any, ...] | None = None
        finalists: list[tuple[Choice | None, ...]] = []
        for choices in self._plans(0, {}, 0):
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
        return Best((*best, *ties), finalists[k], self.needs, headroom, self.rows(finalists[k]), self)

    most_placed = 0

    def weight(self, i: int) -> int:
        return round(self.world.priorities.get(self.needs[i].name, 1.0) * 1e6)

    # --- every plan ---

    def _plans(self, i: int, taken: dict[Place, Counts], placed: int) -> Iterator[tuple[Choice | None, ...]]:
        if i == len(self.needs):
            yield ()
            return
        rest = sum(self.weight(k) for k in range(i, len(self.needs)))
        if placed + rest < self.most_placed:
            return
        for loads in self._ways(i, taken):
            now_taken = self._take(i, loads, taken)
            for choice in self._judged(i, loads):
                for others in self._plans(i + 1, now_taken, placed + self.weight(i)):
                    yield (choice, *others)
        if placed + rest - self.weight(i) >= self.most_placed:
            for others in self._plans(i + 1, taken, placed):
                yield (None, *others)

    def _take(self, i: int, loads: Loads, taken: Mapping[Place, Counts]) -> dict[Place, Counts]:
        after = dict(taken)
        for load in loads:
            place = (load.offer, load.node)
            after[place] = self._with(after.get(place), i, load.tasks)
        return after

    def _with(self, counts: Counts | None, i: int, more: int) -> Counts:
        before = counts or (0,) * len(self.needs)
        return (*before[:i], before[i] + more, *before[i + 1 :])

    def _room(self, i: int, kind: Kind, counts: Counts | None) -> int:
        """Return how many more tasks of an intent a node holds beside `counts`, at most all of them."""
        most = self.needs[i].most
        return next((n for n in range(most) if not self._holds(kind, self._with(counts, i, n + 1))), most)

    def _holds(self, kind: Kind, counts: Counts) -> bool:
        key = (kind.offer, kind.free, kind.inside, counts)
        if key not in self.held:
            self.held[key] = self._hosts(kind, counts) and any(True for _ in self._seatings(kind, counts))
        return self.held[key]

    def _hosts(self, kind: Kind, counts: Counts) -> bool:
        owners = [(self.needs[i], n) for i, n in enumerate(counts) if n]
        by_node = at(self.offers[kind.offer], "price.billing", "node") == "node"
        if by_node and (not kind.untouched or len(owners) > 1):
            return False
        return all(
            sum(n * need.demand[k] for need, n in owners) <= have or not any(x.demand[k] for x, _ in owners)
            for k, have in enumerate(kind.free)
        )

    def _seatings(self, kind: Kind, counts: Counts) -> Iterator[tuple[list[int], Seats]]:
        """Yield every way in which the tasks may sit on the node: by intent."""
        here = [i for i, n in enumerate(counts) if n]
        offer = self.offers[kind.offer]
        wants = [(self.needs[i].worth[kind.offer].want, counts[i]) for i in here]

        def allowed(k: int, seat: Seat) -> bool:
            return self.needs[here[k]].allowed(offer, wants[k][0], seat)

        for seats in self.nodes[kind.offer, kind.inside].seatings(wants, allowed):
            yield here, seats

    def _ways(self, i: int, taken: dict[Place, Counts]) -> Iterator[Loads]:
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
                room = self._room(i, kind, taken.get((kind.offer, node)))
                slots.append((kind.offer, node, room, fresh and fresh_before))
                fresh_before = fresh
        for number in range(1 if need.any else need.tasks, need.tasks + 1):
            yield from _shares(slots, 0, number, number)

    # --- what a plan is worth ---

    def _judged(self, i: int, loads: Loads) -> list[Choice]:
        """Return the choices of purchase under which `loads` keep all limits of the intent."""
        made = self.judged.get((i, loads))
        if made is None:
            need = self.needs[i]
            used = sorted({load.offer for load in loads})
            made = []
            apart, span, prefixes = self._fabric(need, loads)
            fabric = {o: inside.fabric(self.offers[o], span) for o in used}
            for bought in product(*(need.worth[o].prices for o in used)):
                prices = dict(zip(used, bought, strict=True))
                terms = self._terms(need, loads, prices)
                if self._keeps(need, loads, terms) and not (apart and need.hard):
                    scaled = self.several or need.objective.startswith("Bal")
                    primary = need.scaled(loads, prices) if scaled else need.pure(terms)
                    made.append(Choice(loads, prices, terms, primary, fabric, apart, prefixes))
            self.judged[i, loads] = made
        return made

    def _fabric(self, need: Need, loads: Loads) -> tuple[bool, int, tuple[int, ...]]:
        """Return whether a gang lies apart against its wish, its span, and its prefixes at each depth."""
        if not need.gang:
            return False, 0, ()
        offers = [self.offers[load.offer] for load in loads]
        paths = [self._path(need, load) for load in loads]
        prefixes = tuple(len({path[:d] for path in paths}) for d in range(1, need.depth + 1))
        if len(loads) == 1:
            return False, 0, prefixes
        common = next((d for d, number in enumerate(prefixes) if number > 1), need.depth)
        joined = prefixes[0] == 1 and all(
            at(o, "fabric.path") and at(o, "fabric.interconnect") == "infiniband" for o in offers
        )
        wanted = need.asked.get("interconnect") == "infiniband"
        return wanted and not joined, 1 + need.depth - common, prefixes

    def _path(self, need: Need, load: Load) -> tuple[object, ...]:
        """Return where a node hangs in the fabric, as deep as the deepest of all.

        Of an unknown fabric the failure domain is all that is shared, as if it were the first element.
        """
        offer = self.offers[load.offer]
        said = at(offer, "fabric.path", ())
        if said:
            return (*said, *[said[-1]] * (need.depth - len(said)))
        domain = (offer["provider"], offer["region"], at(offer, "zone"))
        return (domain, *[(load.offer, load.node)] * (need.depth - 1))

    def _terms(self, need: Need, loads: Loads, prices: Mapping[str, Price]) -> Terms:
        tasks = carbon = hourly = total = 0
        latency = 0
        for load in loads:
            worth, price = need.worth[load.offer], prices[load.offer]
            paid = 1 if worth.by_node else load.tasks
            tasks += load.tasks
            carbon += load.tasks * worth.carbon
            hourly += paid * price.hourly
            total += paid * price.total
            latency = max(latency, worth.latency)
        cost = hourly if need.kind == "service" else total
        return Terms(tasks, cost, latency, carbon, hourly, total)

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

    def _on_nodes(self, choices: Sequence[Choice | None]) -> dict[Place, Counts]:
        taken: dict[Place, Counts] = {}
        for i, choice in enumerate(choices):
            taken = self._take(i, choice.loads if choice else (), taken)
        return taken

    def _arranged(self, choices: Sequence[Choice | None], place: Place, counts: Counts) -> Arranged:
        """Return the best seats of the tasks on a node."""
        kind = self.kind_of[place]
        phis = tuple(c.fabric[kind.offer] if n and c else 0 for c, n in zip(choices, counts, strict=True))
        key = (kind.offer, kind.inside, counts, phis)
        if key not in self.arranged:
            self.arranged[key] = min(self._arrangements(kind, phis, counts), key=lambda pair: pair[0])[1]
        return self.arranged[key]

    def _arrangements(
        self, kind: Kind, phis: Counts, counts: Counts
    ) -> Iterator[tuple[tuple[Any, ...], Arranged]]:
        return (self._arrangement(kind, phis, *seating) for seating in self._seatings(kind, counts))

    def as_good(
        self, choices: Sequence[Choice | None], place: Place, told: Mapping[int, Sequence[Seat]]
    ) -> bool:
        """Whether other seats than the best, on a node with shares, are as good but for their numbers."""
        kind, counts = self.kind_of[place], self._on_nodes(choices)[place]
        phis = tuple(c.fabric[kind.offer] if n and c else 0 for c, n in zip(choices, counts, strict=True))
        wants = [need.worth[kind.offer].want for need, n in zip(self.needs, counts, strict=True) if n]
        if not any(want.share for want in wants):
            return False
        ways = list(self._arrangements(kind, phis, counts))
        best = min(key for key, _ in ways)
        for key, way in ways:
            if key[:-1] == best[:-1] and key[-1] == tuple(tuple(told.get(i, ())) for i in way.seats):
                self.arranged[kind.offer, kind.inside, counts, phis] = way
                return True
        return False

    def _arrangement(
        self, kind: Kind, phis: Counts, here: list[int], all_seats: Seats
    ) -> tuple[tuple[Any, ...], Arranged]:
        offer, node = self.offers[kind.offer], self.nodes[kind.offer, kind.inside]
        misses = primary = fast = 0
        seated: dict[int, tuple[tuple[Seat, int, int, tuple[str, ...]], ...]] = {}
        shared: set[int] = set()
        whole: set[int] = set()
        for i, seats in zip(here, all_seats, strict=True):
            need = self.needs[i]
            want = need.worth[kind.offer].want
            rows = []
            for seat in seats:
                missed, speed = need.missed(offer, want, seat), need.speed(offer, want, seat, phis[i])
                misses += len(missed)
                fast += speed
                primary += self._primary_speed(need, speed)
                rows.append((seat, need.efficiency(offer, want, seat), speed, tuple(missed)))
                (shared if want.share else whole).update(seat)
            seated[i] = tuple(rows)
        rest = node.free - whole - shared
        left = inside.tree_rate(inside.graph(offer), rest) if len(rest) > 1 else Fraction(0)
        ties = (len(shared & node.free), len(shared), -left, all_seats)
        value = (misses, primary, -fast)
        return (*value, *ties), Arranged(value, seated)

    def _primary_speed(self, need: Need, speed: int) -> int:
        """Return what the performance of one task adds to the objective."""
        if self.several or need.objective.startswith("Bal"):
            return need.scaled_speed(speed)
        return -speed if need.objective == "Performance_Maximization" else 0

    def _key(self, choices: Sequence[Choice | None]) -> tuple[Any, ...]:
        placed = [(i, c) for i, c in enumerate(choices) if c is not None]
        sums = [c.terms for _, c in placed]
        on_nodes = self._on_nodes(choices)
        seated = [self._arranged(choices, place, counts).value for place, counts in on_nodes.items()]
        depths = [c.prefixes for _, c in placed]
        return (
            -sum(self.weight(i) for i, _ in placed),
            -sum(c.terms.tasks for i, c in placed if self.needs[i].any),
            sum(c.terms.tasks for _, c in placed if c.apart) + sum(misses for misses, _, _ in seated),
            sum(c.primary for _, c in placed) + sum(primary for _, primary, _ in seated),
            sum(t.cost for t in sums),
            sum(slow for _, _, slow in seated),
            tuple(map(sum, zip_longest(*depths, fillvalue=0))),
            sum(t.latency for t in sums),
            sum(t.carbon for t in sums),
        )

    def _ties(self, choices: tuple[Choice | None, ...]) -> tuple[Any, ...]:
        nodes = self._on_nodes(choices)
        seats = [self._seats(need, c) for need, c in zip(self.needs, choices, strict=True)]
        return (
            -sum(self._headroom(choices, i)[0] for i in range(len(choices))),
            sum(self._fragments(place, counts) for place, counts in nodes.items()),
            len({self.offers[o]["provider"] for o, _ in nodes}),
            len(nodes),
            tuple(tuple(o for o, _ in seat) for seat in seats),
            tuple(tuple(n for _, n in seat) for seat in seats),
            sum(price.spot for c in choices if c for price in c.prices.values()),
        )

    def _fragments(self, place: Place, counts: Counts) -> int:
        """Return what is left of a node's GPUs, in thousandths; an elastic offer leaves nothing."""
        kind = self.kind_of[place]
        if self.offers[kind.offer]["nodes"] is None:
            return 0
        left = self.nodes[kind.offer, kind.inside].free_milli
        for need, tasks in zip(self.needs, counts, strict=True):
            if tasks:
                want = need.worth[kind.offer].want
                left -= tasks * want.gpus * (want.share.milli if want.share else 1000)
        return left

    def _seats(self, need: Need, choice: Choice | None) -> list[tuple[float, float]]:
        """Return (rank of the offer, node) of every task in order; those not placed come last."""
        loads = choice.loads if choice else ()
        seats: list[tuple[float, float]] = sorted(
            (self.rank[load.offer], load.node) for load in loads for _ in range(load.tasks)
        )
        return seats + [(inf, inf)] * (need.tasks - len(seats))

    def rows(self, choices: tuple[Choice | None, ...]) -> tuple[tuple[Row, ...], ...]:
        """Return the tasks of every intent: by offer, node, GPUs."""
        on_nodes = self._on_nodes(choices)
        rows: list[list[Row]] = [[] for _ in self.needs]
        for place in sorted(on_nodes):
            arranged = self._arranged(choices, place, on_nodes[place])
            for i, seats in arranged.seats.items():
                offer, node = place
                rows[i] += [Row(offer, node, *seat) for seat in seats]
        return tuple(map(tuple, rows))

    def _headroom(self, choices: tuple[Choice | None, ...], i: int) -> tuple[int, int]:
        """Return how many more replicas would fit beside the plan, and the hourly price of all."""
        need, choice = self.needs[i], choices[i]
        if choice is None or not need.scales:
            return 0, 0
        wanted = need.most - need.tasks
        taken = self._on_nodes(choices)
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
                counts = taken.get((kind.offer, node))
                fresh += counts is None
                if fresh > wanted:
                    break
                room = min(wanted, self._room(i, kind, counts))
                paid = worth.by_node and counts is not None and counts[i] > 0
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
