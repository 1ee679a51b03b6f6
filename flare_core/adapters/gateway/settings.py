"""What may be set about the store, tokens, limits and quotas; from where is the caller's matter."""

from dataclasses import dataclass, field

DAY_S = 86_400
YEAR_S = 365 * DAY_S


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

    gpus: int | None = None
    hourly_ueur: int | None = None
    open_intents: int | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `burst` at once, and `count` in `period_s` seconds in the long run."""

    count: int
    period_s: int
    burst: int

    def __post_init__(self) -> None:
        if min(self.count, self.period_s, self.burst) < 1:
            raise ValueError(f"count, period and burst are at least 1: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the gateway keeps its books.

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
    """

    store_url: str = "sqlite:///flare.db"
    store_wait_s: float = 5.0
    store_connections: int = 10
    token_life_s: int = 90 * DAY_S
    token_life_max_s: int = YEAR_S
    token_touch_s: int = 60
    quota: Quota = field(default_factory=Quota)
    per_token: Limit = Limit(600, 60, 100)
    per_address: Limit = Limit(1200, 60, 200)
    failures: Limit = Limit(10, 60, 10)
    idempotency_s: int = DAY_S
