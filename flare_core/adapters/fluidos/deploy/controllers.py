"""What keeps the pods running: a Deployment for a service, an indexed Job for what ends."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.deploy.groups import Group, Ordered
from flare_core.adapters.fluidos.deploy.pods import pod_labels, template

if TYPE_CHECKING:
    from flare_core.adapters.fluidos.settings import FluidosSettings

Json = dict[str, Any]

MOST: Final = 2**31 - 1
"""What Kubernetes counts in."""
_LONGEST_JOB: Final = 52
"""Of 63 characters of a host name, so that a pod's number fits behind."""


def controller_name(order: Ordered, group: Group, together: int) -> str:
    """Return the name of a group's Deployment or Job; the workload's own where there is one group."""
    number = [str(group.number)] if together > 1 else []
    return names.name(order.intent.workload.name, *number, limit=_LONGEST_JOB)


def deployment(order: Ordered, group: Group, settings: "FluidosSettings") -> Json:
    """Return the spec of a Deployment: as many replicas as were placed on its node.

    What was bought holds no replica more, so a new version takes the place of an old pod, one by one.
    """
    return {
        "replicas": group.tasks,
        "selector": {"matchLabels": pod_labels(order, group)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        "progressDeadlineSeconds": min(MOST, round(settings.deadlines.start_s)),
        "template": template(order, group, settings),
    }


def job(order: Ordered, every: Sequence[Group], group: Group, settings: "FluidosSettings") -> Json:
    """Return the spec of an indexed Job: a task for each index, as many at once as were planned.

    ``timeout`` ends a task, the end of the plan the whole Job. A batch's tasks are retried one by one, a
    job's together. With ``completion_policy`` ``Any`` the first task that succeeds makes the Job succeed.
    """
    wanted = order.intent.workload.job
    retries = wanted.max_retries
    batch = order.intent.workload.type == "batch"
    spec: Json = {
        "completionMode": "Indexed",
        "completions": group.tasks,
        "parallelism": group.at_once,
        "backoffLimit": min(MOST, retries * group.tasks) if batch else retries,
    }
    if batch:
        spec["backoffLimitPerIndex"] = retries
    if group.length_s is not None:
        spec["activeDeadlineSeconds"] = group.length_s
    if wanted.completion_policy == "Any":
        spec["successPolicy"] = {"rules": [{"succeededCount": 1}]}
    pod: Json = {"restartPolicy": "Never"}
    if wanted.timeout is not None:
        pod["activeDeadlineSeconds"] = wanted.timeout
    if is_gang(order, every):
        pod["subdomain"] = service_name(order)
    spec["template"] = template(order, group, settings, env=_whereabouts(order, every, group), **pod)
    return spec


def is_gang(order: Ordered, every: Sequence[Group]) -> bool:
    """Whether the tasks have to find one another."""
    return order.intent.workload.type == "job" and sum(group.tasks for group in every) > 1


def service_name(order: Ordered) -> str:
    """Return the name of the workload's Service, which has to begin with a letter (RFC 1035)."""
    own = order.intent.workload.name
    return own if own[0].isalpha() else names.name("w", own)


def _whereabouts(order: Ordered, every: Sequence[Group], group: Group) -> dict[str, str]:
    """Return what tells a task which of all it is: ``JOB_COMPLETION_INDEX`` counts within its Job alone."""
    told = {
        "FLARE_TASKS": str(sum(each.tasks for each in every)),
        "FLARE_TASK_OFFSET": str(sum(each.tasks for each in every[: group.number])),
    }
    if is_gang(order, every):
        first = controller_name(order, every[0], len(every))
        told["FLARE_TASK_ZERO"] = f"{first}-0.{service_name(order)}"
    return told


def autoscaler(
    order: Ordered, every: Sequence[Group], group: Group, settings: "FluidosSettings"
) -> Json | None:
    """Return the spec of a HorizontalPodAutoscaler; None where nothing is to be scaled, or by nothing.

    What the replicas may grow by is dealt out to the groups, the first ones getting one more.
    """
    workload = order.intent.workload
    scaling = workload.scaling
    metrics = _metrics(order, settings)
    if workload.type != "service" or not scaling.auto_scale or not metrics:
        return None
    more, odd = divmod(max(0, scaling.max_replicas - sum(each.tasks for each in every)), len(every))
    return {
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": controller_name(order, group, len(every)),
        },
        "minReplicas": group.tasks,
        "maxReplicas": group.tasks + more + (group.number < odd),
        "metrics": metrics,
    }


def _metrics(order: Ordered, settings: "FluidosSettings") -> list[Json]:
    workload = order.intent.workload
    found: list[Json] = []
    if workload.resources.cpu:  # a share of what is asked for: of nothing there is none
        target = {"type": "Utilization", "averageUtilization": workload.scaling.target_cpu_percent}
        found.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    if workload.resources.gpus and settings.gpu_metric:
        target = {"type": "AverageValue", "averageValue": str(workload.scaling.target_gpu_percent)}
        found.append({"type": "Pods", "pods": {"metric": {"name": settings.gpu_metric}, "target": target}})
    return found
