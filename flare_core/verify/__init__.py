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
    rows         tasks, purchase and times of one placement
    preferences  what is missed, and told under ``relaxed``
    prices       rows, sums, budgets, headroom
    figures      latency, throughput, carbon, availability
    capacity     nodes and GPUs, across all intents
    proof        status, objective, bound
    check        verify: one placement after the other, then what they share
"""

from flare_core.verify.check import verify
from flare_core.verify.told import Violation

__all__ = ["Violation", "verify"]
