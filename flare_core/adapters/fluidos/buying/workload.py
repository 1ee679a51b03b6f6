"""How far the workload is, as its Deployments and Jobs say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from flare_core.adapters.fluidos.cluster import Json
from flare_core.adapters.fluidos.kinds import DEPLOYMENT, JOB
from flare_core.quantities import parse_moment


@dataclass(frozen=True, slots=True)
class Progress:
    """What the controllers of an order say together.

    Attributes
    ----------
    ready, wanted
        Tasks that run (or have ended well), and how many there are.
    completed, failed
        Whether it has ended, and how; neither while it runs.
    started, ended
        When, where they say so.
    message
        What was said of a failure, else how many run.
    """

    ready: int
    wanted: int
    completed: bool
    failed: bool
    started: datetime | None
    ended: datetime | None
    message: str

    @property
    def runs(self) -> bool:
        """Whether all of it is up."""
        return self.ready >= self.wanted


def progress(objects: Sequence[Json], *, any_one: bool) -> Progress:
    """Sum up Deployments and Jobs.

    Parameters
    ----------
    any_one
        Whether the first Job that succeeds is enough.
    """
    jobs = [found for found in objects if found["kind"] == JOB.kind]
    deployments = [found for found in objects if found["kind"] == DEPLOYMENT.kind]
    done = [job for job in jobs if _condition(job, "Complete")]
    failures = [message for job in jobs if (message := _failure(job)) is not None]
    completed = bool(jobs) and (bool(done) if any_one else len(done) == len(jobs))
    failed = not completed and bool(failures) and (not any_one or len(failures) == len(jobs))
    ready = sum(_available(found) for found in deployments) + sum(_busy(found) for found in jobs)
    wanted = sum(_replicas(found) for found in deployments) + sum(_parallel(found) for found in jobs)
    starts = sorted(_moments(jobs, "startTime"))
    ends = sorted(_moments(done, "completionTime"))
    told = failures[0] if failed else f"{ready} of {wanted} tasks run"
    return Progress(
        ready=ready,
        wanted=wanted,
        completed=completed,
        failed=failed,
        started=starts[0] if starts else None,
        ended=(ends[0] if any_one else ends[-1]) if completed and ends else None,
        message=told,
    )


def troubles(pod: Json) -> Iterator[str]:
    """Yield why containers of a pod do not come up: ``ImagePullBackOff``, ``CrashLoopBackOff``."""
    for container in _status(pod).get("containerStatuses") or ():
        reason = (container.get("state") or {}).get("waiting", {}).get("reason")
        if reason and reason not in ("ContainerCreating", "PodInitializing"):
            yield str(reason)


def is_homeless(pod: Json) -> bool:
    """Whether no node has room for a pod."""
    conditions = _status(pod).get("conditions") or ()
    placed: Json = next((one for one in conditions if one["type"] == "PodScheduled"), {})
    return _status(pod).get("phase") == "Pending" and placed.get("reason") == "Unschedulable"


def _status(found: Json) -> Json:
    status: Json = found.get("status") or {}
    return status


def _condition(found: Json, kind: str) -> Json | None:
    conditions = _status(found).get("conditions") or ()
    return next((one for one in conditions if one["type"] == kind and one["status"] == "True"), None)


def _failure(job: Json) -> str | None:
    condition = _condition(job, "Failed")
    if condition is None:
        return None
    return condition.get("message") or condition.get("reason") or "the job has failed"


def _replicas(found: Json) -> int:
    return int(found["spec"].get("replicas", 1))


def _available(found: Json) -> int:
    """Replicas that are up, of what the controller has seen last."""
    status = _status(found)
    if status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
        return 0
    return min(_replicas(found), int(status.get("availableReplicas") or 0))


def _parallel(job: Json) -> int:
    return int(job["spec"].get("parallelism", 1))


def _busy(job: Json) -> int:
    """Pods that run or have ended; servers before 1.24 do not tell ready from started."""
    status = _status(job)
    if _condition(job, "Complete"):
        return _parallel(job)
    running = status.get("ready", status.get("active", 0)) or 0
    return min(_parallel(job), int(running) + int(status.get("succeeded") or 0))


def _moments(jobs: Sequence[Json], key: str) -> Iterator[datetime]:
    for job in jobs:
        if text := _status(job).get(key):
            yield parse_moment(text)
