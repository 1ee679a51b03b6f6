"""Which shares a kind of GPU offers, and what each is worth."""

from functools import lru_cache

from flare_core.catalog.gpus import GpuPart, parts_fitting
from flare_core.catalog.mig import core_share, cuts_of, profiles_of
from flare_core.sharing.types import Card, Kind

MILLI = 1000
_SLACK = 1e-9
"""Shares of cores are quotients of whole numbers: what is met exactly must not miss by a rounding."""


@lru_cache(maxsize=1024)
def card_of(
    model: str | None, memory_mib: int | None, strategy: str | None, slots: int | None
) -> Card | None:
    """Return what kind of shareable GPU an offer has.

    Parameters
    ----------
    model, memory_mib
        The offer's GPU; None is unknown. They decide about MIG only.
    strategy, slots
        The offer's ``sharing_strategy`` and ``sharing_slots``.

    Returns
    -------
    Card or None
        None where nothing is shared: fewer than two slots, no MIG, or parts that may be meant are cut
        differently (``nvidia-a100`` alone is 40 or 80 GB).
    """
    if strategy != "mig":
        return Card(slots) if strategy in ("time-slicing", "mps") and slots and slots > 1 else None
    fitting = () if model is None else parts_fitting(model, memory_mib=memory_mib)
    cuts = {cuts_of(part.sku) for part in fitting}
    if len(cuts) != 1 or () in cuts:
        return None
    return Card(0, cuts.pop(), tuple(sorted({_core_shares(part) for part in fitting})))


def _core_shares(part: GpuPart) -> tuple[float, ...]:
    return tuple(core_share(row) for row in profiles_of(part.sku))


def smallest(
    card: Card,
    memory_mib: int | None,
    cores: int | None,
    fp32: float | None,
    card_memory: int | None,
    card_cores: int | None,
    card_fp32: float | None,
) -> Kind | None:
    """Return the smallest share that covers what is asked of it.

    Parameters
    ----------
    memory_mib, cores, fp32
        At least so much memory, cores, TFLOPS; None asks for nothing.
    card_memory, card_cores, card_fp32
        What the whole GPU has; None is unknown and covers nothing that is asked. A MIG profile's memory is
        that of its name.

    Returns
    -------
    int, str or None
        Slots, or the profile with the fewest compute slices, then memory slices, without a media or graphics
        extension. None where no share does, and where that depends on which part it is.
    """
    rated = tuple((ask, whole) for ask, whole in ((cores, card_cores), (fp32, card_fp32)) if ask)
    if card.slots:
        asked = (*rated, (memory_mib, card_memory)) if memory_mib else rated
        counts = range(1, card.slots + 1)
        return next((s for s in counts if _covers(s / card.slots, asked)), None)
    chosen = {_first(card, shares, memory_mib or 0, rated) for shares in card.core_shares}
    return chosen.pop() if len(chosen) == 1 else None


_Asked = tuple[tuple[float, float | None], ...]


def _first(card: Card, shares: tuple[float, ...], memory_mib: int, rated: _Asked) -> str | None:
    serving = (
        cut.name
        for cut, share in zip(card.cuts, shares, strict=True)
        if cut.plain and cut.memory_mib >= memory_mib and _covers(share, rated)
    )
    return next(serving, None)


def _covers(share: float, asked: _Asked) -> bool:
    return all(whole is not None and share * whole >= ask * (1 - _SLACK) for ask, whole in asked)


def fraction(card: Card, kind: Kind) -> tuple[int, int]:
    """Return the part of the GPU that is paid for, as numerator and denominator.

    Slots of all slots; compute slices of the part's compute slices.

    Raises
    ------
    ValueError
        If the card has no such share.
    """
    if isinstance(kind, str):
        return card.cut(kind).compute, card.compute
    if not 0 < kind <= card.slots:
        raise ValueError(f"the card has no share of {kind} slots")
    return kind, card.slots


def milli(card: Card, kind: Kind) -> int:
    """Return the share in thousandths of the GPU, rounded down."""
    part, whole = fraction(card, kind)
    return MILLI * part // whole


def slices(card: Card, kind: Kind) -> tuple[int, int]:
    """Return the compute and memory slices that a share takes; slots count as both."""
    if isinstance(kind, int):
        return kind, kind
    cut = card.cut(kind)
    return cut.compute, cut.memory
