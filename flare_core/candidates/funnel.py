"""Counting why offers were removed."""

from collections.abc import Sequence

import numpy as np

from flare_core.candidates.screens import BY_RULE
from flare_core.candidates.types import Funnel, FunnelStep
from flare_core.inventory.types import Mask
from flare_core.requirements.types import Limit


def tally(limits: Sequence[Limit], fails: Sequence[Mask | None], offers: int) -> tuple[Funnel, Mask]:
    """Return the funnel of `limits` in their order, and the offers that none of them removed.

    Parameters
    ----------
    fails
        For each limit the offers that it removes, None for none.
    """
    alive, failed, again = np.ones(offers, np.bool_), np.zeros(offers, np.bool_), np.zeros(offers, np.bool_)
    # The index of the first rule that removes an offer is the number of rules that it survived before.
    assert len(limits) < 127, "more rules than a step counter of eight bits tells apart"
    survived = np.zeros(offers, np.int8)
    left = [offers]
    for mask in fails:
        if mask is not None:
            again |= failed & mask
            failed |= mask
            np.greater(alive, mask, out=alive)  # alive and not removed
        survived += alive.view(np.int8)
        left.append(int(np.count_nonzero(alive)) if mask is not None else left[-1])
    steps = tuple(
        _step(limit, mask, again, first=before - after)
        for limit, mask, before, after in zip(limits, fails, left[:-1], left[1:], strict=True)
    )
    survived[alive] = -1
    first_reason = survived.astype(np.int16)
    first_reason.setflags(write=False)
    return Funnel(offers=offers, accepted=left[-1], steps=steps, first_reason=first_reason), alive


def _step(limit: Limit, mask: Mask | None, again: Mask, first: int) -> FunnelStep:
    alone = 0 if mask is None else int(np.count_nonzero(mask))
    return FunnelStep(
        path=limit.path,
        rule=limit.rule,
        topic=limit.topic,
        unit=limit.unit,
        asked=BY_RULE[limit.rule].says(limit),
        alone=alone,
        first=first,
        only=alone - int(np.count_nonzero(mask & again)) if mask is not None and alone else 0,
    )
