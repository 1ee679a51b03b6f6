"""What a run on spot costs on average, where it may be interrupted, as a multiple of one that is not.

An offer says which part ``p`` of its instances is interrupted within a month, as AWS tells for its own
(https://aws.amazon.com/ec2/spot/instance-advisor/, "frequency of interruption": capacity reclaimed during the
trailing month). Interruptions come at a constant rate, ``r = -ln(1 - p) / 30 days``. Each loses what was done
since the last checkpoint and takes a start ``R`` (the cold start) before work goes on, so ``L`` seconds of
work in pieces of ``T`` take on average::

    E = (1 / r + R) * (exp(r * T) - 1) * L / T

with ``T = L`` where nothing is kept and `CHECKPOINT_S` with ``backup_strategy: "checkpoint"`` (J. T. Daly, "A
higher order estimate of the optimum checkpoint interval for restart dumps", Future Generation Computer
Systems 22, 2006, https://doi.org/10.1016/j.future.2004.11.016; writing a checkpoint takes no time here). A
task is started again at most ``max_retries`` times, so it never takes longer than `longest_s`.

An unknown rate counts as none.
"""

from typing import Final

import numpy as np

from flare_core.inventory.types import FloatArray, IntArray, Inventory
from flare_core.requirements.types import Requirements, Workload

MONTH_S: Final = 30 * 86_400
CHECKPOINT_S: Final = 3_600
"""Time between two checkpoints: nobody says it, and an hour is the usual default of batch systems."""

_MOST = 600.0  # an exponential that is far beyond all retries, and still a float when multiplied


def expected(needs: Requirements, inventory: Inventory, rows: IntArray) -> FloatArray:
    """Return how many times the undisturbed run a run on spot is expected to take, at least 1."""
    length = needs.length_s
    if needs.workload is Workload.SERVICE or not length or length <= 0:
        return np.ones(len(rows))
    rate, restart = _rate(inventory, rows), _restart_s(inventory, rows)
    piece = _piece_s(needs, length)
    with np.errstate(divide="ignore", invalid="ignore"):
        took = (1 / rate + restart) * np.expm1(np.minimum(rate * piece, _MOST)) * length / piece
    took = np.where(rate > 0, took, float(length))
    result: FloatArray = np.minimum(took, longest_s(needs, inventory, rows)) / length
    return np.maximum(result, 1.0)


def longest_s(needs: Requirements, inventory: Inventory, rows: IntArray) -> FloatArray:
    """Return how long a task takes at most, with all its retries, seconds; of a job or batch."""
    length = needs.length_s or 0
    again = _piece_s(needs, length) + _restart_s(inventory, rows)
    return length + needs.retries * again


def may_be_interrupted(inventory: Inventory, rows: IntArray) -> FloatArray:
    """Return the part of instances that is interrupted within a month; 0 where it is unknown."""
    return np.nan_to_num(inventory.number["interruption_percent"][rows] / 100, nan=0.0)


def _rate(inventory: Inventory, rows: IntArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        rate: FloatArray = -np.log1p(-np.minimum(may_be_interrupted(inventory, rows), 1.0)) / MONTH_S
    return rate


def _restart_s(inventory: Inventory, rows: IntArray) -> FloatArray:
    return np.nan_to_num(inventory.number["cold_start_s"][rows], nan=0.0)


def _piece_s(needs: Requirements, length: int) -> int:
    return min(CHECKPOINT_S, length) if needs.checkpoints else length
