"""Ten telling refusals, explained in full: ``python -m benchmarks.refusals [FOLDER]``.

On the SkyPilot catalogs of the shared data (``FOLDER``, ``FLARE_BENCH_DATA`` or ``../shared/data``), or with
``--demo`` on the bundled demonstration federation.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import flare_core as flare
from benchmarks.table import data_folder
from flare_core.inventory.demo import demo_inventory

NOW = "2026-01-15T10:35:00Z"
USD_EUR = "0.92"


class Refusal(NamedTuple):
    """A wish that cannot be granted: in words, and as the resources and constraints of an intent."""

    name: str
    wish: str
    gpu: dict[str, Any]
    constraints: dict[str, Any]
    workload: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def intent(self) -> flare.Intent:
        """Return the wish as an intent."""
        workload = {"type": "service", "name": self.name, "image": "acme/model:1", **self.workload}
        workload["resources"] = {"gpu": self.gpu}
        return flare.read_intent(
            {"objective": "Cost_Minimization", "workload": workload, "constraints": self.constraints}
        )

    def asked(self) -> str:
        """Return what is asked beyond the usual, as JSON."""
        return json.dumps({**self.workload, "gpu": self.gpu, "constraints": self.constraints})


def _gpus(count: int, model: str = "nvidia-h100", **more: Any) -> dict[str, Any]:
    return {"model": model, "count": count, **more}


_TRAINING = {"type": "job", "job": {"parallel_tasks": 8, "timeout": "24h"}}

REFUSALS = (
    Refusal("in-ireland", "H100 in a region without", _gpus(1), {"location": "eu-west-1"}),
    Refusal("cheap", "8 x H100 under 10 EUR/h", _gpus(8), {"max_hourly_cost": "10 EUR"}),
    Refusal(
        "clinic",
        "HIPAA, data in the EU, on spot, 8 x H100 for 8 EUR/h",
        _gpus(8),
        {
            "preemptible": True,
            "max_hourly_cost": "8 EUR",
            "compliance": {"hipaa_compliant": True, "data_residency": ["EU"]},
        },
    ),
    Refusal("one-machine", "16 H100 in one machine", _gpus(16), {}),
    Refusal("gaming", "gaming cards with 80 GB", _gpus(1, "nvidia-rtx-4090", memory="80Gi"), {}),
    Refusal("newest", "a model that nobody has", _gpus(1, "nvidia-gb300"), {"location": "EU"}),
    Refusal(
        "green",
        "8 x H100 at 150 g of CO2 per hour",
        _gpus(8),
        {"energy": {"max_carbon_footprint": "150g CO2/h"}},
    ),
    Refusal(
        "in-a-hurry",
        "a two-hour job that has to end within one",
        _gpus(1, "nvidia-a100"),
        {"deadline": "2026-01-15T11:35:00Z"},
        {"type": "job", "job": {"timeout": "2h"}},
    ),
    Refusal(
        "training", "64 H100 for a day, 500 EUR in all", _gpus(8), {"max_total_cost": "500 EUR"}, _TRAINING
    ),
    Refusal(
        "swiss",
        "H200 with ISO 27001 and 99.999 % in Switzerland",
        _gpus(1, "nvidia-h200"),
        {
            "location": "CH",
            "performance": {"min_uptime_percent": 99.999},
            "compliance": {"certifications": ["ISO 27001"]},
        },
    ),
)


def told(inventory: flare.Inventory) -> Iterator[str]:
    """Yield each refusal with its explanation, as Markdown."""
    for number, refusal in enumerate(REFUSALS, 1):
        explanation = flare.explain(refusal.intent(), inventory, now=NOW)
        yield f"**{number}. {refusal.wish}**\n\n`{refusal.asked()}`\n\n```text\n{explanation}```\n"


def catalogs(folder: Path) -> flare.Inventory:
    """Return the SkyPilot catalogs below the folder of shared data."""
    paths = sorted((folder / "gpu-offers").glob("skypilot-*/*/vms.csv"))
    return flare.read_inventory([str(path) for path in paths], usd_eur=USD_EUR)


def main(arguments: list[str]) -> int:
    """Print the refusals; 2 where the catalogs are absent."""
    if arguments == ["--demo"]:
        inventory = demo_inventory()
    else:
        folder = data_folder(arguments[0] if arguments else None)
        if folder is None or not (folder / "gpu-offers").is_dir():
            print("the SkyPilot catalogs are not here", file=sys.stderr)
            return 2
        inventory = catalogs(folder)
    print(f"{len(inventory)} offers of {len(inventory.label['provider'].values)} providers\n")
    print("\n".join(told(inventory)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
