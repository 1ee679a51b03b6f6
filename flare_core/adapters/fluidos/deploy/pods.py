"""The pod of one task: container, resources, volumes, and the virtual node it belongs on."""

from typing import TYPE_CHECKING, Any, Final

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.deploy.commands import command, literal
from flare_core.adapters.fluidos.deploy.groups import Group, Ordered, task_resources
from flare_core.adapters.fluidos.deploy.volumes import mounts, pod_volumes, sources

if TYPE_CHECKING:
    from flare_core.adapters.fluidos.settings import FluidosSettings

Json = dict[str, Any]

HOSTNAME: Final = "kubernetes.io/hostname"
TAINT: Final = "virtual-node.liqo.io/not-allowed"


def pod_labels(order: Ordered, group: Group) -> dict[str, str]:
    """Return the labels by which an object's own pods are found."""
    return {names.ORDER: names.label_value(order.key), names.GROUP: str(group.number)}


def template(
    order: Ordered,
    group: Group,
    settings: "FluidosSettings",
    *,
    env: dict[str, str] | None = None,
    **spec: Any,
) -> Json:
    """Return the template of a group's pods.

    Parameters
    ----------
    env
        Further variables; what the intent sets goes before them.
    **spec
        Further fields of the pod's spec.
    """
    metadata: Json = {"labels": {**names.labels(order), **pod_labels(order, group)}}
    if told := sources(order):
        metadata["annotations"] = told
    secrets = [{"name": secret} for secret in settings.image_pull_secrets]
    volumes = pod_volumes(order, group)
    return {
        "metadata": metadata,
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "nodeSelector": {HOSTNAME: group.node},
            # Liqo's webhook adds this, too, once it has seen the namespace.
            "tolerations": [{"key": TAINT, "operator": "Exists", "effect": "NoExecute"}],
            **({"imagePullSecrets": secrets} if secrets else {}),
            "containers": [_container(order, group, env or {})],
            **({"volumes": volumes} if volumes else {}),
            **spec,
        },
    }


def _container(order: Ordered, group: Group, env: dict[str, str]) -> Json:
    workload, asked = order.intent.workload, task_resources(order, group)
    optional: Json = {
        "command": command(workload.commands),
        "env": _environment(order, env),
        "ports": [
            {
                "name": f"{rule.protocol.lower()}-{rule.port}",
                "containerPort": rule.port,
                "protocol": rule.protocol,
            }
            for rule in workload.ports
        ],
        "resources": {"requests": asked, "limits": dict(asked)} if asked else {},
        "volumeMounts": mounts(order),
    }
    filled = {field: value for field, value in optional.items() if value}
    return {"name": workload.name, "image": workload.image, **filled}


def _environment(order: Ordered, more: dict[str, str]) -> list[Json]:
    """Return the variables: of a secret its name and key, never its value."""
    workload = order.intent.workload
    own = [entry.partition("=") for entry in workload.env]
    taken = {key for key, _, _ in own} | {secret.env for secret in workload.secrets}
    return [
        *({"name": key, "value": value} for key, value in more.items() if key not in taken),
        *({"name": key, "value": literal(value)} for key, _, value in own),
        *(
            {
                "name": secret.env,
                "valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.env}},
            }
            for secret in workload.secrets
        ),
    ]
