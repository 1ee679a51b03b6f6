"""The tables, as the newest migration leaves them (a test compares the two).

Money is in micro-EUR, moments are microseconds since the epoch, documents are JSON text. Rows of ``history``
are never changed: triggers refuse it.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    column,
    table,
    text,
)

NEWEST = "0002"
"""The migration that makes the tables as they are here."""
REVISION = table("alembic_version", column("version_num"))
"""Where Alembic notes the migration that a store is at."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware moment, exact to the microsecond and equal on every store."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else EPOCH + value * MICROSECOND


Serial = BigInteger().with_variant(Integer, "sqlite")
"""What counts up by itself; SQLite does so only for ``INTEGER``."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

users = Table(
    "users",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("created", Moment, nullable=False),
)

quotas = Table(
    "quotas",
    metadata,
    Column("user", ForeignKey("users.id"), primary_key=True),
    Column("gpus", BigInteger),
    Column("hourly_ueur", BigInteger),
    Column("open_intents", BigInteger),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user", ForeignKey("users.id"), nullable=False, index=True),
    Column("name", String(255), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("permissions", String(255), nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("revoked", Moment),
    Column("last_used", Moment),
    UniqueConstraint("sha256"),
)

intents = Table(
    "intents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user", ForeignKey("users.id"), nullable=False),
    Column("name", String(255), nullable=False),
    Column("document", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("live", Boolean(create_constraint=False), nullable=False),
    Column("version", Integer, nullable=False),
    Column("gpus", BigInteger, nullable=False),
    Column("hourly_ueur", BigInteger),
    Column("placement", Text),
    Column("error", Text),
    Column("created", Moment, nullable=False),
    Column("changed", Moment, nullable=False),
    Column("started", Moment),
    Column("ended", Moment),
    Column("settled", Moment),
    Column("cost_ueur", BigInteger, nullable=False),
    Column("cost_rest", BigInteger, nullable=False),
    Column("message", Text),
    Column("offer", Text),
    Column("status_report", Text),
    Column("estimated_start", Moment),
    # Below is what workers go by, and nobody is told.
    Column("terms", Text),
    Column("claimed_by", String(64)),
    Column("claimed_until", Moment),
    Column("next_try", Moment),
    Column("tried", BigInteger),
    Column("unknowns", Integer, nullable=False, server_default=text("0")),
    Column("crashes", Integer, nullable=False, server_default=text("0")),
    Column("refusals", Integer, nullable=False, server_default=text("0")),
    Column("excluded", Text),
    Index("ix_intents_user_created_id", "user", "created", "id"),
    Index("ix_intents_state", "state"),
    Index(
        "uq_intents_user_name_live",
        "user",
        "name",
        unique=True,
        sqlite_where=text("live"),
        postgresql_where=text("live"),
    ),
)

history = Table(
    "history",
    metadata,
    Column("intent", ForeignKey("intents.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("before", String(16)),
    Column("after", String(16), nullable=False),
    Column("at", Moment, nullable=False),
    Column("reason", Text, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("user", ForeignKey("users.id"), nullable=False),
    Column("intent", ForeignKey("intents.id"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("data", Text, nullable=False),
    Index("ix_events_user_id", "user", "id"),
    Index("ix_events_intent_id", "intent", "id"),
    sqlite_autoincrement=True,  # an id that was once given is not given again
)

bookings = Table(
    "bookings",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("intent", ForeignKey("intents.id"), nullable=False, index=True),
    Column("offer", String(255), nullable=False),
    Column("node", BigInteger, nullable=False),
    Column("gpus", Text, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("profile", String(64)),
    Column("starts", Text, nullable=False),
    Column("cpu_milli", BigInteger, nullable=False),
    Column("memory_mib", BigInteger, nullable=False),
    Column("storage_mib", BigInteger, nullable=False),
    Column("start", Moment, nullable=False),
    Column("end", Moment),
    Column("released", Moment),
    Index(
        "ix_bookings_offer_node_held",
        "offer",
        "node",
        sqlite_where=text("released IS NULL"),
        postgresql_where=text("released IS NULL"),
    ),
    sqlite_autoincrement=True,
)

keys = Table(
    "keys",
    metadata,
    Column("user", ForeignKey("users.id"), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("created", Moment, nullable=False, index=True),
    Column("intent", ForeignKey("intents.id")),
    Column("status", Integer),
    Column("answer", Text),
)

buckets = Table(
    "buckets",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("full_ns", BigInteger, nullable=False, index=True),
)

orders = Table(
    "orders",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("intent", ForeignKey("intents.id"), nullable=False, index=True),
    Column("generation", Integer, nullable=False),
    Column("placement", Text, nullable=False),
    Column("placed", Moment, nullable=False),
    Column("step", String(16), nullable=False),
    Column("gone", Boolean(create_constraint=False), nullable=False),
    Column("done", Boolean(create_constraint=False), nullable=False),
    Column("handle", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_poll", Moment, nullable=False),
    Column("claimed_by", String(64)),
    Column("claimed_until", Moment),
    Index("ix_orders_open", "next_poll", sqlite_where=text("NOT done"), postgresql_where=text("NOT done")),
    Index(
        "uq_orders_intent_wanted",
        "intent",
        unique=True,
        sqlite_where=text("NOT gone"),
        postgresql_where=text("NOT gone"),
    ),
)

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("number", BigInteger),
    Column("text", Text),
)
