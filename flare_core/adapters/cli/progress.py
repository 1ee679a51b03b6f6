"""Bound and gap while the solver works, and Ctrl-C to be content with the best plan so far."""

import sys
from concurrent.futures import Future
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING, Final

from flare_core.adapters.cli.output import console_of, note

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.live import Live

    from flare_core import Options, Plan, Progress

PATIENCE_S: Final = 0.25
"""Most searches are over before anything need be shown."""


class Watcher:
    """The latest figures of a running search, drawn as one line."""

    def __init__(self) -> None:
        self._latest: Progress | None = None

    def tell(self, progress: "Progress") -> None:
        """Take new figures, from the solver's thread."""
        self._latest = progress

    def __rich__(self) -> str:
        return line_of(self._latest)


def line_of(progress: "Progress | None") -> str:
    """Return what is known so far, for people."""
    parts = ["solving"]
    if progress is not None:
        figures = (("best", progress.incumbent), ("bound", progress.bound))
        parts += [f"{name} {value:,.6g}" for name, value in figures if value is not None]
        parts += [] if progress.gap is None else [f"gap {100 * progress.gap:.2f} %"]
        parts += [f"{progress.time_s:.1f} s"]
    return " · ".join((*parts, "Ctrl-C takes the best so far"))


def watched(solve: "Callable[[Options], Plan]", options: "Options", live: bool) -> "Plan":
    """Run `solve` where Ctrl-C can end it, and show how it goes if standard error is a terminal.

    The solver works in a thread of its own, because Python hands Ctrl-C to the main thread alone.
    """
    from flare_core import Cancellation

    watcher, cancellation = Watcher(), Cancellation()
    console = console_of(sys.stderr)
    shown = live and console.is_terminal
    given = replace(options, cancellation=cancellation, on_progress=watcher.tell if shown else None)
    future: Future[Plan] = Future()
    Thread(target=_run, args=(future, solve, given), daemon=True).start()
    try:
        return _wait(future, _live(watcher) if shown else None)
    except KeyboardInterrupt:
        note("stopping; what follows is the best plan so far")
        cancellation.cancel()
        return future.result()


def _run(future: "Future[Plan]", solve: "Callable[[Options], Plan]", options: "Options") -> None:
    try:
        future.set_result(solve(options))
    except BaseException as error:  # handed over, whatever it is
        future.set_exception(error)


def _wait(future: "Future[Plan]", live: "Live | None") -> "Plan":
    if live is None:
        return future.result()
    try:
        return future.result(PATIENCE_S)
    except TimeoutError:
        if future.done():
            raise
    with live:
        return future.result()


def _live(watcher: Watcher) -> "Live":
    from rich.live import Live

    return Live(watcher, console=console_of(sys.stderr), transient=True, refresh_per_second=8)
