"""Published instances with a known optimum: items of a bin packing are jobs, bins are GPUs until a deadline.

Source: E. Falkenauer, "A hybrid grouping genetic algorithm for bin packing", Journal of Heuristics 2 (1996)
5-30: uniform sizes 20 to 100, bins of 150; as the first file of bin packing in J. E. Beasley's OR-Library has
them (binpack1, https://people.brunel.ac.uk/~mastjjb/jeb/orlib/binpackinfo.html), with the fewest bins.
"""

from collections.abc import Mapping

CAPACITY = 150

FALKENAUER: Mapping[str, tuple[int, str]] = {
    "u120_01": (
        49,
        "97 57 81 62 75 81 23 43 50 38 60 58 70 88 36 90 37 45 45 39 44 53 70 24 82 81 47 97 35 65 "
        "74 68 49 55 52 94 95 29 99 20 22 25 49 46 98 59 98 60 23 72 33 98 80 95 78 57 67 53 47 53 "
        "36 38 92 30 80 32 97 39 80 72 55 41 60 67 53 65 95 20 66 78 98 47 100 85 53 53 67 27 22 61 "
        "43 52 76 64 61 29 30 46 79 66 27 79 98 90 22 75 57 67 36 70 99 48 43 45 71 100 88 48 27 39",
    ),
    "u120_05": (
        48,
        "26 25 67 77 67 79 47 84 50 21 87 83 44 88 78 53 78 37 47 52 32 88 85 82 55 41 60 66 78 72 "
        "34 64 20 60 100 62 80 34 68 38 32 32 37 82 98 90 58 97 56 34 70 39 56 69 36 20 99 84 53 27 "
        "88 53 42 45 42 31 54 60 55 27 36 31 39 91 45 97 26 80 41 56 70 97 48 87 23 32 75 100 97 51 "
        "78 78 21 72 72 79 46 30 48 27 95 48 67 58 46 92 21 82 91 40 56 24 94 44 91 92 81 24 84 44",
    ),
}
"""Fewest bins and sizes, by name."""
