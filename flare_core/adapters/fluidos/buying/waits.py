"""What a step waits for."""

from dataclasses import dataclass

from flare_core.adapters.fluidos.buying.outcomes import Capacity


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that is not so yet.

    Attributes
    ----------
    message
        What is waited for, for the user.
    capacity
        What cannot be had if it never comes to be so; empty where that is no matter of capacity.
    sold_twice
        Whether it would mean that the provider sold what it does not have.
    """

    message: str
    capacity: Capacity = ()
    sold_twice: bool = False
