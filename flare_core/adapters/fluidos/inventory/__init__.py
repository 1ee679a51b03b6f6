"""What the federation offers; the reading itself is `flare_core.inventory.fluidos`, which knows no cluster.

::

    source     the inventory of a cluster, kept fresh
    discovery  asking the federation anew
    flavor     offers written as flavors
"""

from flare_core.adapters.fluidos.inventory.flavor import flavor_of, flavors_of
from flare_core.adapters.fluidos.inventory.source import Source
from flare_core.inventory.fluidos import Sold

__all__ = ["Sold", "Source", "flavor_of", "flavors_of"]
