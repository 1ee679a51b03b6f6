"""Small worlds inside GPUs and between them: shares, instances, links, and figures worked out by hand."""

from math import floor

from flare_core.verify.efficiency import GB_PER_TFLOP, HOST_GBYTES, PROTOCOL

from .worlds import Json, World, intent, offer, placement, plan, row, world

SLOTS: Json = {"gpu__shared": True, "gpu__sharing_strategy": "time-slicing", "gpu__sharing_slots": 4}
GPU = "workload.resources.gpu"
SHARED: Json = {"workload__resources__gpu__shared": True}


def a100(name: str, **changes: object) -> Json:
    """Return an offer of four nodes of two A100 of 40 GB that are cut; a GPU costs 7 EUR/hour."""
    gpu = {
        "model": "nvidia-a100",
        "count": 2,
        "memory": "40Gi",
        "power_w": 400,
        "interconnect": "nvlink",
        "interconnect_bandwidth": "600 GB/s",
        "shared": True,
        "sharing_strategy": "mig",
    }
    return offer(name, **{"gpu": gpu, "price__hourly": "14 EUR/hour", **changes})


def of_a100(name: str, kind: str = "service", **changes: object) -> Json:
    """Return an intent of one instance of an A100 a task."""
    gpu = {"model": "nvidia-a100", "count": 1, "multi_instance": True}
    return intent(name, kind, **{"workload__resources__gpu": gpu, **changes})


def cut(task: int, profile: str, hourly: str, **changes: object) -> Json:
    """Return an assignment of an instance on GPU 0 of node 0 of offer m."""
    document = {"gpu_model": "nvidia-a100", "gpus": [0], "mig_profile": profile, "hourly_cost": hourly}
    return row(task, "m", **{**document, **changes})


def instances() -> World:
    """A 3g and four 1g fill one GPU, which they do with the 3g at its second start alone."""
    big = of_a100("big", workload__resources__gpu__memory="20Gi")
    small = of_a100("small", workload__resources__gpu__memory="5Gi", workload__scaling__min_replicas=4)
    told = plan(
        placement(
            "big",
            [cut(0, "3g.20gb", "3.00 EUR/hour")],
            hourly_cost="3.00 EUR/hour",
            carbon_g_per_hour=(400 * 3 / 7 + 30.4) * 0.375,
            performance_tflops=312 * 3 / 7,
        ),
        placement(
            "small",
            [cut(task, "1g.5gb", "1.00 EUR/hour") for task in range(4)],
            hourly_cost="4.00 EUR/hour",
            carbon_g_per_hour=4 * (400 / 7 + 30.4) * 0.375,
            performance_tflops=312 * 4 / 7,
        ),
    )
    return world(told, [big, small], a100("m"))


def instances_of_one_task() -> World:
    """Two instances on one GPU beside a 4g; their way to each other is a port of 300 GB/s."""
    asked = of_a100("pair", workload__resources__gpu__count=2, objective="Performance_Maximization")
    rows = [cut(0, "1g.5gb", "2.00 EUR/hour", gpus=[0, 0], efficiency=0.989531)]
    told = placement(
        "pair",
        rows,
        hourly_cost="2.00 EUR/hour",
        carbon_g_per_hour=(800 / 7 + 30.4) * 0.375,
        performance_tflops=312 * 2 / 7 * 0.989531,
    )
    there = [{"gpu": 0, "profile": "4g.20gb", "start": 0}]
    state = {"node": 0, "free_gpus": [], "mig": there, "cpu": "8", "memory": "32Gi"}
    objective = {"objective": 312 * 2 / 7 * 0.989531, "bound": 312 * 2 / 7 * 0.989531}
    return world(plan(told, **objective), [asked], a100("m", node_states=[state]))


