"""The colours of the drawings: those of the placement explorer."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.text import Text

CHOSEN: Final = "#b93a08"
FITS: Final = "#0b7285"
OUT: Final = "#a3abb5"
LAND: Final = "#e3e7ec"
INK: Final = "#171b21"


def as_written(*texts: "Text") -> None:
    """Show texts as they are: a name may hold what matplotlib would read as mathematics."""
    for text in texts:
        text.set_parse_math(False)
