"""Thousands of tasks, a stream of them, fleets of tens of thousands of nodes: columns instead of objects.

What every module here speaks of is in `flare_core.scale.fleet`: a `Fleet` of nodes, `Classes` of equal tasks,
the `State` of what is free, and `Seats`, which say where tasks sit.
"""
