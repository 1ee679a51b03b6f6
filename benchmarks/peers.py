"""FLARE beside others: the same questions, as ratios. ``flare bench peers`` draws them.

Every plan is checked by `flare_core.verify`, which `flare_core.place` calls before it answers. A peer that is
not installed is left out, and its row says so.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import mean
from time import process_time

import numpy as np

import flare_core as flare
from benchmarks import gangs, mixed, openb, openb_stream
from benchmarks.scenarios import NOW, Json
from benchmarks.table import ROOT, USD_EUR, Row, data_folder, timed
from flare_core.candidates.screen import screen
from flare_core.engine import moment_of
from flare_core.requirements.lower import lower
from flare_core.requirements.types import Objective

__all__ = ["GROUPS", "PYTHON", "data_folder", "measured"]

PYTHON = "FLARE_PEERS_PYTHON"
"""The variable of the environment that names an interpreter with SkyPilot."""

OPTIONS = flare.Options(time_limit=60.0)
SAVED = 1_000
"""Mixed intents, of which those that ask for one machine at the least price are compared."""


# --- SkyPilot ---------------------------------------------------------------------------------------

CATALOGS = "gpu-offers/skypilot-v5-2024-06"
CLOUDS = ("aws", "azure", "gcp", "lambda", "oci", "paperspace", "runpod", "scp")
"""The clouds that SkyPilot plans for without an account and that the catalogs have."""
TASKS: Mapping[str, tuple[str, str]] = {
    "H100:8": ("nvidia-h100", ""),
    "H100:1": ("nvidia-h100", ""),
    "A100-80GB:8": ("nvidia-a100", "80Gi"),
    "A100:8": ("nvidia-a100", ""),
    "V100:8": ("nvidia-v100", ""),
    "T4:1": ("nvidia-t4", ""),
    "L4:1": ("nvidia-l4", ""),
}
"""What SkyPilot calls a task, and the GPU, and its memory, that FLARE is asked for."""


def _skypilot(data: Path | None) -> Iterator[Row]:
    price = Row("single tasks, the price of FLARE's plan over SkyPilot's, worst of them", "times", 1.0)
    time = Row("… CPU time of FLARE over SkyPilot's, worst of them", "times", 0.01)
    files = [] if data is None else [data / CATALOGS / cloud / "vms.csv" for cloud in CLOUDS]
    python = os.environ.get(PYTHON)
    if not python or not files or not all(map(Path.is_file, files)):
        why = f"no {CATALOGS} in {data or 'shared data'}" if python else f"{PYTHON} names no interpreter"
        yield from (replace(row, note=f"not measured: {why}") for row in (price, time))
        return
    inventory = flare.read_inventory(list(map(str, files)), usd_eur=USD_EUR)
    costs, times, nothing = {}, {}, []
    for line in _optimised(python, files):
        task, dollars = line["task"], line["usd_per_h"]
        eur, seconds = _own(task, inventory)
        times[task] = seconds / line["seconds"]
        if dollars:
            costs[task] = eur / (dollars * float(USD_EUR))
        else:
            nothing.append(task)
    said = f"; SkyPilot finds nothing, or a price of 0: {', '.join(nothing)}" if nothing else ""
    yield _ratios(price, costs, f"{len(inventory):,} offers{said}")
    yield _ratios(time, times)


def _own(task: str, inventory: flare.Inventory) -> tuple[float, float]:
    """Return the price in EUR per hour that FLARE proves to be the least, and its CPU seconds."""
    model, memory = TASKS[task]
    gpu: Json = {"model": model, "count": int(task.partition(":")[2])}
    intent = flare.read_intent(_service("task", {"gpu": gpu | ({"memory": memory} if memory else {})}))
    plan = flare.place(intent, inventory, now=NOW, options=OPTIONS)
    assert plan.outcome is flare.Outcome.OPTIMAL, f"{task}: {plan.outcome}"
    [placed] = plan.placements
    assert placed.hourly_ueur, f"{task}: a price of 0"
    took = timed(lambda: flare.place(intent, inventory, now=NOW, options=OPTIONS), task)
    return placed.hourly_ueur / 1e6, took.middle


def _optimised(python: str, files: Sequence[Path]) -> list[Json]:
    """Ask SkyPilot, over catalogs in a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        catalogs = Path(home) / ".sky" / "catalogs" / "v8"
        for file in files:
            (catalogs / file.parent.name).mkdir(parents=True)
            shutil.copyfile(file, catalogs / file.parent.name / "vms.csv")
        common = catalogs / "common"
        common.mkdir()
        (common / "accelerators.csv").write_text("AcceleratorName,Clouds\n", encoding="utf-8")
        (common / "metadata.csv").write_text("GPU,MemoryGB,Manufacturer\n", encoding="utf-8")
        script = str(ROOT / "benchmarks" / "peers_skypilot.py")
        environment = {"HOME": home, "PATH": os.defpath, "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}
        done = subprocess.run(
            [python, script, *TASKS], capture_output=True, text=True, check=True, env=environment
        )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


# --- half-full nodes, as DCM's ScaleNodeBenchmark has them ------------------------------------------


def _nodes(data: Path | None) -> Iterator[Row]:
    for nodes, reach in ((500, 0.3), (1_000, 0.5)):
        times, gaps, placed = {}, {}, []
        for seed in range(3):
            intents, inventory = half_full(nodes, seed)
            start = process_time()
            plan = flare.place(intents, inventory, now=NOW, options=OPTIONS)
            times[f"seed {seed}"] = process_time() - start
            gaps[f"seed {seed}"] = 100 * (0.0 if plan.gap is None else plan.gap)
            brief = flare.place(intents, inventory, now=NOW, options=flare.Options(time_limit=0.1))
            placed.append(sum(each.status is flare.Status.PLACED for each in brief.placements))
        what = f"50 one-task intents on {nodes:,} unlike, half-full nodes"
        note = f"DCM's encoding, re-stated: 0.2 to 0.5 s; placed at a limit of 0.1 s: at least {min(placed)}"
        yield _ratios(Row(what, "s", reach), times, note)
        yield _ratios(Row("… gap to what is proven", "%", 0.0), gaps)


def half_full(nodes: int, seed: int) -> tuple[tuple[flare.Intent, ...], flare.Inventory]:
    """Return 50 tasks of 5 to 14 cores and GiB, and nodes of 100 of which 50 to 99 are in use."""
    random, offers = Random(seed), []
    for k in range(nodes):
        used = random.randrange(50, 100)
        offers.append(
            {
                "id": f"n{k:05}",
                "provider": "own",
                "region": "here",
                "nodes": 1,
                "price": {"hourly": f"{random.uniform(1, 3):.6f} EUR/hour", "billing": "gpu"},
                "cpu": "100",
                "memory": "100Gi",
                "gpu": None,
                "node_states": [{"node": 0, "cpu": str(100 - used), "memory": f"{100 - used}Gi"}],
            }
        )
    asked = [random.randrange(5, 15) for _ in range(50)]
    intents = [
        flare.read_intent(_service(f"pod-{k:02}", {"cpu": str(n), "memory": f"{n}Gi"}))
        for k, n in enumerate(asked)
    ]
    return tuple(intents), flare.read_inventory({"version": 1, "offers": offers})


# --- gangs in racks, as Kueue's benchmark has them --------------------------------------------------


def _gang(data: Path | None) -> Iterator[Row]:
    for nodes in (500, 2_500):
        room = np.full(nodes, 12)  # tasks of 8 cores on nodes of 96
        each = gangs.Fleet(f"{nodes:,} nodes", room, np.arange(nodes)[None, :] // 16, 2_304)
        used = each.closest().used
        assert used == (12, 192), f"{each.name}: {used}"  # 12 racks of 16 full nodes: no plan has fewer
        took = timed(each.closest, each.name)
        what = f"gang of 2,304 tasks on {nodes:,} nodes in racks of 16"
        note = "12 racks, 192 nodes, as few as can be; Kueue's topology-aware scheduling: 0.15 s"
        yield Row(what, "s", 0.1, took.middle, took.least, note)


# --- first match, and single providers --------------------------------------------------------------


def _savings(data: Path | None) -> Iterator[Row]:
    row = Row("price of the cheapest offers over first match", "times", 1.0)
    if data is None or not mixed.catalogs_in(data):
        yield replace(row, note=f"not measured: no catalogs in {data or 'shared data'}")
        return
    loaded = mixed.world(data, SAVED)
    now, inventory = moment_of(NOW), loaded.inventory
    ours, first, alone = [], [], []
    for intent in loaded.intents:
        needs = lower(intent, now=now)
        if needs.objective is not Objective.COST or needs.tasks > 1 or needs.end is not None:
            continue
        found = screen(needs, inventory)
        [placed] = flare.place(intent, inventory, now=NOW, options=OPTIONS).placements
        if placed.hourly_ueur is None:
            continue
        ours.append(placed.hourly_ueur)
        first.append(int(found.task_ueur[0]))
        alone.append(
            {p: int(found.task_ueur[found.provider == p].min()) for p in set(found.provider.tolist())}
        )
    what = f"{len(ours)} services of one task, each alone: price of FLARE's plans over first match"
    note = f"{1 - sum(ours) / sum(first):.0%} saved; first match: the first id that keeps all constraints"
    yield replace(row, what=what, reached=sum(ours) / sum(first), least=sum(ours) / sum(first), note=note)
    yield _ratios(
        Row("… over each single provider, for the services that it can serve", "times", 1.0),
        dict(_by_provider(ours, alone, inventory.label["provider"].values)),
    )


def _by_provider(
    ours: Sequence[int], alone: Sequence[Mapping[int, int]], names: Sequence[str]
) -> Iterator[tuple[str, float]]:
    """Yield for each provider, largest first, how many it serves, and our price over its own for them."""
    served = Counter(provider for own in alone for provider in own)
    for provider, number in sorted(served.items(), key=lambda each: (-each[1], each[0])):
        pairs = [(us, own[provider]) for us, own in zip(ours, alone, strict=True) if provider in own]
        yield f"{names[provider]} ({number})", sum(us for us, _ in pairs) / sum(them for _, them in pairs)


# --- policies on the trace --------------------------------------------------------------------------


def _policies(data: Path | None) -> Iterator[Row]:
    if data is None or not (data / openb.FOLDER).is_dir():
        yield Row("GPUs left idle on openb, over each policy's", "times", 1.0, note="not measured: no trace")
        return
    trace = openb.read(data)
    others = list(openb_stream.peers(trace))
    choice, start = openb_stream.chosen(trace)
    idle = 100 - mean(openb_stream.run(trace, choice.name, start).allocated)
    published = 100 - openb_stream.PUBLISHED["default"]
    ratios = {each.name: idle / (100 - mean(each.allocated)) for each in others}
    ratios |= {"FGD as published": idle / published}
    what = "openb default, 130 % arrivals, seeds 42 to 51: GPUs left idle, over each policy's"
    yield _ratios(Row(what, "times", 1.0), ratios)


# --- the table --------------------------------------------------------------------------------------


def _service(name: str, resources: Json) -> Json:
    return {
        "objective": "Cost_Minimization",
        "workload": {
            "type": "service",
            "name": name,
            "image": "registry.example/work:1",
            "resources": resources,
        },
    }


def _ratios(row: Row, figures: Mapping[str, float], note: str = "") -> Row:
    """Return `row` with the greatest of some figures; all of them in the note."""
    each = ", ".join(f"{name} {figure:.3g}" for name, figure in figures.items())
    worst, least = max(figures.values()), min(figures.values())
    return Row(row.what, row.unit, row.reach, worst, least, "; ".join(filter(None, (each, note))))


GROUPS: Mapping[str, Callable[[Path | None], Iterator[Row]]] = {
    "skypilot": _skypilot,
    "nodes": _nodes,
    "gang": _gang,
    "savings": _savings,
    "policies": _policies,
}
"""The rows of the table, by the names under which they can be asked for alone."""


def measured(data: Path | None, only: Sequence[str] = ()) -> Iterator[Row]:
    """Measure one comparison after the other.

    Parameters
    ----------
    data
        The folder of shared data; rows that need it say that it is absent.
    only
        Names of `GROUPS`; all where empty.
    """
    for name in only or GROUPS:
        yield from GROUPS[name](data)
