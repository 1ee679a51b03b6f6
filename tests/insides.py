"""Random small worlds whose difficulty lies inside the nodes: links, slots, MIG instances, gangs on fabrics.

Links are irregular, GPUs partly taken, wishes soft or hard, and figures drawn from few values, so that many
ways to seat a task are equal until the last tie.
"""

from random import Random
from typing import Any, NamedTuple

from flare_core.catalog.gpus import parts
from flare_core.catalog.mig import profiles_of
from tests.worlds import Json, Maker, World, put

LINKED, CUT, GANGS = "linked", "cut", "gangs"


class Part(NamedTuple):
    """A part of the catalog with all that an offer can say of it, so that nothing is left to be filled in."""

    sku: str
    interconnect: str
    bandwidth: str


SLICED = (
    Part("nvidia-a100-sxm4-40gb", "nvlink", "600 GB/s"),
    Part("nvidia-a100-sxm4-80gb", "nvlink", "600 GB/s"),
    Part("nvidia-a30-24gb", "pcie", "64 GB/s"),
    Part("nvidia-h100-sxm5-80gb", "nvlink", "900 GB/s"),
)
BOARDS = (
    (Part("nvidia-v100-sxm2-16gb", "nvlink", "300 GB/s"), 8),
    (Part("nvidia-v100-sxm2-16gb", "nvlink", "300 GB/s"), 4),
    (Part("nvidia-a100-sxm4-40gb", "nvswitch", "600 GB/s"), 8),
    (Part("nvidia-a100-sxm4-80gb", "nvlink", "600 GB/s"), 4),
    (Part("nvidia-a100-pcie-40gb", "nvlink", "600 GB/s"), 2),
    (Part("nvidia-a100-pcie-40gb", "nvlink", "600 GB/s"), 4),
    (Part("nvidia-rtx-a6000-48gb", "nvlink", "112.5 GB/s"), 4),
    (Part("nvidia-rtx-a6000-48gb", "pcie", "64 GB/s"), 4),
    (Part("amd-mi300x-192gb", "infinity-fabric", "896 GB/s"), 8),
)
"""Node types, some of which have a published link graph."""
_KINDS = ("nvlink", "nvlink", "nvlink", "nvswitch", "pcie", "infinity-fabric")
_PATHS = tuple(
    path.split("/") for path in ("dc1", "dc1/s1", "dc1/s2", "dc1/s1/l1", "dc1/s1/l2", "dc2/s1", "dc2")
)


def inside(seed: int) -> World:
    """Return a small world of linked GPUs, gangs and shares."""
    return _Insides(Random(seed)).small()


def cut(seed: int) -> World:
    """Return a small world in which every intent takes parts of GPUs, or shares nodes with those that do."""
    return _Insides(Random(f"{CUT} {seed}"), only=CUT).small()


def linked(seed: int) -> World:
    """Return a small world of whole GPUs and of gangs."""
    return _Insides(Random(f"{LINKED} {seed}"), only=LINKED).small()


def gangs(seed: int) -> World:
    """Return a small world of jobs on nodes that hang here and there in the fabric, and are alike else."""
    return _Insides(Random(f"{GANGS} {seed}"), only=GANGS).small()


def single(seed: int) -> World:
    """Return a world of one intent, a little larger."""
    return _Insides(Random(f"single {seed}")).world(1, tasks_each=4, offers=6, few=False)


