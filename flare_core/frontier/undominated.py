"""Which of many rows of numbers no other row beats: smaller is better in every column."""

from bisect import bisect_right

import numpy as np

from flare_core.inventory.types import IntArray, Mask


def undominated(rows: IntArray) -> Mask:
    """Return the rows that no other is at least as good as in all columns and better in one; equals stay."""
    order = np.lexsort(rows.T[::-1])
    ranked = rows[order]
    begins = begins_of(ranked)
    kept = _ahead(ranked[begins])
    result = np.zeros(len(rows), np.bool_)
    result[order] = kept[np.cumsum(begins) - 1]
    return result


def begins_of(ranked: IntArray) -> Mask:
    """Return where runs of equal rows begin."""
    begins = np.ones(len(ranked), np.bool_)
    begins[1:] = (ranked[1:] != ranked[:-1]).any(axis=1)
    return begins


def _ahead(ranked: IntArray) -> Mask:
    """Return which of different rows in ascending order no earlier one dominates."""
    kept = np.zeros(len(ranked), np.bool_)
    if ranked.shape[1] == 1:
        kept[:1] = True
    elif ranked.shape[1] == 2:
        kept[:1] = True
        kept[1:] = ranked[1:, 1] < np.minimum.accumulate(ranked[:, 1])[:-1]
    elif ranked.shape[1] == 3:
        _climb(ranked[:, 1:].tolist(), kept)
    else:
        left = np.arange(len(ranked))
        while len(left):
            first, left = left[0], left[1:]
            kept[first] = True
            left = left[(ranked[left] < ranked[first]).any(axis=1)]
    return kept


def _climb(pairs: list[list[int]], kept: Mask) -> None:
    """Mark the pairs that no earlier one dominates; those seen so far are a staircase."""
    firsts: list[int] = []
    seconds: list[int] = []
    for number, (first, second) in enumerate(pairs):
        at = bisect_right(firsts, first)
        if at and seconds[at - 1] <= second:
            continue
        kept[number] = True
        end = at
        while end < len(seconds) and seconds[end] >= second:
            end += 1
        firsts[at:end], seconds[at:end] = [first], [second]
