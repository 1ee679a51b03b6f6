"""What may be set, and from where it is read.

Each setting is, in this order, an option of the command line, ``FLARE_<NAME>`` in the environment
(``FLARE_QUOTA__GPUS`` for what stands inside of another), a key of a TOML file, or its default. Only `load`
looks there; ``Settings(...)`` itself takes what it is given.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import quote

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from flare_core.errors import OptionsError, found_expected

DAY_S = 86_400
YEAR_S = 365 * DAY_S
PREFIX: Final = "FLARE_"
HIDDEN: Final = "***"

_INSIDE: Final = "__"
_CONFIG: Final = "flare_config"
_OTHERS: Final = ("token", "url", "fluidos_")
"""What the client and the FLUIDOS backend read by themselves, or what all of that begins with."""
_SECRET_WORDS: Final = ("password", "secret", "token", "key")
_STRICT: Final = ConfigDict(extra="forbid")

Count = Annotated[int, Field(ge=1)]
Amount = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0, le=YEAR_S, allow_inf_nan=False)]
Wait = Annotated[float, Field(ge=0, le=YEAR_S, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Quota:
    """What one user may hold at the same time; None is without limit.

    Attributes
    ----------
    gpus
        GPUs that the user's live intents ask for, together.
    hourly_ueur
        What they cost per hour together, micro-EUR, as far as they are placed.
    open_intents
        Intents that have not ended.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    gpus: Amount | None = None
    hourly_ueur: Amount | None = None
    open_intents: Amount | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `burst` at once, and `count` in `period_s` seconds in the long run."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    count: Count
    period_s: Count
    burst: Count

    def __post_init__(self) -> None:
        if min(self.count, self.period_s, self.burst) < 1:
            raise ValueError(f"count, period and burst are at least 1: {self}")


