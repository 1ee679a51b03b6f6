"""Standard output and exit statuses.

======  ===============================================
status  meaning
======  ===============================================
0       every intent is placed
1       internal error: a bug in FLARE
2       the input is wrong
3       at least one intent is rejected or queued
4       otherwise, of at least one intent nothing is known
======  ===============================================
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from flare_core import Plan

PLACED: Final = 0
INTERNAL: Final = 1
WRONG_INPUT: Final = 2
REFUSED: Final = 3
UNKNOWN: Final = 4

PIPE_WIDTH: Final = 110
"""Columns where the output goes to no terminal and COLUMNS is not set."""


def status_of(plan: "Plan") -> int:
    """Return the exit status that tells what became of a plan's intents."""
    became = {placement.status.value for placement in plan.placements}
    if became & {"rejected", "queued"}:
        return REFUSED
    return UNKNOWN if "unknown" in became else PLACED


def emit_json(document: object) -> None:
    """Write one JSON document and nothing else."""
    emit(json.dumps(document, indent=2, allow_nan=False) + "\n")


def emit_drawn(*parts: "RenderableType") -> None:
    """Draw for people: with colour on a terminal only, and as wide as that is."""
    console = console_of(sys.stdout)
    with console.capture() as drawn:
        for part in parts:
            console.print(part)
    emit("\n".join(line.rstrip() for line in drawn.get().splitlines()) + "\n")


def write_drawing(option: str, path: str, text: str) -> None:
    """Write a drawing into the file that an option names."""
    from flare_core.errors import OptionsError

    try:
        Path(path).write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no path"
        raise OptionsError(option, f"cannot write {path} ({reason})") from None


def console_of(stream: TextIO) -> "Console":
    """Return a console that takes text as it is: no markup, no emoji, no guessing of colours."""
    from rich.console import Console

    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def emit(text: str) -> None:
    """Write to standard output; a reader that has gone away has seen what it wanted."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end, and must not stumble there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(text: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(f"flare: {clean(text)}\n")


def clean(text: str) -> str:
    """Return `text` on one line and without what could steer a terminal: names are other people's."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split("\n")))


def refusal(code: str, message: str, path: str) -> dict[str, str]:
    """Return the document of an error."""
    return {"status": "error", "error_code": code, "message": message, "path": path}
