"""The independent checker of plans.

It reads the plan's document as a person would who has only the meaning of the fields at hand, and holds it
against the intents and the inventory. Every rule is written anew, in the most direct form, over the few
offers that the plan uses: exact whole numbers and fractions for money, time and probabilities. It imports
documents, catalog facts and quantities, and nothing that takes part in finding a plan, so that a mistake
there is seen here.

::

    told         the plan's document, read
    offers       what one used offer says, and the rules that an intent has for it
    calendar     maintenance and opening hours of an offer
    shares       which part of each GPU a task is due
    rows         tasks, purchase and times of one placement
    links        how the GPUs of a node are linked
    shapes       whether a set of them is a ring, a mesh, a clique
    fabric       how far apart the nodes of a gang lie
    terms        what gave way in negotiation, and the intent as it then stands
    preferences  what is missed, and told under ``relaxed``
    efficiency   what GPUs, and nodes, keep of their throughput
    prices       rows, sums, budgets, headroom
    figures      latency, throughput, carbon, availability
    instances    which MIG instances fit on one GPU
    gpus         what each GPU of a node holds
    capacity     nodes, across all intents
    stays        whether placements have room in an inventory that has changed
    proof        status, objective, bound
    check        verify: one placement after the other, then what they share
"""

from flare_core.verify.check import verify
from flare_core.verify.told import Violation

__all__ = ["Violation", "verify"]
