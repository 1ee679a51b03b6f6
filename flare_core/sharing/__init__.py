"""Parts of GPUs: slots of time-slicing and MPS, MIG instances with their start slots.

`types` says what a shareable GPU is, `states` what one can still take, `nodes` what the GPUs of a node take
together and where.
"""