class _Insides(Maker):
    """Draws one world."""

    def __init__(self, random: Random, *, only: str = "") -> None:
        super().__init__(random, alike=only == GANGS or random.random() < 0.5)
        self.strict = False
        self.low_uptimes = False
        self.with_cpu_only = False
        self.only = only or self.pick(LINKED, CUT, "")
        self.big = self.chance(0.25)
        self.whole = self.pick(0.0, 0.0, 0.5, 1.0)
        self.fabric = only == GANGS or self.chance(0.6)
        self.leaves = only == GANGS and self.chance(0.5)  # nodes that differ in their leaf and their latency
        if only == GANGS:
            self.with_spot = False

    def small(self) -> World:
        number = self.pick(1, 1, 1, 2, 2, 3, 4)
        alone = number == 1
        offers = 7 if alone and self.leaves else 4
        return self.world(number, tasks_each=4 if alone else 3, offers=offers, most=4, few=False)

    # --- offers ---

    def offer(self, name: str) -> Json:
        one = super().offer(name)
        if one["gpu"] is None or (self.only != GANGS and one["gpu"]["count"] == 1 and self.chance(0.5)):
            return one
        for key in ("node_states", "used"):
            one.pop(key, None)
        if self.leaves:
            return self._leaf(one)
        cuts = self.only == CUT or (not self.only and self.chance(0.4))
        gpus = self.pick(1, 2, 2, 3, 4) if cuts else self.pick(2, 3, 3, 4, 4, 6 if self.big else 4)
        if self.only == GANGS:
            gpus = self.pick(1, 1, 2, 2, 3)
        one["gpu"]["count"] = gpus
        if cuts:
            self._cut(one)
        elif self.only == GANGS and self.chance(0.7):
            pass
        elif self.chance(0.3):
            self._board(one)
        else:
            self._links(one)
        gpus = one["gpu"]["count"]
        self._repriced(one, gpus)
        if self.chance(0.2):
            one["gpu"]["multi_gpu_efficiency"] = self.pick(0, 0.5, 0.8, 0.9, 0.95, 1)
            self.tags.add("stated efficiency")
        one["cpu"], one["memory"] = str(8 * gpus), f"{32 * gpus}Gi"
        if self.fabric:
            self._fabric(one)
        if one["nodes"] is not None and self.chance(0.1):
            one["used"] = {"gpus": self.random.randint(0, one["nodes"] * gpus)}
        elif one["nodes"] is not None and self.chance(0.5):
            one["nodes"] = min(one["nodes"], 2)
            self.tags.add("partly used inside")
            one["node_states"] = [self._inside(one, k) for k in range(one["nodes"]) if self.chance(0.7)]
        return one

    def _leaf(self, one: Json) -> Json:
        self.tags.add("leaves")
        one["gpu"]["count"] = self.pick(1, 1, 2)
        one["nodes"] = self.pick(1, 1, 2, 2, 3)
        one["price"] = {"hourly": f"{one['gpu']['count']} EUR/hour", "billing": "gpu"}
        one["performance"] |= {"latency_ms": self.pick(5, 10, 15, 20), "network_bandwidth": "100Gbps"}
        if self.chance(0.9):
            one["fabric"] = {
                "path": ["dc1", *self.pick(("s1", "l1"), ("s1", "l2"), ("s2", "l1"), ("s2", "l3"))]
            }
        return one

    def _repriced(self, one: Json, gpus: int) -> None:
        each = float(1 if self.only == GANGS else self.pick("1", "1", "1.5", "2", "0.333333"))
        one["price"]["hourly"] = f"{each * gpus:.6f} EUR/hour"
        if "spot_hourly" in one["price"]:
            one["price"]["spot_hourly"] = f"{each * gpus * self.pick(0.5, 1.0, 1.2):.6f} EUR/hour"

    def _be(self, one: Json, part: Part) -> None:
        """Make the offer's GPUs such a part."""
        facts = next(p for p in parts() if p.sku == part.sku)
        one["gpu"] |= {
            "model": facts.model,
            "memory": f"{(facts.memory_mib or 0) // 1024}Gi",
            "cores": facts.cores,
            "clock_speed": f"{facts.clock_mhz}M",
            "fp32_tflops": str(facts.fp32_tflops),
            "power_w": facts.tdp_w,
            "interconnect": part.interconnect,
            "interconnect_bandwidth": part.bandwidth,
        }

    def _board(self, one: Json) -> None:
        part, gpus = self.pick(*BOARDS if self.big else BOARDS[1:2] + BOARDS[3:8])
        self._be(one, part)
        one["gpu"]["count"] = gpus
        self.tags.add("published node type")

    def _links(self, one: Json) -> None:
        gpu = one["gpu"]
        gpus = gpu["count"]
        gpu["interconnect"] = self.pick(None, "pcie", "nvlink", "nvlink", "nvswitch", "infinity-fabric")
        if self.chance(0.4):
            gpu["interconnect_bandwidth"] = self.pick("100 GB/s", "300 GB/s", "64 GB/s", "90 GB/s")
        if self.chance(0.35):
            gpu["topology"] = self.pick("ring", "mesh", "all-to-all", "nvswitch")
            self.tags.add("topology by label")
        if self.chance(0.65):
            dense = self.pick(0.3, 0.5, 0.7, 1.0)
            kinds = self.pick(("nvlink",), ("nvlink",), ("nvswitch",), ("pcie",), _KINDS)
            pairs = [(a, b) for b in range(gpus) for a in range(b) if self.chance(dense)]
            gpu["links"] = [self._link(a, b, self.pick(*kinds)) for a, b in pairs]
            self.tags.add("links")

    def _link(self, a: int, b: int, kind: str) -> list[Any]:
        a, b = self.random.sample((a, b), 2)
        rate = self.pick("50 GB/s", "100 GB/s", "100 GB/s", "25 GB/s")
        return [a, b, kind, rate] if self.chance(0.9) else [a, b, kind]

    def _cut(self, one: Json) -> None:
        gpu = one["gpu"]
        gpu["shared"] = self.chance(0.95)
        if self.chance(0.5):
            self._be(one, self.pick(*SLICED[:1], *SLICED))
            gpu["sharing_strategy"] = "mig"
            self.tags.add("mig")
        else:
            gpu["sharing_strategy"] = self.pick("time-slicing", "mps")
            gpu["sharing_slots"] = self.pick(2, 2, 3, 4, 4, 7, 10, 1, None)
            if self.chance(0.1):
                gpu["memory"] = None
            self.tags.add("slots")
        if self.chance(0.2):
            gpu["dedicated"] = False

    def _fabric(self, one: Json) -> None:
        if self.chance(0.8):
            one["fabric"] = {
                "path": self.pick(*_PATHS),
                "interconnect": self.pick("infiniband", "ethernet", None),
            }
            if self.chance(0.7):
                one["fabric"]["bandwidth"] = self.pick("100 Gb/s", "400 Gb/s", "200 Gb/s")
        if self.chance(0.3):
            one["performance"]["network_bandwidth"] = self.pick(None, "10Gbps", "50Gbps")
        self.tags.add("fabric")

    def _inside(self, one: Json, node: int) -> Json:
        """Return what is free inside one node."""
        gpu: Json = one["gpu"]
        state: Json = {"node": node}
        everything = list(range(gpu["count"]))
        self.random.shuffle(everything)
        busy = everything[: self.pick(0, 0, 1, 1, 2)]
        partly = [g for g in everything if g not in busy][: self.pick(0, 1, 1, 2, 4)]
        if gpu.get("sharing_strategy") == "mig":
            state["mig"] = [each for g in partly for each in self._instances(gpu["model"], gpu["memory"], g)]
        elif partly and (gpu.get("sharing_slots") or self.chance(0.2)):
            state["gpu_milli"] = {
                str(g): self.pick(250, 333, 334, 500, 500, 666, 750, 999, 100, 0) for g in partly
            }
        else:
            partly = []
        if busy or self.chance(0.5):
            state["free_gpus"] = sorted(set(everything) - {*busy, *partly})
        if self.chance(0.3):
            state["cpu"], state["memory"] = self.pick("2", "4", "8"), "16Gi"
        return state

    def _instances(self, model: str, memory: str, gpu: int) -> list[Json]:
        """Return instances on one GPU, set down where the vendor's table allows."""
        sku = next(
            p.sku for p in SLICED_PARTS if p.model == model and f"{(p.memory_mib or 0) // 1024}Gi" == memory
        )
        table = profiles_of(sku)
        most = max(p.compute_slices for p in table)
        found: list[Json] = []
        used: set[int] = set()
        for _ in range(self.pick(1, 1, 2, 3, 4)):
            profile = self.pick(*table)
            free = [s for s in profile.starts if not used & set(range(s, s + profile.memory_slices))]
            there = sum(p.compute_slices for i in found for p in table if p.profile == i["profile"])
            same = sum(i["profile"] == profile.profile for i in found)
            if free and there + profile.compute_slices <= most and same < profile.max_instances:
                start = self.pick(*free)
                used |= set(range(start, start + profile.memory_slices))
                found.append({"gpu": gpu, "profile": profile.profile, "start": start})
        return found

    # --- intents ---

    def intent(self, name: str, tasks: int) -> Json:
        one = super().intent(name, tasks)
        rarely = self.chance(1.0 if self.only == GANGS else 0.3)
        if one["workload"]["type"] == ("service" if self.chance(0.9) else "batch") and rarely:
            return self.intent(name, tasks)  # rather a gang
        gpu = one["workload"]["resources"].setdefault("gpu", {"count": 1})
        self.tags.discard("CPU-only task")
        share = self.only != LINKED and self.chance(0.2 if self.only == GANGS else 0.75)
        gpu["count"] = self.pick(1, 1, 1, 2, 2, 3) if share else self.pick(1, 2, 2, 2, 3, 3, 4)
        if self.only == GANGS:
            gpu["count"] = self.pick(1, 1, 1, 2)
        one["workload"]["resources"] |= {
            "cpu": self.pick("0.5", "1", "1.5"),
            "memory": self.pick("1Gi", "3Gi"),
        }
        if share and not gpu.get("dedicated"):
            self._share(gpu)
        if gpu["count"] > 1 or one["workload"]["type"] == "job":
            self._wish(one, gpu)
        return one

    def _budget(self, one: Json, tasks: int, kind: str) -> None:
        if self.chance(0.4):
            super()._budget(one, tasks, kind)

    def _share(self, gpu: Json) -> None:
        if self.chance(0.45):
            gpu["multi_instance"] = True
            self.tags.add("multi_instance")
        if "multi_instance" not in gpu or self.chance(0.3):
            gpu["shared"] = True
            self.tags.add("shared")
        if self.chance(0.5):
            gpu["memory"] = self.pick("5Gi", "6Gi", "10Gi", "12Gi", "16Gi", "20Gi", "40Gi", "13Gi")
        if self.chance(0.25):
            gpu["cores"] = self.pick(500, 896, 897, 1024, 1792, 2048, 3584)
        if self.chance(0.1):
            gpu["fp32_tflops"] = self.pick("2.5", "10")

    def _wish(self, one: Json, gpu: Json) -> None:
        if self.chance(0.5):
            gpu["interconnect"] = self.pick(
                "nvlink", "nvlink", "nvswitch", "pcie", "infiniband", "infiniband"
            )
            self.tags.add(gpu["interconnect"])
        if gpu["count"] > 1 and self.chance(0.45):
            gpu["topology"] = self.pick("ring", "mesh", "all-to-all", "nvswitch")
            self.tags.add(gpu["topology"])
        if gpu["count"] > 1 and self.chance(0.25):
            gpu["multi_gpu_efficiency"] = self.pick(0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1, 0)
            self.tags.add("multi_gpu_efficiency")
        if self.chance(0.2):
            put(one, "constraints__negotiation", {"fallback_strategy": "fail"})
            self.tags.add("hard wishes")


SLICED_PARTS = tuple(p for p in parts() if p.sku in {each.sku for each in SLICED})
