"""Draw the picture of README: the plan of the page on jobs that take turns.

::

    python docs/picture.py          # writes docs/turns.svg
"""

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE, PICTURE = HERE / "how-to" / "turns.md", HERE / "turns.svg"
CELL = re.compile(r"```\{code-cell\} ipython3\n(.*?)```", re.DOTALL)


def drawn() -> str:
    """Run the cells of the page up to its drawing, and return that."""
    known: dict[str, object] = {}
    for cell in CELL.findall(PAGE.read_text(encoding="utf-8")):
        if "SVG" in cell:
            break
        exec(cell, known)  # noqa: S102  # the page's own example
    svg: str = known["plan"].svg()  # type: ignore[attr-defined]  # a plan
    return svg


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
