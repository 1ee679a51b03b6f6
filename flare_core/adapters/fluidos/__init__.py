"""FLUIDOS: reads what its providers offer, buys what the engine chose, runs the workload there.

Usable without the gateway: `backend.FluidosBackend` is a backend like any other, and its rooms stand alone.
"""

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flare_core.adapters.fluidos.backend import FluidosBackend
    from flare_core.adapters.gateway.settings import Settings


def backend_of(settings: "Settings") -> "FluidosBackend":
    """Return the backend that a gateway buys with.

    The cluster is that of the pod's account, $KUBECONFIG or ~/.kube/config; the federation's settings are
    read from variables such as FLARE_FLUIDOS_NAMESPACE.

    Raises
    ------
    ClusterError
        There is no usable kubeconfig.
    FlareError
        A variable holds what is no setting.
    """
    from flare_core.adapters.fluidos.backend import FluidosBackend
    from flare_core.adapters.fluidos.cluster import Cluster
    from flare_core.adapters.fluidos.settings import read_settings

    own = read_settings(os.environ)
    if settings.usd_eur is not None:
        own = replace(own, usd_eur=settings.usd_eur)
    assume = json.loads(settings.assume.read_text()) if settings.assume is not None else None
    return FluidosBackend(Cluster.connect(), own, assume=assume, watches=True)
