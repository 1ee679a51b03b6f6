"""The tables of the first release.

A migration says what it does by itself: it may not look at the tables of today.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

MOMENT = sa.BigInteger()
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LIVE, HELD = sa.text("live"), sa.text("released IS NULL")


def upgrade() -> None:
    """Create all tables."""
    _people()
    _intents()
    _told()
    _bookings()
    _requests()
    _refuse_changes_of_history()


def downgrade() -> None:
    """Drop all tables."""
    for table in ("buckets", "keys", "bookings", "events", "history", "intents", "tokens", "quotas", "users"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")


def _user() -> sa.Column[str]:
    return sa.Column("user", sa.String(255), nullable=False)


def _owner(table: str, column: str, of: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{of}.id"], name=f"fk_{table}_{column}")


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        _key("users", "id"),
    )
    op.create_table(
        "quotas",
        _user(),
        sa.Column("gpus", sa.BigInteger()),
        sa.Column("hourly_ueur", sa.BigInteger()),
        sa.Column("open_intents", sa.BigInteger()),
        _key("quotas", "user"),
        _owner("quotas", "user", "users"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(64), nullable=False),
        _user(),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("permissions", sa.String(255), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("expires", MOMENT, nullable=False),
        sa.Column("revoked", MOMENT),
        sa.Column("last_used", MOMENT),
        _key("tokens", "id"),
        _owner("tokens", "user", "users"),
        sa.UniqueConstraint("sha256", name="uq_tokens_sha256"),
    )
    op.create_index("ix_tokens_user", "tokens", ["user"])


def _intents() -> None:
    op.create_table(
        "intents",
        sa.Column("id", sa.String(64), nullable=False),
        _user(),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("gpus", sa.BigInteger(), nullable=False),
        sa.Column("hourly_ueur", sa.BigInteger()),
        sa.Column("placement", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("changed", MOMENT, nullable=False),
        sa.Column("started", MOMENT),
        sa.Column("ended", MOMENT),
        sa.Column("settled", MOMENT),
        sa.Column("cost_ueur", sa.BigInteger(), nullable=False),
        sa.Column("cost_rest", sa.BigInteger(), nullable=False),
        _key("intents", "id"),
        _owner("intents", "user", "users"),
    )
    op.create_index("ix_intents_user_created_id", "intents", ["user", "created", "id"])
    op.create_index("ix_intents_state", "intents", ["state"])
    columns = ["user", "name"]
    op.create_index(
        "uq_intents_user_name_live", "intents", columns, unique=True, sqlite_where=LIVE, postgresql_where=LIVE
    )


def _told() -> None:
    op.create_table(
        "history",
        sa.Column("intent", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("before", sa.String(16)),
        sa.Column("after", sa.String(16), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        _key("history", "intent", "version"),
        _owner("history", "intent", "intents"),
    )
    op.create_table(
        "events",
        sa.Column("id", SERIAL, nullable=False),
        _user(),
        sa.Column("intent", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        _key("events", "id"),
        _owner("events", "user", "users"),
        _owner("events", "intent", "intents"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_user_id", "events", ["user", "id"])
    op.create_index("ix_events_intent_id", "events", ["intent", "id"])


def _bookings() -> None:
    op.create_table(
        "bookings",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("intent", sa.String(64), nullable=False),
        sa.Column("offer", sa.String(255), nullable=False),
        sa.Column("node", sa.BigInteger(), nullable=False),
        sa.Column("gpus", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("profile", sa.String(64)),
        sa.Column("starts", sa.Text(), nullable=False),
        sa.Column("cpu_milli", sa.BigInteger(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("storage_mib", sa.BigInteger(), nullable=False),
        sa.Column("start", MOMENT, nullable=False),
        sa.Column("end", MOMENT),
        sa.Column("released", MOMENT),
        _key("bookings", "id"),
        _owner("bookings", "intent", "intents"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_bookings_intent", "bookings", ["intent"])
    columns = ["offer", "node"]
    op.create_index(
        "ix_bookings_offer_node_held", "bookings", columns, sqlite_where=HELD, postgresql_where=HELD
    )


def _requests() -> None:
    op.create_table(
        "keys",
        _user(),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("intent", sa.String(64)),
        sa.Column("status", sa.Integer()),
        sa.Column("answer", sa.Text()),
        _key("keys", "user", "key"),
        _owner("keys", "user", "users"),
        _owner("keys", "intent", "intents"),
    )
    op.create_index("ix_keys_created", "keys", ["created"])
    op.create_table(
        "buckets",
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("full_ns", sa.BigInteger(), nullable=False),
        _key("buckets", "key"),
    )
    op.create_index("ix_buckets_full_ns", "buckets", ["full_ns"])


def _refuse_changes_of_history() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'history is only added to'; END $$"
        )
        op.execute(
            "CREATE TRIGGER history_is_only_added_to BEFORE UPDATE OR DELETE ON history "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        return
    for change in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER history_refuses_{change} BEFORE {change.upper()} ON history "
            "BEGIN SELECT RAISE(ABORT, 'history is only added to'); END"
        )