def slots() -> World:
    """Three slots of two intents on one GPU, and one on another of which 400 thousandths are free."""
    half = intent(
        "half", **SHARED, workload__resources__gpu__count=1, workload__resources__gpu__memory="30Gi"
    )
    slim = intent("slim", **SHARED, workload__resources__gpu__count=1, workload__scaling__min_replicas=2)
    one = {"gpu_milli": 250, "hourly_cost": "1.00 EUR/hour"}
    told = plan(
        placement(
            "half",
            [row(0, "s", gpus=[0], gpu_milli=500, hourly_cost="2.00 EUR/hour")],
            hourly_cost="2.00 EUR/hour",
            carbon_g_per_hour=(350 + 30.4) * 0.375,
            performance_tflops=989.4 / 2,
        ),
        placement(
            "slim",
            [row(0, "s", gpus=[0], **one), row(1, "s", gpus=[3], **one)],
            hourly_cost="2.00 EUR/hour",
            carbon_g_per_hour=2 * (175 + 30.4) * 0.375,
            performance_tflops=989.4 / 2,
        ),
    )
    state = {"node": 0, "free_gpus": [0, 1, 2], "gpu_milli": {"3": 499}, "cpu": "99", "memory": "1Ti"}
    return world(told, [half, slim], offer("s", **SLOTS, node_states=[state]))


def linked(*links: object, **changes: object) -> Json:
    """Return an offer whose four GPUs have these links, and which states no efficiency."""
    said = {"gpu__count": 4, "gpu__links": list(links), "price__hourly": "16 EUR/hour"}
    return offer("a", **{"gpu__multi_gpu_efficiency": None, "gpu__interconnect": "nvlink", **said, **changes})


RING = [[a, b, "nvlink", "50 GB/s"] for a, b in ((0, 1), (1, 2), (2, 3), (0, 3))]
# 25 GB/s four times around and a third of what the host gives twice across, in three cuts.
RING_RATE = (100 + 2 * HOST_GBYTES / 3) / 3
RING_EFFICIENCY = floor(1e6 / (1 + GB_PER_TFLOP * 989.4 / (PROTOCOL[2] * RING_RATE))) / 1e6
MISSED_TOPOLOGY = {"path": f"{GPU}.topology", "asked": "all-to-all", "got": "none"}


def ring() -> World:
    """Four GPUs in a ring are linked by NVLink, and no clique."""
    four: Json = {"workload__resources__gpu__count": 4, "workload__resources__gpu__topology": "all-to-all"}
    asked = intent(**four, workload__resources__gpu__interconnect="nvlink")
    rows = [row(0, "a", gpus=[0, 1, 2, 3], efficiency=RING_EFFICIENCY, hourly_cost="16.00 EUR/hour")]
    told = placement(
        "web",
        rows,
        relaxed=[MISSED_TOPOLOGY],
        hourly_cost="16.00 EUR/hour",
        carbon_g_per_hour=(2800 + 30.4) * 0.375,
        performance_tflops=4 * 989.4 * RING_EFFICIENCY,
    )
    return world(plan(told, objective=16.0, bound=16.0), [asked], linked(*RING))


def stated() -> World:
    """The efficiency of all eight GPUs is what the offer states and the intent asks for."""
    asked = intent(workload__resources__gpu={"count": 8, "multi_gpu_efficiency": "0.9"})
    rows = [row(0, "a", gpus=list(range(8)), efficiency=0.9, hourly_cost="32.00 EUR/hour")]
    told = placement(
        "web",
        rows,
        hourly_cost="32.00 EUR/hour",
        carbon_g_per_hour=(5600 + 30.4) * 0.375,
        performance_tflops=8 * 989.4 * 0.9,
    )
    offered = offer("a", gpu__multi_gpu_efficiency=0.9)
    return world(plan(told, objective=32.0, bound=32.0), [asked], offered)


def scattered() -> World:
    """A gang whose fabric nobody knows: together by zone alone, one level apart, at 100 Gbit/s."""
    asked = intent("train", "job", workload__job={"parallel_tasks": 2, "timeout": "1h"})
    end = "2026-01-15T11:30:00Z"
    rows = [row(task, "a", node=task, end_time=end) for task in (0, 1)]
    told = placement(
        "train",
        rows,
        hourly_cost="16.00 EUR/hour",
        total_cost="16.00 EUR",
        end_time=end,
        carbon_g_per_hour=1072.8,
        # 1 / (1 + 2 * 0.00813802 GB/TFLOP * 989.4 / (0.85 * 12.5 GB/s))
        performance_tflops=3957.6 * 0.397515,
    )
    return world(plan(told, objective=16.0, bound=16.0), [asked], offer("a"))


INSIDE = (instances, instances_of_one_task, slots, ring, stated, scattered)
