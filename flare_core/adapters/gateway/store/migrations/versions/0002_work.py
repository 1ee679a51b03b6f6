"""What placing and running intents takes: offers, claims, orders at the backend, a counter of capacity."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

MOMENT = sa.BigInteger()
OPEN = sa.text("NOT done")
WANTED = sa.text("NOT gone")
ZERO = sa.text("0")


def upgrade() -> None:
    """Add columns to the intents, and the tables ``orders`` and ``meta``."""
    for column in _columns():
        op.add_column("intents", column)
    _orders()
    op.create_table(
        "meta",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger()),
        sa.Column("text", sa.Text()),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )


def downgrade() -> None:
    """Drop them; what was refused is then shown as failed."""
    op.drop_table("meta")
    op.drop_table("orders")
    op.execute("UPDATE intents SET state = 'failed' WHERE state = 'refused'")
    for column in _columns():
        op.drop_column("intents", column.name)


def _columns() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("message", sa.Text()),
        sa.Column("offer", sa.Text()),
        sa.Column("status_report", sa.Text()),
        sa.Column("estimated_start", MOMENT),
        sa.Column("terms", sa.Text()),
        sa.Column("claimed_by", sa.String(64)),
        sa.Column("claimed_until", MOMENT),
        sa.Column("next_try", MOMENT),
        sa.Column("tried", sa.BigInteger()),
        sa.Column("unknowns", sa.Integer(), nullable=False, server_default=ZERO),
        sa.Column("crashes", sa.Integer(), nullable=False, server_default=ZERO),
        sa.Column("refusals", sa.Integer(), nullable=False, server_default=ZERO),
        sa.Column("excluded", sa.Text()),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("intent", sa.String(64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("placement", sa.Text(), nullable=False),
        sa.Column("placed", MOMENT, nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_poll", MOMENT, nullable=False),
        sa.Column("claimed_by", sa.String(64)),
        sa.Column("claimed_until", MOMENT),
        sa.PrimaryKeyConstraint("key", name="pk_orders"),
        sa.ForeignKeyConstraint(["intent"], ["intents.id"], name="fk_orders_intent"),
    )
    op.create_index("ix_orders_intent", "orders", ["intent"])
    op.create_index("ix_orders_open", "orders", ["next_poll"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index(
        "uq_orders_intent_wanted",
        "orders",
        ["intent"],
        unique=True,
        sqlite_where=WANTED,
        postgresql_where=WANTED,
    )
    # What held something before there were orders gets one, so that the backend comes to hear of it.
    op.execute(
        "INSERT INTO orders (key, intent, generation, placement, placed, step, gone, done, handle, tries,"
        " next_poll) SELECT id || '-1', id, 1, coalesce(placement, '{}'), changed, 'reserve', false, false,"
        " '{}', 0, changed FROM intents WHERE state IN ('reserved', 'running')"
    )
