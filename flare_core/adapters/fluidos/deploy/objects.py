"""Everything that runs one order on the virtual nodes bought for it, in the order of its creation."""

from collections.abc import Iterator, Mapping
from typing import Any

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.deploy.controllers import autoscaler, controller_name, deployment, job
from flare_core.adapters.fluidos.deploy.groups import Group, Ordered, groups
from flare_core.adapters.fluidos.deploy.network import hosts_of, ingress, policy, services
from flare_core.adapters.fluidos.deploy.volumes import claims, sources
from flare_core.adapters.fluidos.kinds import (
    AUTOSCALER,
    DEPLOYMENT,
    INGRESS,
    JOB,
    NETWORK_POLICY,
    SERVICE,
    VOLUME_CLAIM,
    Kind,
)
from flare_core.adapters.fluidos.settings import FluidosSettings

Json = dict[str, Any]


def objects(
    order: Ordered,
    nodes: Mapping[str, str],
    *,
    namespace: str,
    settings: FluidosSettings | None = None,
    slots: Mapping[str, int] | None = None,
) -> tuple[Json, ...]:
    """Return the objects of an order's workload, all of one namespace.

    Parameters
    ----------
    nodes
        Names of the virtual nodes by the plan's nodes, see `names.node_key`.
    namespace
        Where they go; it is offloaded before they are created.
    slots
        Slots of one GPU by offer, where it shares GPUs by time-slicing or MPS.

    Raises
    ------
    KeyError
        If `nodes` lacks a node of the plan.
    """
    settings = settings or FluidosSettings()
    every = groups(order, nodes, slots)
    bodies = [
        *_network(order, every, settings),
        *(
            (VOLUME_CLAIM, claim["name"], claim["spec"])
            for group in every
            for claim in claims(order, group, settings)
        ),
        *_controllers(order, every, settings),
    ]
    annotations = {INGRESS: dict(settings.ingress_annotations)}
    annotations |= dict.fromkeys((DEPLOYMENT, JOB), sources(order))
    return tuple(
        _object(order, kind, name, spec, namespace, annotations.get(kind, {})) for kind, name, spec in bodies
    )


def remarks(order: Ordered, settings: FluidosSettings | None = None) -> tuple[str, ...]:
    """Return what the objects cannot do of what the intent asks, one sentence each."""
    settings, workload = settings or FluidosSettings(), order.intent.workload
    every = groups(order)
    said = [
        f"the content of volume {volume.name!r} is not fetched from its source: whatever fills it finds "
        f"the source in the annotation flare.io/volume-sources"
        for volume in workload.storage.volumes
        if volume.source is not None
    ]
    if order.intent.constraints.security.firewall_rules:
        said.append(
            "the firewall rules hold in the consumer's cluster: Liqo carries no NetworkPolicy to the provider"
        )
    scaling = workload.scaling
    if workload.type == "service" and scaling.auto_scale:
        if autoscaler(order, every, every[0], settings) is None:
            said.append("nothing tells how busy the replicas are: they are not scaled")
        elif scaling.max_replicas > scaling.min_replicas:
            said.append(
                f"replicas beyond {scaling.min_replicas} wait for capacity, which is not bought ahead"
            )
        if workload.resources.gpus and not settings.gpu_metric:
            said.append("target_gpu_percent has no effect: no metric tells the use of GPUs")
    hosts = {(rule.port, rule.protocol) for rule, _ in hosts_of(order, settings)}
    said += [
        f"port {rule.port} of {rule.protocol} is exposed by a load balancer, without its domain"
        for rule in workload.ports
        if rule.expose and rule.domain is not None and (rule.port, rule.protocol) not in hosts
    ]
    return tuple(said)


def secret_names(order: Ordered) -> tuple[str, ...]:
    """Return the platform's secrets that the workload needs, sorted."""
    workload = order.intent.workload
    credentials = (v.source.credentials for v in workload.storage.volumes if v.source is not None)
    return tuple(sorted({*(secret.name for secret in workload.secrets), *credentials}))


def _network(
    order: Ordered, every: tuple[Group, ...], settings: FluidosSettings
) -> Iterator[tuple[Kind, str, Json]]:
    """Yield what has to be there before the first packet: first of all what keeps packets out."""
    own = order.intent.workload.name
    if (rules := policy(order)) is not None:
        yield NETWORK_POLICY, own, rules
    for service in services(order, every, settings):
        yield SERVICE, service["name"], service["spec"]
    if (entrance := ingress(order, settings)) is not None:
        yield INGRESS, own, entrance


def _controllers(
    order: Ordered, every: tuple[Group, ...], settings: FluidosSettings
) -> Iterator[tuple[Kind, str, Json]]:
    for group in every:
        name = controller_name(order, group, len(every))
        if order.intent.workload.type != "service":
            yield JOB, name, job(order, every, group, settings)
            continue
        yield DEPLOYMENT, name, deployment(order, group, settings)
        if (scaler := autoscaler(order, every, group, settings)) is not None:
            yield AUTOSCALER, name, scaler


def _object(
    order: Ordered, kind: Kind, name: str, spec: Json, namespace: str, annotations: Mapping[str, str]
) -> Json:
    metadata: Json = {"name": name, "namespace": namespace, "labels": names.labels(order)}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": spec}
