"""Drawings of what the library finds, for notebooks and reports; they need the extra ``plot``.

Each function returns a `flare_core.canvas.Drawing`: notebooks show it, `svg` and `png` return its bytes, the
same for the same arguments. Nothing here loads matplotlib before a drawing is asked for its bytes.
"""

from flare_core.frontier.plot import drawn as pareto
from flare_core.placement.gantt import drawn as gantt
from flare_core.plots.charts import allocation, bound, funnel, tuning
from flare_core.plots.maps import place_map
from flare_core.plots.nodes import slots, topology

__all__ = ["allocation", "bound", "funnel", "gantt", "pareto", "place_map", "slots", "topology", "tuning"]
