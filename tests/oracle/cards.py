"""Shares of a GPU by exhaustion: slots, and MIG instances set down slice by slice.

A share is the smallest that covers what is asked; whether instances fit beside others is found by trying
every start slot that the vendor's table allows.
"""

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

from flare_core import quantities as q
from flare_core.catalog.gpus import parts, parts_of
from flare_core.catalog.mig import MigProfile, profiles_of

Json = Mapping[str, Any]
Instances = tuple[tuple[str, int], ...]


class Share(NamedTuple):
    """What a task takes of each of its GPUs: slots, or an instance of a profile."""

    profile: str | None
    taken: int
    whole: int

    @property
    def part(self) -> Fraction:
        return Fraction(self.taken, self.whole)

    @property
    def milli(self) -> int:
        return 1000 * self.taken // self.whole


def sharing(offer: Json) -> str | None:
    """Return "mig" or "slots" where an offer shares its GPUs."""
    gpu = offer["gpu"] or {}
    if not gpu.get("shared"):
        return None
    if gpu.get("sharing_strategy") == "mig":
        return "mig"
    counted = gpu.get("sharing_strategy") in ("time-slicing", "mps")
    return "slots" if counted and (gpu.get("sharing_slots") or 0) >= 2 else None


def smallest(offer: Json, asked: Json) -> Share | None:
    """Return the smallest share of the offer's GPUs that covers what is asked; None where none does."""
    gpu = offer["gpu"]
    memory = None if (m := asked.get("memory")) is None else q.parse_memory_mib(m, q.Rounding.UP)
    has = None if (m := gpu.get("memory")) is None else q.parse_memory_mib(m, q.Rounding.DOWN)
    cores = asked.get("cores")
    if sharing(offer) == "slots":
        return _slots(gpu["sharing_slots"], ((memory, has), (cores, gpu.get("cores"))))
    tflops = asked.get("fp32_tflops") if asked.get("multi_instance") else None
    return _instance(
        gpu["model"],
        has,
        memory,
        ((cores, gpu.get("cores")), (tflops, gpu.get("fp32_tflops"))),
    )


def _slots(whole: int, wants: tuple[tuple[int | None, int | None], ...]) -> Share | None:
    asked = [(want, has) for want, has in wants if want is not None]
    for taken in range(1, whole + 1):
        if all(has is not None and Fraction(taken, whole) * has >= want for want, has in asked):
            return Share(None, taken, whole)
    return None


def _instance(
    model: str, has: int | None, memory: int | None, wants: tuple[tuple[Any, Any], ...]
) -> Share | None:
    """Return the smallest profile of which all parts that fit agree."""
    chosen = set()
    for part in parts_of(model):
        if has not in (None, part.memory_mib):
            continue
        profiles = sorted(
            (p for p in profiles_of(part.sku) if not p.extension),
            key=lambda p: (p.compute_slices, p.memory_slices),
        )
        covers = (p for p in profiles if p.memory_mib >= (memory or 0) and _covers(p, wants))
        best = next(covers, None)
        whole = max((p.compute_slices for p in profiles), default=0)
        chosen.add(None if best is None else Share(best.profile, best.compute_slices, whole))
    return chosen.pop() if len(chosen) == 1 else None


def _covers(profile: MigProfile, wants: tuple[tuple[Any, Any], ...]) -> bool:
    return all(
        want is None or (has is not None and _core_share(profile) * Fraction(has) >= Fraction(want))
        for want, has in wants
    )


def _core_share(profile: MigProfile) -> Fraction:
    part = next(p for p in parts_of(_model(profile.sku)) if p.sku == profile.sku)
    if profile.multiprocessors is None or part.cores is None:
        return Fraction(profile.compute_slices, max(p.memory_slices for p in profiles_of(profile.sku)))
    each = 64 if part.compute_capability == 8.0 else 128
    return Fraction(profile.multiprocessors * each, part.cores)


@cache
def _model(sku: str) -> str:
    return next(p.model for p in parts() if p.sku == sku)


def profile_table(model: str, memory_mib: int | None) -> Mapping[str, MigProfile]:
    """Return the vendor's table of the first part that fits; parts of one model and size are cut alike."""
    fits = (p.sku for p in parts_of(model) if memory_mib in (None, p.memory_mib) and profiles_of(p.sku))
    return {p.profile: p for p in profiles_of(next(fits, ""))}


def takes(table: Mapping[str, MigProfile], there: Instances, more: tuple[str, ...]) -> bool:
    """Whether instances of the profiles `more` can be set down beside those that are `there`."""
    return _takes(tuple(sorted(table.items())), there, tuple(sorted(more)))


@cache
def _takes(table: tuple[tuple[str, MigProfile], ...], there: Instances, more: tuple[str, ...]) -> bool:
    profiles = dict(table)
    names = [name for name, _ in there] + list(more)
    compute = sum(profiles[name].compute_slices for name in names)
    if compute > max(p.compute_slices for p in profiles.values()):
        return False
    if any(n > profiles[name].max_instances for name, n in Counter(names).items()):
        return False
    used = frozenset(s for name, start in there for s in _slices(profiles[name], start))
    return _down(profiles, used, more)


def _down(profiles: Mapping[str, MigProfile], used: frozenset[int], more: tuple[str, ...]) -> bool:
    if not more:
        return True
    first, *rest = more
    spots = (frozenset(_slices(profiles[first], start)) for start in profiles[first].starts)
    return any(_down(profiles, used | spot, tuple(rest)) for spot in spots if not spot & used)


def _slices(profile: MigProfile, start: int) -> range:
    return range(start, start + profile.memory_slices)
