"""Running: the workload's own objects, from what keeps packets out to what keeps pods running."""

from collections.abc import Iterator

from flare_core.adapters.fluidos import deploy, names
from flare_core.adapters.fluidos.buying.bodies import labels
from flare_core.adapters.fluidos.buying.ensure import ensure
from flare_core.adapters.fluidos.buying.ground import Ground
from flare_core.adapters.fluidos.buying.outcomes import FailedError
from flare_core.adapters.fluidos.buying.waits import Wait
from flare_core.adapters.fluidos.buying.workload import is_homeless, progress, troubles
from flare_core.adapters.fluidos.cluster import Json
from flare_core.adapters.fluidos.deploy.pods import HOSTNAME
from flare_core.adapters.fluidos.errors import DeniedError, InvalidError, UnservedError
from flare_core.adapters.fluidos.kinds import AUTOSCALER, BY_NAME, DEPLOYMENT, JOB, POD, SECRET
from flare_core.quantities import format_moment, parse_moment


def start(ground: Ground) -> Iterator[Wait]:
    """Create the workload, once its time has come."""
    begins = parse_moment(ground.order.placement["start_time"])
    if begins > ground.now:
        ground.memory.since = ground.now  # no fault of anybody's: it does not count as waiting
        yield Wait(f"its start at {format_moment(begins)}")
        return
    found = _created(ground)
    any_one = ground.order.intent.workload.job.completion_policy == "Any"
    ground.progress = so_far = progress(found, any_one=any_one)
    if so_far.failed:
        raise FailedError(so_far.message)
    if not so_far.completed and not so_far.runs:
        yield _held_up(ground, so_far.message)


def _held_up(ground: Ground, message: str) -> Wait:
    """What keeps the pods.

    A container that does not come up is the workload's own matter; a pod that finds no room is the
    provider's, who sold what it does not have.
    """
    pods = ground.cluster.list(POD, ground.workload, labels=names.selector(ground.order.key)).items
    reasons = sorted({reason for pod in pods for reason in troubles(pod)})
    if reasons:
        return Wait(f"{message} ({', '.join(reasons)})")
    homeless = {pod["spec"].get("nodeSelector", {}).get(HOSTNAME) for pod in pods if is_homeless(pod)}
    lots = [lot for lot in ground.lots if ground.nodes[lot.key] in homeless]
    if not lots:
        return Wait(message)
    told = ", ".join(lot.offer for lot in lots)
    capacity = tuple(each for lot in lots for each in lot.capacity)
    return Wait(f"room for pods on {told}", capacity, sold_twice=True)


def _created(ground: Ground) -> list[Json]:
    """Return the workload's Deployments and Jobs, all of its objects being there."""
    found = []
    try:
        for body in (*_secrets(ground), *_objects(ground)):
            kind = BY_NAME[body["kind"]]
            try:
                made = ensure(ground, kind, body)
            except UnservedError:
                if kind is not AUTOSCALER:
                    raise
                continue  # Kubernetes before 1.23: the replicas stay as many as were asked for at least
            if kind in (DEPLOYMENT, JOB):
                found.append(made)
    except (InvalidError, DeniedError) as error:
        raise FailedError(f"the workload is refused: {error.brief}") from error
    return found


def _objects(ground: Ground) -> Iterator[Json]:
    bodies = deploy.objects(
        ground.order,
        ground.nodes,
        namespace=ground.workload,
        settings=ground.settings,
        slots=ground.memory.slots,
    )
    for body in bodies:
        meta = {
            **body["metadata"],
            "labels": {**body["metadata"]["labels"], **labels(ground.order, ground.settings)},
        }
        yield {**body, "metadata": meta}


def _secrets(ground: Ground) -> Iterator[Json]:
    """The platform's secrets that the workload needs, copied into its namespace where that is wanted."""
    source = ground.settings.secrets_namespace
    if source is None:
        return
    for name in deploy.secret_names(ground.order):
        own = None if not ground.past else ground.cluster.find(SECRET, name, ground.workload)
        found = own or ground.cluster.find(SECRET, name, source)
        if found is None:
            raise FailedError(f"there is no secret {name!r}")
        meta = {"name": name, "namespace": ground.workload, "labels": labels(ground.order, ground.settings)}
        kept: Json = {key: found[key] for key in ("type", "data") if key in found}
        yield {"apiVersion": SECRET.api_version, "kind": SECRET.kind, "metadata": meta, **kept}
