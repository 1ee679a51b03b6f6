"""How each constraint can ask for less: what could be written instead, the smallest change first.

An amount gives way to the next one (`amounts`), a name to other names, a place to one country or region more
(`names`). Everything can be given up altogether, but for limits that have a default and no "none": these go
to `ladder.UNLIMITED`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from flare_core import quantities as q
from flare_core.candidates.times import ends
from flare_core.explanation import amounts, names
from flare_core.explanation.case import Case, Values
from flare_core.explanation.feasible import Space
from flare_core.explanation.ladder import AVAILABILITY, Ladder, Step, Way, given_up, limit_at
from flare_core.explanation.relax import COUNT, GPU, SPOT
from flare_core.requirements.types import Workload

DEADLINE = "constraints.deadline"
TOTAL = "constraints.max_total_cost"


def ladder(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return the ways to ask for less at `path`.

    Parameters
    ----------
    beside
        What is written at other paths.
    """
    special = _BY_PATH.get(path)
    if special is not None:
        return special(case, space, path, beside)
    return _BY_RULE.get(limit_at(case, path).rule, given_up)(case, space, path, beside)


def _deadline(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    """Return when the work could end; the default length where the deadline was it."""
    needs = case.needs
    if needs.workload is Workload.SERVICE:
        return Ladder((None,), lambda _: Step(None, {path: None, TOTAL: None}))
    if not needs.length_s or needs.end is None:
        return given_up(case, space, path, beside)
    asked = int(needs.deadline.timestamp()) if needs.deadline else 0
    later = [datetime.fromtimestamp(end, UTC) for end in ends(needs, case.inventory) if end > asked]
    moments = [q.format_moment(moment) for moment in later]
    return Ladder(moments, lambda moment: Step(moment, {path: moment}), ordered=True)


def _spot(case: Case, space: Space, path: str, beside: Values) -> Ladder:
    return Ladder((True,), lambda allowed: Step("allowed", {path: allowed}))


_BY_PATH: Mapping[str, Way] = MappingProxyType(
    {
        COUNT: amounts.count,
        SPOT: _spot,
        AVAILABILITY: amounts.availability,
        "workload.storage.volumes": amounts.volumes,
        "constraints.location": names.location,
        DEADLINE: _deadline,
        f"{GPU}.interconnect": names.interconnect,
        "constraints.security.network_isolation": given_up,
    }
)

_BY_RULE: Mapping[str, Way] = MappingProxyType(
    {
        "at-least": amounts.least,
        "at-most": amounts.most,
        "cpu": amounts.whole,
        "memory": amounts.whole,
        "efficiency": amounts.efficiency,
        "is": names.instead,
        "one-of": names.more,
        "place": names.more,
        "certified": names.certificates,
        "rating": names.ratings,
    }
)
