"""Which server the tests run on."""

from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.doctor import OLDEST


def is_new(cluster: Cluster) -> bool:
    """Whether it is one that the backend is made for; on older ones it does without what they lack."""
    return int(str(cluster.read("/version")["minor"]).rstrip("+")) >= OLDEST[1]
