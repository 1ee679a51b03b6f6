"""Bound and gap while the solver works, and Ctrl-C to be content with the best plan so far."""

import sys
from concurrent.futures import Future
from dataclasses import replace
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Final

from flare_core.adapters.cli.output import console_of, note

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.text import Text

    from flare_core import Options, Plan, Progress

PATIENCE_S: Final = 0.25
"""Most searches are over before anything need be shown."""


class Watcher:
    """The latest figures of a running search, drawn as one line."""

    def __init__(self) -> None:
        self._latest: Progress | None = None
        self._started = monotonic()

    def tell(self, progress: "Progress") -> None:
        """Take new figures, from the solver's thread."""
        self._latest = progress

    def __rich__(self) -> "Text":
        from rich.text import Text

        return Text(line_of(self._latest, monotonic() - self._started), no_wrap=True, overflow="ellipsis")


def line_of(progress: "Progress | None", seconds: float) -> str:
    """Return what is known after `seconds`, for people."""
    parts = [f"solving {seconds:.1f} s"]
    if progress is not None:
        figures = (("best", progress.incumbent), ("bound", progress.bound))
        parts += [f"{name} {value:,.6g}" for name, value in figures if value is not None]
        parts += [] if progress.gap is None else [f"gap {100 * progress.gap:.2f} %"]
    return " · ".join((*parts, "Ctrl-C: stop with the best so far"))


def watched(solve: "Callable[[Options], Plan]", options: "Options", live: bool) -> "Plan":
    """Run `solve` where Ctrl-C can end it, and show how it goes if standard error is a terminal.

    The solver works in a thread of its own, because Python hands Ctrl-C to the main thread alone.
    """
    from flare_core import Cancellation

    watcher, cancellation, console = Watcher(), Cancellation(), console_of(sys.stderr)
    shown = live and console.is_terminal
    given = replace(options, cancellation=cancellation, on_progress=watcher.tell if shown else None)
    future: Future[Plan] = Future()
    Thread(target=_run, args=(future, solve, given), daemon=True).start()
    try:
        return _shown(future, watcher, console) if shown else future.result()
    except KeyboardInterrupt:
        note("stopping; what follows is the best plan so far")
        cancellation.cancel()
        return future.result()


def _run(future: "Future[Plan]", solve: "Callable[[Options], Plan]", options: "Options") -> None:
    try:
        future.set_result(solve(options))
    except BaseException as error:  # handed over, whatever it is
        future.set_exception(error)


def _shown(future: "Future[Plan]", watcher: Watcher, console: "Console") -> "Plan":
    """Wait for the plan, showing how the search goes once it takes longer than most."""
    from rich.live import Live

    try:
        return future.result(PATIENCE_S)
    except TimeoutError:
        with Live(watcher, console=console, transient=True, refresh_per_second=8):
            return future.result()
