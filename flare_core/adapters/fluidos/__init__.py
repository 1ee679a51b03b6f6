"""FLUIDOS: reads what its providers offer, buys what the engine chose, runs the workload there.

Usable without the gateway: `backend.FluidosBackend` is a backend like any other, and its rooms stand alone.
"""
