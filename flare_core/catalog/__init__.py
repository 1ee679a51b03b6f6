"""Facts, each with its source: GPUs, MIG profiles, regions and countries, providers.

The tables lie in ``data/`` beside this file (origin and licence in ``data/README.md``), are read on
first use and kept. Nothing here guesses: what no source states is ``None``.
"""
