"""Worlds in one line: intents and offers as documents, and random small worlds by seed.

The random ones draw prices and figures from few values, so that many plans are equal until the last tie,
and put limits where offers stand, so that "exactly" and "one too little" both occur.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import flare_core as flare
from flare_core.quantities import format_moment, parse_duration_s, parse_moment

Json = dict[str, Any]
NOW = "2026-01-15T10:00:00Z"

OBJECTIVES = (
    "Cost_Minimization",
    "Performance_Maximization",
    "Latency_Minimization",
    "Balanced_Optimization",
    "Energy_Efficiency",
)

RATINGS = {"nvidia-x1": 10.5, "nvidia-x2": 40.0, "nvidia-x3": 40.0}
"""TFLOPS of one GPU of models that no catalog knows: what an offer of theirs states is all there is."""


def put(document: Json, path: str, value: object) -> None:
    """Set the value at a path with ``__`` between its keys."""
    *way, last = path.split("__")
    at = document
    for key in way:
        at = at.setdefault(key, {})
    at[last] = value


def patched(document: Json, **changes: object) -> Json:
    """Return a copy with values replaced; keys have ``__`` for dots."""
    copy = deepcopy(document)
    for path, value in changes.items():
        put(copy, path, value)
    return copy


def offer(name: str, price: object = 1, gpus: int = 1, nodes: int | None = 1, **changes: object) -> Json:
    """Return an offer that fits most intents; `price` in EUR, 0 `gpus` is CPU-only, ``__`` for dots."""
    document: Json = {
        "id": name,
        "provider": "p1",
        "region": "r1",
        "country": "DE",
        "nodes": nodes,
        "price": {"hourly": f"{price} EUR/hour", "billing": "gpu"},
        "cpu": str(8 * max(gpus, 1)),
        "memory": f"{32 * max(gpus, 1)}Gi",
        "storage": "1Ti",
        "persistent_storage": True,
        "gpu": {
            "model": "nvidia-x1",
            "count": gpus,
            "memory": "40Gi",
            "cores": 4096,
            "clock_speed": "1.5G",
            "compute_capability": "8.0",
            "architecture": "ampere",
            "tier": "standard",
            "fp32_tflops": str(RATINGS["nvidia-x1"]),
            "interconnect": "nvlink",
            "power_w": 300,
            "dedicated": True,
        },
        "performance": {
            "latency_ms": 20,
            "network_bandwidth": "25Gbps",
            "jitter_ms": 2,
            "uptime_percent": 99.9,
            "cold_start_time": "30s",
        },
        "energy": {
            "carbon_intensity": 200,
            "power_usage_effectiveness": 1.25,
            "renewable_energy": True,
            "green_certified": True,
        },
        "compliance": {
            "certifications": ["ISO27001", "SOC2"],
            "encryption_at_rest": True,
            "encryption_in_transit": True,
            "audit_logging": True,
            "gdpr_compliant": True,
            "hipaa_compliant": True,
        },
        "security": {
            "network_isolation": "private",
            "vpn_access": True,
            "bastion_host": True,
            "intrusion_detection": True,
            "vulnerability_scanning": True,
        },
    }
    if not gpus:
        document["gpu"] = None
    for path, value in changes.items():
        put(document, path, value)
    return document


def intent(
    name: str = "web", kind: str = "service", tasks: int = 1, gpus: int = 1, **changes: object
) -> Json:
    """Return an intent of 1 core and 4 GiB a task that takes any GPU; 0 `gpus` is CPU-only."""
    document: Json = {
        "objective": "Cost_Minimization",
        "workload": {
            "type": kind,
            "name": name,
            "image": "acme/app:1",
            "resources": {"cpu": "1", "memory": "4Gi"},
        },
    }
    if gpus:
        put(document, "workload__resources__gpu__count", gpus)
    if kind == "service":
        put(document, "workload__scaling__min_replicas", tasks)
    else:
        document["workload"]["job"] = {"parallel_tasks": tasks, "timeout": "2h"}
    if kind == "batch":  # one wave is all that there is time for
        put(document, "constraints__deadline", "2026-01-15T12:00:00Z")
    for path, value in changes.items():
        put(document, path, value)
    return document


@dataclass(frozen=True, slots=True)
class World:
    """Intents and offers as documents, and how they are to be placed."""

    intents: tuple[Json, ...]
    offers: tuple[Json, ...]
    weights: Mapping[str, float] | None = None
    priorities: Mapping[str, float] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()

    def place(self, now: str = NOW, **options: Any) -> flare.Plan:
        """Place the intents on the offers; `options` are those of `Options`."""
        given = {"weights": self.weights, "priorities": self.priorities, **options}
        return flare.place(
            tuple(flare.read_intent(deepcopy(each)) for each in self.intents),
            flare.read_inventory({"version": 1, "offers": deepcopy(list(self.offers))}),
            now=now,
            options=flare.Options(**given),
        )

    def document(self, now: str = NOW, **options: Any) -> Json:
        """Place, and return the document without what is measured."""
        return answer(self.place(now, **options))


def answer(plan: flare.Plan) -> Json:
    """Return the document of a plan without the time that was measured."""
    document = plan.to_dict()
    del document["wall_time_s"]
    return document


def world(intents: Json | Sequence[Json], *offers: Json, **settings: Any) -> World:
    """Return a world of one intent or several."""
    listed = (intents,) if isinstance(intents, dict) else tuple(intents)
    return World(listed, offers, **settings)


# --- random worlds ----------------------------------------------------------------------------------


def _hurried(one: Json) -> None:
    """Leave a job no time to wait for others: its deadline is the end of a run that begins now."""
    if one["workload"]["type"] != "job":
        return
    job, asked = one["workload"]["job"], at_path(one, "constraints__deadline")
    if "timeout" not in job and asked is not None:
        return  # it is the length
    length_s = parse_duration_s(job.get("timeout", "1h"))
    ends = parse_moment(NOW) + timedelta(seconds=length_s)
    if asked is None or parse_moment(asked) > ends:
        put(one, "constraints__deadline", format_moment(ends))


def at_path(document: Json, path: str) -> Any:
    """Return what stands at a path of names joined by two underscores; None where nothing does."""
    for name in path.split("__"):
        document = document.get(name, {})
    return document or None


def small(seed: int) -> World:
    """Return a world that can be enumerated: at most 4 tasks, at most 6 offers."""
    return Maker(Random(seed)).small()


def alike(seed: int) -> World:
    """Return a small world whose offers differ in little but emissions, provider, zone and room."""
    return Maker(Random(seed), alike=True).small()


def medium(seed: int, *, intents: int = 1, tasks: int = 6, offers: int = 24) -> World:
    """Return a larger world of the same kind; each figure is the most there can be."""
    return Maker(Random(seed)).world(intents, tasks_each=max(1, tasks // intents), offers=offers, few=False)


PRICES = ("1", "1", "1.5", "2", "2", "3", "0.333333", "4")
_UPTIMES = (99.0, 99.5, 99.9, 99.9, 99.95, 99.99)
_LOW_UPTIMES = (90.0, 95.0, 97.5, 99.0, 99.9)


class Maker:
    """Draws one world."""

    def __init__(self, random: Random, *, alike: bool = False) -> None:
        self.random = random
        self.alike = alike
        self.tags: set[str] = set()
        self.low_uptimes = self.chance(0.3)
        self.strict = self.chance(0.4)  # offers lack things, intents ask for them
        self.whole = self.random.choice((0.0, 0.5, 1.0))  # share of offers billed by the node
        self.with_spot = self.chance(0.4)
        self.with_cpu_only = self.chance(0.25)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, *options: Any) -> Any:
        return self.random.choice(options)

    def small(self) -> World:
        number = self.pick(1, 1, 1, 1, 2, 2, 3)
        if number == 1:
            return self.world(1, tasks_each=4, offers=6)
        return self.world(number, tasks_each=3 if number == 2 else 2, offers=5 if number == 2 else 4, most=4)

    def world(
        self, number: int, tasks_each: int, offers: int, *, most: int = 10**6, few: bool = True
    ) -> World:
        count = self.random.randint(1 if few else max(1, offers // 2), offers)
        listed = [self.offer(f"o{k}") for k in range(count)]
        self.random.shuffle(listed)
        intents: list[Json] = []
        for k in range(number):
            left = most - (number - 1 - k)
            tasks = self.random.randint(1, min(tasks_each, left))
            most -= tasks
            intents.append(self.intent(f"{self.pick('a', 'b', 'c')}{k}", tasks))
        weights = None
        if any(i["objective"].startswith("Bal") for i in intents) and self.chance(0.4):
            weights = self.pick({"cost": 1}, {"cost": 0.5, "latency": 0.5}, {"carbon": 2, "performance": 1})
            self.tags.add("weights")
        priorities = {}
        if number > 1:
            self.tags.add("several")
            for one in intents:
                _hurried(one)
            if self.chance(0.4):
                priorities = {i["workload"]["name"]: self.pick(1, 2, 0.5) for i in intents}
                self.tags.add("priorities")
        return World(tuple(intents), tuple(listed), weights, priorities, frozenset(self.tags))

    # --- offers ---

    def offer(self, name: str) -> Json:
        gpus = 0 if self.with_cpu_only and self.chance(0.3) else self.pick(1, 1, 2, 2, 4)
        nodes = self.pick(None, 1, 1, 2, 3)
        per_gpu = float(self.pick(*PRICES))
        one = offer(name, price=f"{per_gpu * max(gpus, 1):.6f}", gpus=gpus, nodes=nodes)
        one["provider"] = self.pick("p1", "p1", "p2", "P3")
        one["region"] = self.pick("r1", "r1", "r2")
        one["country"] = self.pick("DE", "DE", "FR", "US", "JP")
        if self.chance(0.7):
            one["zone"] = self.pick("z1", "z2", "z3")
        one["price"]["billing"] = "node" if self.chance(self.whole) else "gpu"
        self.tags.add(f"billing {one['price']['billing']}")
        self.tags.add("elastic" if nodes is None else "finite")
        if self.with_spot and self.chance(0.6):
            part = self.pick(0.4, 0.5, 1.0, 1.2)
            one["price"]["spot_hourly"] = f"{per_gpu * max(gpus, 1) * part:.6f} EUR/hour"
        if gpus:
            self._gpu(one)
        self._figures(one)
        if self.alike:
            self._liken(one, gpus)
        if nodes is not None and self.chance(0.25):
            self._use(one, nodes, gpus)
        if self.strict:
            self._lack(one)
        if self.chance(0.05):
            one["availability"] = {
                "maintenance_windows": [
                    {"start": "2026-02-04T02:00:00Z", "end": "2026-02-04T04:00:00Z", "frequency": "weekly"}
                ]
            }
            self.tags.add("maintenance of an offer")
        return one

    def _gpu(self, one: Json) -> None:
        gpu = one["gpu"]
        gpu["model"] = self.pick(*RATINGS)
        gpu["fp32_tflops"] = str(RATINGS[gpu["model"]])
        gpu["memory"] = self.pick("24Gi", "40Gi", "40Gi", "80Gi")
        gpu["interconnect"] = self.pick("pcie", "nvlink", "nvswitch")
        gpu["power_w"] = self.pick(200, 300, 300, 400)
        if self.chance(0.05):
            gpu["fp32_tflops"] = None
            self.tags.add("unknown performance")
        if self.chance(0.2):
            one["cpu"], one["memory"] = self.pick("2", "4", "8"), self.pick("8Gi", "16Gi")
            self.tags.add("tight host")

    def _figures(self, one: Json) -> None:
        figures, energy = one["performance"], one["energy"]
        figures["latency_ms"] = self.pick(5, 10, 10, 20, 20, 40.5)
        figures["cold_start_time"] = self.pick("0s", "10s", "10s", "30s")
        figures["uptime_percent"] = self.pick(*(_LOW_UPTIMES if self.low_uptimes else _UPTIMES))
        energy["carbon_intensity"] = self.pick(50, 100, 100, 300)
        energy["power_usage_effectiveness"] = self.pick(1.1, 1.25, 1.25, 1.5)
        for part, name in (
            (figures, "latency_ms"),
            (figures, "cold_start_time"),
            (figures, "uptime_percent"),
            (energy, "carbon_intensity"),
        ):
            if self.chance(0.06):
                part[name] = None
                self.tags.add(f"unknown {name}")

    def _liken(self, one: Json, gpus: int) -> None:
        """Give the offer the figures of all others, but for its emissions."""
        one["price"] = {"hourly": f"{max(gpus, 1)} EUR/hour", "billing": one["price"]["billing"]}
        if gpus:
            one["gpu"] |= {"model": "nvidia-x2", "fp32_tflops": "40.0"}
        one["performance"] |= {"latency_ms": 10, "cold_start_time": "10s"}
        one["energy"]["carbon_intensity"] = self.pick(100, 100, 100, 300)
        one["energy"]["power_usage_effectiveness"] = 1.25

    def _use(self, one: Json, nodes: int, gpus: int) -> None:
        self.tags.add("partly used")
        if not gpus or self.chance(0.5):
            one["node_states"] = [self._state(one, k, gpus) for k in range(nodes) if self.chance(0.6)]
        else:
            one["used"] = {"gpus": self.random.randint(0, nodes * gpus)}

    def _state(self, one: Json, node: int, gpus: int) -> Json:
        state: Json = {"node": node}
        if gpus:
            state["free_gpus"] = sorted(self.random.sample(range(gpus), self.random.randint(0, gpus)))
        if not gpus or self.chance(0.5):
            state["cpu"] = str(int(one["cpu"]) // self.pick(1, 2))
            state["memory"] = f"{int(one['memory'][:-2]) // self.pick(1, 2)}Gi"
        return state

    def _lack(self, one: Json) -> None:
        """Take away some of what the plain offer has, or worsen it."""
        for path, values in _LACKS.items():
            if self.chance(0.08):
                top = path.split("__")[0]
                if (
                    one[top] is not None
                    if top == "gpu"
                    else top not in ("cpu", "memory") or "node_states" not in one
                ):
                    put(one, path, self.pick(*values))

    # --- intents ---

    def intent(self, name: str, tasks: int) -> Json:
        kind = self.pick("service", "service", "service", "job", "job", "batch")
        gpus = 0 if self.chance(0.3 if self.with_cpu_only else 0.05) else self.pick(1, 1, 1, 2)
        one = intent(name, kind, tasks, gpus, objective=self.pick(*OBJECTIVES))
        self.tags |= {kind, one["objective"], "gpus" if gpus else "CPU-only task"}
        one["workload"]["resources"]["cpu"] = self.pick("0.5", "1", "2", "4")
        one["workload"]["resources"]["memory"] = self.pick("1Gi", "4Gi", "8Gi")
        if kind == "service":
            self._service(one, tasks)
        else:
            self._job(one, kind)
        if self.with_spot and self.chance(0.7):
            self._ask(
                one, self.pick("constraints__preemptible", "workload__resources__gpu__interruptible"), True
            )
        if gpus and self.chance(0.35):
            self._prefer(one)
        if self.chance(0.3):
            self._budget(one, tasks, kind)
        if self.strict:
            for path in self.random.sample(sorted(_ASKS), self.random.randint(2, 6)):
                self._ask(one, path, self.pick(*_ASKS[path]))
        return one

    def _ask(self, one: Json, path: str, value: object) -> None:
        gpu = one["workload"]["resources"].get("gpu")
        if "__gpu__" in path and (gpu is None or (path.endswith("shared") and gpu.get("dedicated"))):
            return
        if path.endswith("dedicated") and gpu is not None and gpu.get("shared"):
            return
        self.tags.add(path.replace("__", "."))
        put(one, path, value)

    def _service(self, one: Json, tasks: int) -> None:
        if self.chance(0.3):
            scaling = {
                "min_replicas": tasks,
                "max_replicas": tasks + self.pick(0, 1, 2, 3),
                "auto_scale": True,
            }
            one["workload"]["scaling"] = scaling
            self.tags.add("auto_scale")
        if self.low_uptimes:
            self._ask(one, "constraints__performance__min_uptime_percent", 80)
            if self.chance(0.7):
                asked = self.pick(90, 95, 97, 99, 99.5, 99.75, 99.9, 99.99)
                self._ask(one, "sla__availability", asked)
        elif tasks > 1 and self.chance(0.4):
            self._ask(one, "sla__availability", self.pick(99.9, 99.95, 99.99, 99.999, 99.9999))
        if self.chance(0.15):
            self._ask(one, "constraints__deadline", "2026-01-15T13:30:00Z")

    def _job(self, one: Json, kind: str) -> None:
        job = one["workload"]["job"]
        job["timeout"] = self.pick("2h", "1h30m", "7m")
        if kind == "batch":
            ends = {"2h": "12:00:00", "1h30m": "11:30:00", "7m": "10:07:00"}[job["timeout"]]
            put(one, "constraints__deadline", f"2026-01-15T{ends}Z")
        elif self.chance(0.3):
            self._ask(one, "constraints__deadline", self.pick("2026-01-15T12:00:00Z", "2026-01-15T11:00:00Z"))
            if self.chance(0.4):
                del job["timeout"]
        if self.chance(0.3):
            job["completion_policy"] = "Any"
            self.tags.add("completion_policy Any")

    def _prefer(self, one: Json) -> None:
        self._ask(one, "workload__resources__gpu__interconnect", self.pick("nvlink", "nvswitch", "pcie"))
        if self.chance(0.3):
            self._ask(one, "constraints__negotiation", {"fallback_strategy": "fail"})

    def _budget(self, one: Json, tasks: int, kind: str) -> None:
        gpus = one["workload"]["resources"].get("gpu", {"count": 1})["count"]
        asked = tasks * gpus * self.pick(0.333333, 1, 1, 1.5, 2, 3)
        which = self.pick("hourly", "hourly", "total", "carbon")
        if which == "carbon":
            self._ask(
                one,
                "constraints__energy__max_carbon_footprint",
                f"{tasks * gpus * self.pick(20, 40, 90)}g CO2/h",
            )
        elif which == "total" and (kind != "service" or "deadline" in one.get("constraints", {})):
            self._ask(one, "constraints__max_total_cost", f"{asked * self.pick(1, 2):.6f} EUR")
        else:
            self._ask(one, "constraints__max_hourly_cost", f"{asked:.6f} EUR")


_LACKS: Mapping[str, tuple[object, ...]] = {
    "gpu__memory": ("16Gi", "24Gi"),
    "gpu__cores": (None, 2048),
    "gpu__clock_speed": (None, "1.2G"),
    "gpu__compute_capability": (None, "7.5", "10.0"),
    "gpu__architecture": (None, "hopper"),
    "gpu__tier": (None, "premium"),
    "gpu__dedicated": (None, False),
    "gpu__interconnect": (None, "infinity-fabric"),
    "gpu__power_w": (None,),
    "cpu": (None,),
    "memory": (None,),
    "storage": (None, "40Gi"),
    "persistent_storage": (None, False),
    "country": (None, "NO", "BR"),
    "zone": (None,),
    "performance__latency_ms": (None, 99, 101, 150),
    "performance__network_bandwidth": (None, "1Gbps"),
    "performance__jitter_ms": (None, 51, 10),
    "performance__uptime_percent": (None, 98.9),
    "performance__cold_start_time": (None, "2m"),
    "energy__carbon_intensity": (None,),
    "energy__power_usage_effectiveness": (None, 2.0, 2.01),
    "energy__renewable_energy": (None, False),
    "energy__green_certified": (None, False),
    "energy__energy_efficiency_rating": ("A", "D", "F"),
    "compliance__certifications": (["SOC2"], ["iso-27001"], ["SOC 2", "ISO 27001", "C5"]),
    "compliance__encryption_at_rest": (None, False),
    "compliance__encryption_in_transit": (None, False),
    "compliance__audit_logging": (None, False),
    "compliance__gdpr_compliant": (None, False),
    "compliance__hipaa_compliant": (None, False),
    "security__network_isolation": (None, "public"),
    "security__vpn_access": (None, False),
    "security__bastion_host": (None, False),
    "security__intrusion_detection": (None, False),
    "security__vulnerability_scanning": (None, False),
}

_ASKS: Mapping[str, tuple[object, ...]] = {
    "workload__resources__gpu__model": ("nvidia-x1", "nvidia-x2", "any"),
    "workload__resources__gpu__memory": ("40Gi", "24Gi", "80Gi"),
    "workload__resources__gpu__cores": (4096, 2048),
    "workload__resources__gpu__clock_speed": ("1.5G", "1200M"),
    "workload__resources__gpu__compute_capability": ("8.0", "7.5", "9.0", "any"),
    "workload__resources__gpu__architecture": ("ampere", "any"),
    "workload__resources__gpu__tier": ("standard", "any"),
    "workload__resources__gpu__dedicated": (True,),
    "workload__resources__gpu__shared": (True,),
    "workload__resources__gpu__fp32_tflops": ("10.5", "40"),
    "workload__storage__volumes": (
        [{"name": "d", "size": "100Gi", "type": "persistent", "path": "/d"}],
        [{"name": "d", "size": "600Gi", "type": "temporary", "path": "/d"}],
    ),
    "constraints__location": ("EU", "DE", "Asia", "US", "any", "r1"),
    "constraints__availability_zone": ("z1", "z2"),
    "constraints__providers": (["p1"], ["P2", "p3"], ["p1", "p2", "p3"]),
    "constraints__compliance__data_residency": (["EU"], ["DE", "US"]),
    "constraints__max_latency_ms": (10, 20, "50ms", 100),
    "constraints__performance__max_jitter_ms": (50, 10, 2),
    "constraints__performance__min_uptime_percent": (99.9, 99.0, 0),
    "constraints__performance__min_network_bandwidth": ("25Gbps", "10Gbps"),
    "constraints__performance__max_cold_start_time": ("10s", "30s"),
    "constraints__energy__power_usage_effectiveness": (1.25, 2.0, 1.5),
    "constraints__energy__renewable_energy_only": (True,),
    "constraints__energy__green_certified_only": (True,),
    "constraints__energy__energy_efficiency_rating": ("A", "B", "C"),
    "constraints__compliance__certifications": (["ISO 27001"], ["soc2", "Iso-27001"]),
    "constraints__compliance__encryption_at_rest": (True,),
    "constraints__compliance__encryption_in_transit": (True,),
    "constraints__compliance__audit_logging": (True,),
    "constraints__compliance__gdpr_compliant": (True,),
    "constraints__compliance__hipaa_compliant": (True,),
    "constraints__security__network_isolation": ("private",),
    "constraints__security__vpn_access": (True,),
    "constraints__security__bastion_host": (True,),
    "constraints__security__intrusion_detection": (True,),
    "constraints__security__vulnerability_scanning": (True,),
    "sla__availability": (99.0, 99.9, 0),
    "sla__max_interruption_time": ("10s", "30s"),
}
