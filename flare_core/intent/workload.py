"""What runs: the section ``workload`` of an intent, field by field as the API reference has it.

Everything that may hold a credential (``commands``, ``env``, ``secrets``, ``source``) stays out of ``repr``.
"""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from flare_core.catalog import gpus
from flare_core.intent.fields import (
    ENV_KEY,
    ENV_PATTERN,
    ClockMhz,
    Count,
    CpuMilli,
    DurationS,
    EnvKey,
    Fraction,
    HostName,
    Image,
    Label,
    Many,
    Maybe,
    MemoryMib,
    Misfit,
    Number,
    Part,
    Port,
    Protocol,
    Replicas,
    SecretName,
    TargetPercent,
    first_twice,
    one_of,
    text_like,
)

_CAPABILITY: Final = re.compile(r"[0-9]{1,2}(?:\.[0-9])?")
_MOUNT_PATH: Final = re.compile(r"(?:/[^/:]+)+/?")
_URI: Final = {
    "s3": re.compile(r"s3://[^/\s]+(?:/\S*)?"),
    "gcs": re.compile(r"gs://[^/\s]+(?:/\S*)?"),
    "azure": re.compile(
        r"(?:(?:az|azure|abfss?|wasbs?)://[^/\s]+|https://[a-z0-9]{3,24}\.(?:blob|dfs)\.core\.windows\.net)(?:/\S*)?"
    ),
}
_URI_FORMS: Final = {
    "s3": "s3://bucket/path",
    "gcs": "gs://bucket/path",
    "azure": "az://container/path or https://account.blob.core.windows.net/container",
}


def _model(name: str) -> str:
    if name != "any" and (len(name) > 64 or not gpus.is_vendor_prefixed(name)):
        near = gpus.near(name[:64])
        raise Misfit(
            f"'any' or a vendor and a model, such as {' or '.join(map(repr, near or ('nvidia-a100',)))}"
        )
    return name


def _architecture(name: str) -> str:
    known = (*(each for each in gpus.ARCHITECTURES if each != "any"), "any")
    if name not in known:
        raise Misfit(one_of(name, known))
    return name


def _capability(value: object) -> float | None:
    if value == "any":
        return None
    text = repr(value) if isinstance(value, int | float) else value
    if isinstance(value, bool) or not isinstance(text, str) or not _CAPABILITY.fullmatch(text):
        raise Misfit("a CUDA compute capability, such as '8.0', or 'any'")
    return float(text)


def _env_entry(entry: str) -> str:
    key, equals, _ = entry.partition("=")
    if not equals:
        raise Misfit("KEY=value", found="a text without '='")
    if not ENV_KEY.fullmatch(key):
        raise Misfit("the name of an environment variable, such as 'HF_TOKEN'", found=f"the key {key[:64]!r}")
    return entry


def _mount_path(path: str) -> str:
    parts = path.split("/")
    if (
        len(path) > 4096
        or not path.isprintable()
        or not _MOUNT_PATH.fullmatch(path)
        or {".", ".."} & {*parts}
    ):
        raise Misfit("an absolute path below '/' without '.', '..', ':' or empty parts, such as '/data'")
    return path


# What the schema says of these texts; where a pattern cannot tell, it admits more than is taken.
_MODEL_TEXT: Final = text_like(
    f"any|{gpus.VENDOR_PREFIXED.pattern}", "'any' or a vendor and a model, such as 'nvidia-a100'", 64
)
_ENV_TEXT: Final = WithJsonSchema(
    {"type": "string", "pattern": f"^{ENV_PATTERN}=[^\\x00]*$", "description": "KEY=value"}
)
_PATH_TEXT: Final = text_like(
    r"(/[^/:\x00-\x1f\x7f-\x9f]+)+/?",
    "an absolute path below '/' without '.', '..' or ':', such as '/data'",
    4096,
)
_URI_TEXT: Final = text_like(
    r"(s3|gs|az|azure|abfss?|wasbs?|https)://[^/\x00-\x20\x7f-\xa0]+(/[^\x00-\x20\x7f-\xa0]*)?",
    f"{', '.join(_URI_FORMS.values())}, as its type is",
    2048,
)
_CAPABILITY_TEXT: Final = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "pattern": f"^(any|{_CAPABILITY.pattern})$"},
            {"type": "number", "minimum": 0, "maximum": 99},
        ],
        "description": "a CUDA compute capability, such as '8.0', or 'any'",
    }
)


