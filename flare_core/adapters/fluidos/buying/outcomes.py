"""How a step can end other than by being done or by having to wait."""

Capacity = tuple[tuple[str, int | None], ...]


class StepError(Exception):
    """A step that cannot be done, whatever time it is given.

    Parameters
    ----------
    message
        For the user.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ImpossibleError(StepError):
    """The capacity cannot be had: the engine goes on without it.

    Parameters
    ----------
    capacity
        ``(offer, node)``; empty is all that the order asks for.
    sold_twice
        Whether the provider sold what it does not have.
    blame
        Whether the provider failed, rather than having sold it to somebody else.
    """

    def __init__(
        self, message: str, capacity: Capacity = (), *, sold_twice: bool = False, blame: bool = True
    ) -> None:
        super().__init__(message)
        self.capacity = capacity
        self.sold_twice = sold_twice
        self.blame = blame


class LostError(StepError):
    """What was reached is gone again."""


class FailedError(StepError):
    """The workload itself cannot run, or has failed; another provider would not help."""
