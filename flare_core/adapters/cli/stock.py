"""An inventory in short: what it holds, at what prices, how much of it is not known."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from rich.console import Group, RenderableType

from flare_core.adapters.cli.output import clean
from flare_core.adapters.cli.rows import ranges
from flare_core.adapters.cli.tables import table_of
from flare_core.inventory.types import COLUMNS, Column, IntArray, Inventory, Mask
from flare_core.quantities import format_rate

_UNKNOWN: Final[Mapping[str, Callable[[Inventory, str], Mask]]] = {
    "whole": lambda inventory, name: inventory.whole[name] < 0,
    "number": lambda inventory, name: np.isnan(inventory.number[name]),
    "flag": lambda inventory, name: inventory.flag[name] < 0,
    "label": lambda inventory, name: inventory.label[name].codes < 0,
}


@dataclass(frozen=True, slots=True)
class Model:
    """One GPU model: who offers it, how many to a node, and what one GPU costs per hour on demand."""

    model: str
    offers: int
    providers: int
    gpus_per_node: tuple[int, ...]
    least_per_gpu: str | None
    most_per_gpu: str | None


@dataclass(frozen=True, slots=True)
class Flagged:
    """An offer whose price is not believed, and which is therefore never chosen."""

    offer: str
    price: str
    why: str


@dataclass(frozen=True, slots=True)
class Stock:
    """What an inventory holds; ``unknown`` is the share of offers by path, where it is not 0."""

    source: str
    offers: int
    providers: dict[str, int]
    regions: int
    models: tuple[Model, ...]
    cpu_only: int
    unknown: dict[str, float]
    flagged: tuple[Flagged, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return what `flare inventory --json` prints."""
        return asdict(self)


def summary(inventory: Inventory) -> Stock:
    """Return an inventory in short."""
    label = inventory.label
    providers = label["provider"]
    places = {*zip(providers.codes.tolist(), label["region"].codes.tolist(), strict=True)}
    return Stock(
        source=inventory.source,
        offers=len(inventory),
        providers={name: int((providers.codes == code).sum()) for code, name in enumerate(providers.values)},
        regions=len(places),
        models=tuple(_model(inventory, code) for code in range(len(label["gpu_model"].values))),
        cpu_only=int((inventory.whole["gpu_count"] <= 0).sum()),
        unknown={column.path: share for column in COLUMNS if (share := _unknown(inventory, column))},
        flagged=tuple(_flagged(inventory)),
        warnings=inventory.warnings,
    )


def _model(inventory: Inventory, code: int) -> Model:
    models, count = inventory.label["gpu_model"], inventory.whole["gpu_count"]
    rows: IntArray = np.flatnonzero(models.codes == code)
    hourly = inventory.whole["hourly_ueur"][rows]
    priced = (hourly >= 0) & (inventory.label["price_flag"].codes[rows] < 0) & (count[rows] > 0)
    per_gpu = -(-hourly[priced] // count[rows][priced])
    return Model(
        model=models.values[code],
        offers=len(rows),
        providers=len(np.unique(inventory.label["provider"].codes[rows])),
        gpus_per_node=tuple(np.unique(count[rows]).tolist()),
        least_per_gpu=format_rate(int(per_gpu.min())) if len(per_gpu) else None,
        most_per_gpu=format_rate(int(per_gpu.max())) if len(per_gpu) else None,
    )


def _unknown(inventory: Inventory, column: Column) -> float:
    """Return the share of offers that do not say this; what is about GPUs is asked of offers with GPUs."""
    if column.name == "nodes":  # absent is elastic
        return 0.0
    asked: Mask = np.ones(len(inventory), np.bool_)
    if column.path.startswith("gpu."):
        asked = inventory.whole["gpu_count"] > 0
    unknown = _UNKNOWN[column.kind.storage](inventory, column.name)
    return round(float((unknown & asked).sum() / max(1, asked.sum())), 4)


def _flagged(inventory: Inventory) -> list[Flagged]:
    flags = inventory.label["price_flag"]
    prices = inventory.whole["hourly_ueur"]
    return [
        Flagged(
            inventory.ids[row], format_rate(max(0, int(prices[row]))), flags.values[int(flags.codes[row])]
        )
        for row in np.flatnonzero(flags.codes >= 0).tolist()
    ]


def drawn_stock(stock: Stock) -> Group:
    """Return an inventory in short, drawn."""
    table = table_of(
        *(("GPU model", "left"), ("offers", "right"), ("providers", "right"), ("per node", "left")),
        ("EUR/h per GPU", "right"),
    )
    for m in stock.models:
        prices = [p.removesuffix(" EUR/hour") for p in (m.least_per_gpu, m.most_per_gpu) if p]
        gpus = ranges(m.gpus_per_node)
        table.add_row(
            clean(m.model), str(m.offers), str(m.providers), gpus, " - ".join(dict.fromkeys(prices))
        )
    providers = ", ".join(f"{name} {count}" for name, count in stock.providers.items())
    parts: list[RenderableType] = [
        f"{stock.offers} offers of {len(stock.providers)} providers in {stock.regions} regions",
        clean(f"Providers: {providers}"),
        *("", table, ""),
        f"Without GPUs: {stock.cpu_only}",
        f"Prices that are not believed (--flagged): {len(stock.flagged)}",
        f"Warnings (--warnings): {len(stock.warnings)}",
    ]
    by_share: dict[float, list[str]] = {}
    for path, share in stock.unknown.items():
        by_share.setdefault(round(100 * share), []).append(path)
    for share in sorted(by_share):
        parts.append(f"Unknown for {share} %: {', '.join(by_share[share])}")
    return Group(*parts)