def _store_url(text: str) -> str:
    """Refuse other stores than ours; PostgreSQL without a driver is read with the one that we have."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError("a URL of sqlite or postgresql, such as sqlite:///flare.db") from None
    kind = url.get_backend_name()
    if kind not in ("sqlite", "postgresql", "postgres"):
        raise ValueError(f"a store on sqlite or postgresql, not {kind}")
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
        return url.render_as_string(hide_password=False)
    return text


def _listed(value: object) -> object:
    """Read ``a,b`` as a list, as environments have no other."""
    if not isinstance(value, str):
        return value
    return [part for part in map(str.strip, value.split(",")) if part]


Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_listed)]
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """How the gateway works and keeps its books.

    Attributes
    ----------
    store_url
        An SQLAlchemy URL: ``sqlite:///flare.db``, ``postgresql+psycopg://user@host/name``.
    store_wait_s
        How long a transaction waits for another one, seconds.
    store_connections
        Connections that one process holds at most.
    token_life_s, token_life_max_s
        How long a token lives that does not say, and at most; seconds.
    token_touch_s
        ``last_used`` is written at most once in so many seconds.
    quota
        For users who have none of their own.
    per_token, per_address, failures
        Requests of one token, of one address, and failed authentications of one address.
    idempotency_s
        How long the answer to an idempotency key is kept, seconds.
    host, port, workers
        Where it listens (0 is any free port), and with how many processes.
    trusted_proxies
        Addresses or networks whose ``X-Forwarded-For`` is believed.
    backend
        Who runs what was chosen.
    inventory
        Files and directories of offers; none is the bundled demonstration federation.
    usd_eur, assume, origin
        Euro for one US dollar; a JSON file of what the offers do not say; where consumers sit.
    inventory_ttl_s
        Offers older than so many seconds are read again before they are used.
    submit_wait_s
        How long a submission waits for its answer before it is told to come back, seconds.
    batch_window_s, batch_size
        How long intents are gathered to be solved together, seconds, and how many at most.
    queue_bound
        Intents that may wait to be solved; more are refused for the moment.
    solve_time_limit_s, solver_memory_mib
        What one search may take, with the check of what it has found, for which 0.3 ms are kept back for each
        task, up to half of the time; a solver is ended at twice the time.
    max_rounds, unknown_retries
        How often an intent is solved again at once, where its capacity was taken meanwhile, and where the
        time was too short to tell.
    max_body_bytes, max_tasks
        The largest body, and the most tasks of one intent.
    request_timeout_s, stop_timeout_s
        How long one request may take, and how long a stop waits for those in flight, seconds.
    poll_s, lease_s
        How often a process looks for work, and for how long it claims it, seconds.
    bootstrap_token_file
        A file with the first ``admin:*`` token, made by ``flare token create --secret-only``.
    log_level, log_format
        What is logged, and how: one JSON object a line, or text for people.
    otel
        Whether spans are exported, as the ``OTEL_*`` variables say; needs the extra ``otel``.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=_INSIDE,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    store_url: Annotated[str, AfterValidator(_store_url), Field(repr=False)] = "sqlite:///flare.db"
    store_wait_s: Seconds = 5.0
    store_connections: Count = 10
    token_life_s: Count = 90 * DAY_S
    token_life_max_s: Count = YEAR_S
    token_touch_s: Amount = 60
    quota: Quota = Quota()
    per_token: Limit = Limit(600, 60, 100)
    per_address: Limit = Limit(1200, 60, 200)
    failures: Limit = Limit(10, 60, 10)
    idempotency_s: Count = DAY_S

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    trusted_proxies: Networks = ()
    backend: Literal["local", "fluidos"] = "local"
    inventory: Paths = ()
    usd_eur: str | None = None
    assume: Path | None = None
    origin: str | None = None
    inventory_ttl_s: Wait = 5.0

    submit_wait_s: Wait = 1.0
    batch_window_s: Wait = 0.02
    batch_size: Count = 32
    queue_bound: Count = 1000
    solve_time_limit_s: Seconds = 10.0
    solver_memory_mib: Annotated[int, Field(ge=256)] = 1024
    max_rounds: Count = 5
    unknown_retries: Amount = 3
    max_body_bytes: Count = 2**20
    max_tasks: Count = 10_000
    request_timeout_s: Seconds = 30.0
    stop_timeout_s: Wait = 10.0
    poll_s: Seconds = 0.5
    lease_s: Seconds = 15.0

    bootstrap_token_file: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"
    otel: bool = False

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing but the arguments; `load` knows the rest."""
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each comes from.

    Attributes
    ----------
    origins
        By name, dotted inside of another (``quota.gpus``): what a user would change.
    unknown
        ``FLARE_…`` variables that are no setting; they may be meant for something else, so they are no error.
    """

    settings: Settings
    origins: Mapping[str, str]
    unknown: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the effective values as JSON, without what is secret."""
        values: dict[str, Any] = self.settings.model_dump(mode="json")
        return values | {"store_url": masked_url(self.settings.store_url)}


def load_settings(config: Path | None = None, **options: object) -> Settings:
    """Return the settings in force; see `load`."""
    return load(config, **options).settings


def load(config: Path | None = None, **options: object) -> Loaded:
    """Read the settings from the environment and a file.

    Parameters
    ----------
    config
        A TOML file; None is the one that ``FLARE_CONFIG`` names, or none.
    **options
        What goes before both; None is what was not given.

    Raises
    ------
    OptionsError
        If the file cannot be read, or a value is wrong: names it as it was written, what was found and what
        is expected.
    """
    source = EnvSettingsSource(Settings)
    named = source.env_vars.get(_CONFIG)
    path = Path(named) if config is None and named else config
    layers: list[tuple[Mapping[str, Any], Callable[[str], str]]] = [
        (_defaults(), lambda _: "default"),
        ({} if path is None else _file(path), lambda name: f"{path}: {name}"),
        (_environment(source), lambda name: PREFIX + name.upper().replace(".", _INSIDE)),
        ({name: value for name, value in options.items() if value is not None}, _option),
    ]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for layer, told in layers:
        values = _over(values, layer)
        origins |= {name: told(name) for name in _names(layer)}
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise _wrong(error.errors()[0], origins) from None
    return Loaded(settings, origins, tuple(_strangers(source)))


def masked_url(text: str) -> str:
    """Return a store's URL without its passwords, wherever they stand in it.

    >>> masked_url("postgresql+psycopg://ada:pa55@db/flare?sslpassword=x")
    'postgresql+psycopg://ada:***@db/flare?sslpassword=***'
    """
    url: URL = make_url(text)
    secret = {name: HIDDEN for name in url.query if any(word in name.lower() for word in _SECRET_WORDS)}
    shown = url.update_query_dict(secret).render_as_string(hide_password=True)
    return shown.replace(quote(HIDDEN, safe=""), HIDDEN)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _defaults() -> dict[str, Any]:
    defaults = {name: field.get_default() for name, field in Settings.model_fields.items()}
    return {n: asdict(v) if isinstance(v, Quota | Limit) else v for n, v in defaults.items()}


def _file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionsError(str(path), f"found no file that can be read ({error.strerror})") from None
    except ValueError as error:
        raise OptionsError(str(path), f"found no TOML: {error}") from None


def _environment(source: EnvSettingsSource) -> dict[str, Any]:
    try:
        return source()
    except SettingsError as error:
        raise OptionsError("the environment", f"{error}, expected JSON") from None


def _strangers(source: EnvSettingsSource) -> Iterator[str]:
    known = {*Settings.model_fields, *_OTHERS, _CONFIG.removeprefix(PREFIX.lower())}
    for name in sorted(source.env_vars):
        own = name.removeprefix(PREFIX.lower())
        if own != name and own.split(_INSIDE)[0] not in known and not own.startswith(_OTHERS[-1]):
            yield name.upper()


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one layer over another, inside of tables too."""
    inner = {
        name: _over(below[name], value)
        for name, value in above.items()
        if isinstance(value, Mapping) and isinstance(below.get(name), Mapping)
    }
    return {**below, **above, **inner}


def _names(layer: Mapping[str, Any]) -> Iterator[str]:
    for name, value in layer.items():
        if isinstance(value, Mapping):
            yield from (f"{name}.{inner}" for inner in value)
        else:
            yield name


def _wrong(error: ErrorDetails, origins: Mapping[str, str]) -> OptionsError:
    """Return the error of one setting in the words of whoever wrote it."""
    name = ".".join(map(str, error["loc"]))
    path = next((told for own, told in origins.items() if (name + ".").startswith(own + ".")), name)
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        near = get_close_matches(name, [*Settings.model_fields, *_names(_defaults())], n=1)
        hint = f", did you mean {near[0]}?" if near else ""
        return OptionsError(path, f"found no setting of that name{hint}")
    expected = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if name.startswith("store_url"):
        return OptionsError(path, f"expected {expected}")  # what was found may hold a password
    return OptionsError(path, found_expected(error["input"], expected))
