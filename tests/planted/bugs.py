"""Plausible mistakes: where each is planted, what stands there, and what is put in its place."""

from typing import NamedTuple


class Bug(NamedTuple):
    """A mistake as a replacement of text that occurs once in a module."""

    what: str
    module: str
    old: str
    new: str


LOWER = "requirements/lower.py"
REQUIREMENTS = (
    Bug("one replica is enough", LOWER, "        tasks=workload.tasks,", "        tasks=1,"),
    Bug("memory is not asked", LOWER, "memory_mib=resources.memory or None", "memory_mib=None"),
    Bug("spot is always allowed", LOWER, "spot=asked.preemptible or", "spot=True or"),
    Bug("no hourly budget", LOWER, "max_hourly_ueur=asked.max_hourly_cost", "max_hourly_ueur=None"),
    Bug(
        "availability half a percent lower",
        LOWER,
        "availability=sla.availability / 100 if joint",
        "availability=sla.availability / 100 - 0.005 if joint",
    ),
    Bug("preferences are forgotten", LOWER, "preferences=() if hard else wishes", "preferences=()"),
    Bug(
        "headroom for one less", LOWER, "scaling.max_replicas if scaled", "scaling.max_replicas - 1 if scaled"
    ),
    Bug(
        "a minute past the deadline",
        LOWER,
        "left_s = max(0, int((deadline - now).total_seconds()))",
        "left_s = max(0, int((deadline - now).total_seconds())) + 60",
    ),
    Bug("carbon cap 5 % higher", LOWER, "min(round(cap * 1e6), 2**53)", "min(round(cap * 1.05e6), 2**53)"),
    Bug(
        "an explicit latency limit passes unknowns",
        LOWER,
        'unsaid = "max_latency_ms" not in asked.model_fields_set',
        "unsaid = True",
    ),
)

SCREENS = "candidates/screens/"
CANDIDATES = (
    Bug(
        "the price of a GPU is rounded down",
        "candidates/pricing.py",
        "gpu_ueur = -(-node_ueur // whole)",
        "gpu_ueur = node_ueur // whole",
    ),
    Bug("a GiB draws half a watt", "candidates/emissions.py", "WATT_PER_GIB = 0.42", "WATT_PER_GIB = 0.5"),
    Bug(
        "cold starts are free",
        "candidates/screen.py",
        "_whole(known_ms * 1000) + _whole(cold_start_s * 1000)",
        "_whole(known_ms * 1000)",
    ),
    Bug(
        "unknown emissions are none",
        "candidates/emissions.py",
        "worst = np.fmax.reduce(carbon, initial=0.0)",
        "worst = 0.0",
    ),
    Bug(
        "zones of a region fall together",
        "candidates/domain.py",
        'for name in ("provider", "region", "zone"):',
        'for name in ("provider", "region"):',
    ),
    Bug(
        "a limit that is just met fails",
        SCREENS + "screen.py",
        "~(number <= amount(limit))",
        "~(number < amount(limit))",
    ),
    Bug(
        "the asked rating itself fails",
        SCREENS + "energy.py",
        "_RATINGS[: _RATINGS.index(worst) + 1]",
        "_RATINGS[: _RATINGS.index(worst)]",
    ),
    Bug(
        "a started task still fits",
        SCREENS + "capacity.py",
        "free[groups] // asked",
        "-(-free[groups] // asked)",
    ),
    Bug(
        "used nodes are sold whole",
        "candidates/view.py",
        "(groups.fresh | ~owners)",
        "(groups.fresh | ~owners | True)",
    ),
    Bug(
        "what an offer does not say, it has",
        SCREENS + "screen.py",
        "view.inventory.flag[limit.column] != 1",
        "view.inventory.flag[limit.column] == 0",
    ),
)