class Gpu(Part):
    """What each task asks of its GPUs; ``any`` and False ask for nothing."""

    model: Annotated[str, AfterValidator(_model), _MODEL_TEXT] = "any"
    count: Count = 1
    memory: Maybe[MemoryMib] = None
    cores: Maybe[Count] = None
    clock_speed: Maybe[ClockMhz] = None
    compute_capability: Annotated[float | None, BeforeValidator(_capability), _CAPABILITY_TEXT] = None
    architecture: Annotated[
        str,
        AfterValidator(_architecture),
        WithJsonSchema({"type": "string", "enum": [*gpus.ARCHITECTURES, "any"]}),
    ] = "any"
    tier: Literal["premium", "standard", "gaming", "inference", "budget", "any"] = "any"
    shared: bool = False
    interconnect: Literal["nvlink", "nvswitch", "infiniband", "pcie", "any"] = "any"
    interruptible: bool = False
    multi_instance: bool = False
    dedicated: bool = False
    fp32_tflops: Maybe[Number] = None
    topology: Literal["all-to-all", "nvswitch", "ring", "mesh", "any"] = "any"
    multi_gpu_efficiency: Maybe[Fraction] = None

    @model_validator(mode="after")
    def _dedicated_is_whole(self) -> Self:
        for other in ("shared", "multi_instance"):
            if self.dedicated and getattr(self, other):
                raise Misfit("one of the two at most", found=f"both dedicated and {other}", at=("dedicated",))
        return self


class Resources(Part):
    """What each task asks of its node."""

    cpu: Maybe[CpuMilli] = None
    memory: Maybe[MemoryMib] = None
    gpu: Maybe[Gpu] = None

    @property
    def gpus(self) -> int:
        """GPUs of one task; 0 is a CPU-only task."""
        return 0 if self.gpu is None else self.gpu.count


class PortRule(Part):
    """One network port of a service."""

    port: Port
    protocol: Protocol = "TCP"
    expose: bool = False
    domain: Maybe[HostName] = None

    @model_validator(mode="after")
    def _domain_is_exposed(self) -> Self:
        if self.domain is not None and not self.expose:
            raise Misfit("'expose': true beside it", at=("domain",))
        return self


class Source(Part):
    """Where a volume's content comes from; ``credentials`` names a secret of the platform."""

    type: Literal["s3", "gcs", "azure"]
    uri: Annotated[str, _URI_TEXT] = Field(repr=False)
    credentials: SecretName = Field(repr=False)

    @model_validator(mode="after")
    def _scheme_fits_type(self) -> Self:
        if len(self.uri) > 2048 or not self.uri.isprintable() or not _URI[self.type].fullmatch(self.uri):
            raise Misfit(f"a uri of type {self.type!r}, {_URI_FORMS[self.type]}", at=("uri",))
        return self


class Volume(Part):
    """One volume of each task; its size is in MiB."""

    name: Label
    size: Annotated[MemoryMib, Field(gt=0)]
    type: Literal["persistent", "temporary"]
    path: Annotated[str, AfterValidator(_mount_path), _PATH_TEXT]
    source: Maybe[Source] = None


