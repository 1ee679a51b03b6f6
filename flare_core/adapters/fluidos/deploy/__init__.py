"""From a placement to the Kubernetes objects that run it: pure functions, no cluster needed.

::

    objects      all objects of an order, in the order of their creation; what they cannot do
    groups       which tasks run on which virtual node, and what has to be bought for them
    controllers  Deployment, Job, HorizontalPodAutoscaler
    network      Service, Ingress, NetworkPolicy
    pods         the pod of one task
    volumes      claims, room on the node, shared memory
    commands     commands in a form that really runs
"""

from flare_core.adapters.fluidos.deploy.groups import demand
from flare_core.adapters.fluidos.deploy.network import url
from flare_core.adapters.fluidos.deploy.objects import objects, remarks, secret_names

__all__ = ["demand", "objects", "remarks", "secret_names", "url"]