MODEL = (
    Bug(
        "a node holds one task more",
        "model/constraints/capacity.py",
        "draft.tasks[i, g] <= each * nodes",
        "draft.tasks[i, g] <= (each + 1) * nodes",
    ),
    Bug(
        "an offer has one node more",
        "model/constraints/capacity.py",
        "cp_model.LinearExpr.sum(own) <= count)",
        "cp_model.LinearExpr.sum(own) <= count + 1)",
    ),
    Bug(
        "a budget must not be spent whole",
        "model/constraints/budget.py",
        "node.tolist()), self.limit)",
        "node.tolist()), self.limit - 1)",
    ),
    Bug(
        "a thousandth less is up enough",
        "model/constraints/availability.py",
        "TOLERANCE = 1e-12",
        "TOLERANCE = 1e-3",
    ),
    Bug(
        "carbon breaks no ties",
        "model/objective/levels.py",
        'yield "carbon", _each(draft, lambda i: (asks[i].found.carbon_ug, None))',
        'yield "carbon", iter(())',
    ),
    Bug(
        "providers break no ties",
        "model/objective/levels.py",
        'yield "providers", _providers(draft)',
        'yield "providers", iter(())',
    ),
    Bug(
        "a proven level may get worse by one",
        "solve/lexicographic.py",
        "level.terms.expr() <= answer.bound)",
        "level.terms.expr() <= answer.bound + 1)",
    ),
    Bug(
        "pruning counts too few rivals", "solve/prune.py", "[rank] >= rivals", "[rank] >= max(1, rivals - 1)"
    ),
    Bug("a bound is too high", "solve/bounds.py", "np.minimum(one, node)", "np.maximum(one, node)"),
    Bug(
        "the closed form takes the dearer for equal",
        "solve/closed.py",
        "self.tie[keys < margin], self.tie[keys == margin]",
        "self.tie[keys < margin], self.tie[keys >= margin]",
    ),
)

INSIDE = (
    Bug(
        "an instance begins anywhere",
        "sharing/states.py",
        "starts = [start for start in cut.starts if not mask & cut.mask(start)]",
        "starts = [start for start in range(9 - cut.memory) if not mask & cut.mask(start)]",
    ),
    Bug(
        "instances in use are in nobody's way",
        "sharing/states.py",
        "mask, compute = mask | cut.mask(start), compute - cut.compute",
        "compute = compute - cut.compute",
    ),
    Bug(
        "a slot that is partly taken is free",
        "sharing/states.py",
        "(MILLI if milli is None else milli) * card.slots // MILLI",
        "-(-(MILLI if milli is None else milli) * card.slots // MILLI)",
    ),
    Bug(
        "a share costs less by rounding",
        "candidates/pricing.py",
        "_ceil(gpu_ueur * parts.part, parts.whole)",
        "gpu_ueur * parts.part // parts.whole",
    ),
    Bug(
        "all sets are as efficient as the first",
        "topology/charts.py",
        "efficiency_ppm(graph, np.array(sets, np.int64), rating_tflops, stated).tolist()",
        "efficiency_ppm(graph, np.array(sets[:1] * len(sets), np.int64), rating_tflops, stated).tolist()",
    ),
    Bug(
        "any link makes a set linked",
        "topology/charts.py",
        "if set_class(graph, mask) < wish.least_class:",
        "if max(map(max, graph.classes)) < wish.least_class:",
    ),
    Bug(
        "a gang spans one level less",
        "placement/packing.py",
        "return 1 + fabric.depth - int(",
        "return fabric.depth - int(",
    ),
    Bug(
        "whole tasks lie on GPUs that are cut",
        "placement/nodes.py",
        "left = free - sum(guest.ask.needs.gpus * guest.tasks for guest in using if guest.cut is None)",
        "left = free",
    ),
    Bug(
        "what is left does not count",
        "model/objective/levels.py",
        'yield "left", _left(draft)',
        'yield "left", iter(())',
    ),
    Bug(
        "only the top of the fabric tells nodes apart",
        "candidates/fabric.py",
        "table[at, d] = code[path[: d + 1]]",
        "table[at, d] = code[path[:1]]",
    ),
    Bug(
        "a ring is a path",
        "topology/shapes.py",
        '"ring": has_ring',
        '"ring": has_path',
    ),
    Bug(
        "what is left need not be connected",
        "placement/seating.py",
        "worth = (_total(seated), -_connected(graph, left))",
        "worth = (_total(seated), 0.0)",
    ),
)

BUGS = (*REQUIREMENTS, *CANDIDATES, *MODEL, *INSIDE)