class Storage(Part):
    """The volumes of each task."""

    volumes: Many[Volume] = ()

    @model_validator(mode="after")
    def _volumes_are_apart(self) -> Self:
        for field, values in (
            ("name", [volume.name for volume in self.volumes]),
            ("path", [volume.path.rstrip("/") for volume in self.volumes]),
        ):
            if (twice := first_twice(values)) is not None:
                raise Misfit(f"a {field} of its own for each volume", at=("volumes", twice, field))
        return self

    @property
    def size_mib(self) -> int:
        """MiB of all volumes of one task."""
        return sum(volume.size for volume in self.volumes)

    @property
    def persistent(self) -> bool:
        """Whether a volume must outlive its task."""
        return any(volume.type == "persistent" for volume in self.volumes)


class Secret(Part):
    """A secret of the platform and the environment variable that holds it."""

    name: SecretName
    env: EnvKey


def _at_least_ten(given: dict[str, object]) -> int:
    least = given.get("min_replicas")
    return max(10, least) if isinstance(least, int) else 10


class Scaling(Part):
    """How many replicas a service has."""

    min_replicas: Replicas = 1
    # The default is 10; who asks for more at least and says nothing else means no fewer at most.
    max_replicas: Replicas = Field(default_factory=_at_least_ten)
    auto_scale: bool = False
    target_cpu_percent: TargetPercent = 70
    target_gpu_percent: TargetPercent = 80

    @model_validator(mode="after")
    def _least_is_least(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise Misfit(f"at most max_replicas, {self.max_replicas}", at=("min_replicas",))
        return self


class Job(Part):
    """How a job or batch runs and ends; ``timeout`` is in seconds."""

    parallel_tasks: Replicas = 1
    max_retries: Count = 3
    timeout: Maybe[Annotated[DurationS, Field(gt=0)]] = None
    completion_policy: Literal["All", "Any"] = "All"


class Workload(Part):
    """One container, how often it runs, and what it needs."""

    type: Literal["service", "job", "batch"]
    name: Label
    image: Image
    commands: Annotated[Many[str], Field(repr=False)] = ()
    env: Annotated[Many[Annotated[str, AfterValidator(_env_entry), _ENV_TEXT]], Field(repr=False)] = ()
    ports: Many[PortRule] = ()
    resources: Resources
    storage: Storage = Storage()
    secrets: Annotated[Many[Secret], Field(repr=False)] = ()
    scaling: Scaling = Scaling()
    job: Job = Job()

    @model_validator(mode="after")
    def _sections_fit_type(self) -> Self:
        service = self.type == "service"
        for section, fits in (
            ("ports", service or not self.ports),
            ("scaling", service),
            ("job", not service),
        ):
            if section in self.model_fields_set and not fits:
                only = "a job or batch" if section == "job" else "a service"
                raise Misfit(f"it on {only} only", found=f"{section!r} on a {self.type}", at=(section,))
        return self

    @model_validator(mode="after")
    def _ports_are_apart(self) -> Self:
        if (twice := first_twice([(rule.port, rule.protocol) for rule in self.ports])) is not None:
            rule = self.ports[twice]
            found = f"port {rule.port} of {rule.protocol} again"
            raise Misfit("each port once per protocol", found=found, at=("ports", twice, "port"))
        return self

    @model_validator(mode="after")
    def _variables_are_apart(self) -> Self:
        keys = [entry.partition("=")[0] for entry in self.env]
        if (twice := first_twice(keys)) is not None:
            found = f"the key {keys[twice]!r} again"
            raise Misfit("each environment variable once", found=found, at=("env", twice))
        if (twice := first_twice(keys + [secret.env for secret in self.secrets])) is not None:
            index = twice - len(keys)
            found = f"{self.secrets[index].env!r}, which 'env' or another secret sets too"
            raise Misfit("an environment variable of its own", found=found, at=("secrets", index, "env"))
        return self

    @property
    def tasks(self) -> int:
        """Tasks to place: the least replicas of a service, the parallel tasks of a job or batch."""
        return self.scaling.min_replicas if self.type == "service" else self.job.parallel_tasks
