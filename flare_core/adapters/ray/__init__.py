"""Works on the parts of a batch as tasks of Ray, on this machine or on those of a cluster; the extra ``ray``.

::

    from flare_core.adapters.ray import Ray
    from flare_core.scale.batch import batch

    found = batch(fleet, classes, tasks, executor=Ray("ray://head:10001"))
"""

from flare_core.adapters.ray.tasks import Ray

__all__ = ["Ray"]
