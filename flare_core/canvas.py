"""A drawing, made when it is asked for: SVG or PNG by matplotlib, the same bytes for the same drawing."""

import warnings
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import IO, TYPE_CHECKING, Any

from flare_core.errors import OptionsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Drawing:
    """What `draw` puts into a figure. Notebooks show it.

    Attributes
    ----------
    draw
        Fills an empty figure.
    width, height
        Inches.
    name
        What is drawn, for the error that matplotlib is not installed.
    """

    draw: "Callable[[Figure], None]"
    width: float
    height: float
    name: str = "plot"

    def svg(self) -> str:
        """Return an SVG document, the same for the same drawing.

        Raises
        ------
        OptionsError
            Where the extra ``plot`` is not installed.
        """
        text = StringIO()
        self._save(text, format="svg", metadata={"Date": None, "Creator": None})
        return text.getvalue()

    def png(self, dpi: int = 150) -> bytes:
        """Return a PNG image, the same for the same drawing; `dpi` is dots per inch.

        Raises
        ------
        OptionsError
            Where the extra ``plot`` is not installed.
        """
        image = BytesIO()
        self._save(image, format="png", dpi=dpi, metadata={"Software": None})
        return image.getvalue()

    def _repr_svg_(self) -> str:
        return self.svg()

    def _save(self, target: "IO[Any]", **how: Any) -> None:
        try:
            import matplotlib as mpl
            from matplotlib.figure import Figure
        except ImportError:
            message = "drawing needs matplotlib: install flare-core with the extra 'plot'"
            raise OptionsError(self.name, message) from None
        with mpl.rc_context(), warnings.catch_warnings():
            mpl.rcdefaults()
            # No random ids, and text as text; a fixed font: what a reader has set up changes nothing.
            mpl.rcParams.update(
                {"svg.hashsalt": "flare", "svg.fonttype": "none", "font.family": "DejaVu Sans"}
            )
            # Text is laid out even where the font lacks some of its characters.
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
            figure = Figure(figsize=(self.width, self.height), layout="constrained")
            self.draw(figure)
            figure.savefig(target, **how)
