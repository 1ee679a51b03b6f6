"""Buying what the engine chose, and giving it back.

::

    ground      one pass over one order: what it is about, and what is known of it
    ensure      creating idempotently: an object of that name is mine, or it is a conflict
    steps/      reserve -> buy -> allocate -> connect -> offload -> run, each with its own deadline
    purchase    takes all steps that can be taken now; a refusal is told only after everything is undone
    undo        the way back, in reverse order, found by label: it needs no memory
    sweep       what no order stands behind any more

Nothing is kept but in the cluster: a step finds what an earlier attempt has made by its deterministic name.
The handle of an order only remembers how far it was, since when it waits, and what was bought.
"""
