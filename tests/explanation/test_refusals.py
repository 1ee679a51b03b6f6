"""Random refusals against exhaustion: conflicts and ways out are minimal, remedies work and are least."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, islice
from typing import Any

import pytest

from flare_core import quantities as q
from flare_core.explanation.case import Case
from flare_core.explanation.conflicts import Reasons, reasons
from flare_core.explanation.corrections import Correction, Remedy, remedies
from flare_core.explanation.relax import handles
from flare_core.intent.patch import merged
from flare_core.quantities import Rounding
from tests.refusals import case_of, possible, refused, written
from tests.worlds import Json, World

UP = Rounding.UP
CHUNK, FULL = 15, 150


@pytest.mark.parametrize("chunk", range(4))
def test_what_is_said_of_a_refusal_is_what_exhaustion_says(chunk: int) -> None:
    assert not list(_wrong(range(100 * chunk, 100 * (chunk + 1)), CHUNK))


@pytest.mark.t1
@pytest.mark.parametrize("chunk", range(8))
def test_what_is_said_of_twelve_hundred_refusals_is_what_exhaustion_says(chunk: int) -> None:
    """V10 at its full figure."""
    assert not list(_wrong(range(1000 * chunk, 1000 * (chunk + 1)), FULL))


def _wrong(seeds: Iterable[int], number: int) -> Iterator[str]:
    worlds = list(islice(refused(seeds), number))
    if len(worlds) < number:
        yield f"only {len(worlds)} refusals"
    for seed, world in worlds:
        case, space = case_of(world)
        found = reasons(space)
        made = tuple(remedies(case, space, found.ways_out))
        for text in (*_reasons(case, world, found), *_remedies(world, found, made)):
            yield f"{seed}: {text}"


def _reasons(case: Case, world: World, found: Reasons) -> Iterator[str]:
    every = {handle.path for handle in handles(case.needs)}
    if not found.conflicts and possible(world, every):
        yield "no conflict"
    for kept in found.conflicts:
        if possible(world, every.difference(kept)):
            yield f"{kept} is no conflict"
        for path in kept:
            if not possible(world, every.difference(kept) | {path}):
                yield f"{kept} is a conflict without {path}, too"
    for gone in found.ways_out:
        if not possible(world, gone):
            yield f"{gone} is no way out"
        for path in gone:
            if possible(world, set(gone) - {path}):
                yield f"{gone} is a way out without {path}, too"


def _remedies(world: World, found: Reasons, made: Iterable[Remedy]) -> Iterator[str]:
    remedied = {tuple(c.path for c in remedy.corrections) for remedy in made}
    for paths in found.ways_out:
        if len(paths) < 3 and paths not in remedied:
            yield f"nothing is proposed for {paths}"
    for remedy in made:
        if not possible(_patched(world, remedy.patch)):
            yield f"{remedy.patch} does not help"
        if len(remedy.corrections) == 1:
            [correction] = remedy.corrections
            for document in _between(world, correction):
                if possible(replace(world, intents=(document,))):
                    yield f"{correction.text}: less would do: {document}"


def _patched(world: World, patch: Any) -> World:
    document: Any = merged(world.intents[0], patch)
    return replace(world, intents=(document,))


# --- what asks for more than a correction, and less than the intent ---------------------------------


def _between(world: World, correction: Correction) -> Iterator[Json]:
    """Yield intents that give way less at the path of a correction."""
    [intent] = world.intents
    path, needed = correction.path, correction.needed
    if not correction.smallest or needed is None or needed.startswith("the default"):
        return
    if path.endswith(".certifications"):
        held, asked = needed.split(", "), correction.asked.split(", ")
        values: Iterable[object] = map(list, combinations(asked, len(held) + 1))
    elif path.endswith(("providers", "data_residency")):
        column = "provider" if path.endswith("providers") else "country"
        values = _fewer(world, column, correction.asked.split(", "), needed.split(", "))
    elif path.endswith(".count"):
        values = range(int(needed) + 1, int(correction.asked))
    else:
        values = [less(needed) for end, less in _LESS if path.endswith(end)][:1]
    for value in values:
        yield written(intent, path, value)


def _fewer(world: World, column: str, asked: list[str], needed: list[str]) -> Iterator[list[str]]:
    """Yield lists with one name less added, whichever."""
    offered = sorted({offer[column] for offer in world.offers if offer[column]})
    for more in combinations(offered, len(needed) - len(asked) - 1):
        yield [*asked, *more]


_LESS: tuple[tuple[str, Any], ...] = (
    ("deadline", lambda said: q.format_moment(q.parse_moment(said) - timedelta(seconds=1))),
    ("max_hourly_cost", lambda said: q.format_rate(q.parse_rate_ueur_per_h(said, UP) - 1)),
    ("max_total_cost", lambda said: q.format_eur(q.parse_money_ueur(said, UP) - 1)),
    (
        "max_carbon_footprint",
        lambda said: q.format_carbon((round(q.parse_carbon_g_per_h(said) * 1e6) - 1) / 1e6),
    ),
    (".memory", lambda said: q.format_memory(q.parse_memory_mib(said, UP) + 1)),
    (".cpu", lambda said: q.format_cpu(q.parse_cpu_milli(said, UP) + 1)),
    (".cores", lambda said: int(said) + 1),
    ("clock_speed", lambda said: q.format_clock(q.parse_clock_mhz(said) + 0.001)),
    ("compute_capability", lambda said: f"{float(said) + 0.1:.1f}"),
    ("fp32_tflops", lambda said: round(float(said) + 0.001, 9)),
    ("multi_gpu_efficiency", lambda said: round(float(said) + 1e-6, 9)),
    ("min_network_bandwidth", lambda said: q.format_bandwidth(q.parse_bandwidth_gbps(said) + 0.001)),
    ("availability", lambda said: round(q.parse_percent(said) + 1e-6, 9)),
    ("min_uptime_percent", lambda said: round(q.parse_percent(said) + 1e-6, 9)),
    ("max_latency_ms", lambda said: q.parse_latency_ms(said) - 0.001),
    ("max_jitter_ms", lambda said: q.parse_latency_ms(said) - 0.001),
    ("power_usage_effectiveness", lambda said: round(float(said) - 1e-6, 9)),
    ("max_cold_start_time", lambda said: q.format_duration(q.parse_duration_s(said) - 1)),
    ("max_interruption_time", lambda said: q.format_duration(q.parse_duration_s(said) - 1)),
    ("energy_efficiency_rating", lambda said: chr(ord(said) - 1)),
)
"""What asks for the least bit more than a correction, by the end of its path."""
