"""From any released schema to another, forward and back, in one transaction.

Alembic's revisions are walked here rather than by an ``env.py``: the store's own transaction is the one that
commits, so that a process that dies in the middle leaves the old schema, and a second one waits for it.
"""

from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import Connection

from flare_core.adapters.gateway.errors import UnavailableError
from flare_core.adapters.gateway.failpoints import hit

BASE = "base"
HEAD = "head"
_HERE = Path(__file__).parent / "migrations"


def schema_of(connection: Connection) -> str | None:
    """Return the revision that the store is at; None before the first."""
    return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """Return the revision that this version works with."""
    return ScriptDirectory(_HERE).get_current_head()


def upgrade(connection: Connection, to: str = HEAD) -> None:
    """Bring the schema forward to a revision, within the connection's transaction.

    Raises
    ------
    UnavailableError
        If the store is at a revision that this version does not know: a newer one wrote it.
    """
    context, scripts = MigrationContext.configure(connection), ScriptDirectory(_HERE)
    try:
        missing = list(scripts.iterate_revisions(to, context.get_current_revision() or BASE))
    except RevisionError as error:
        raise UnavailableError("a newer version of FLARE has written the store") from error
    with Operations.context(context):
        for script in reversed(missing):
            script.module.upgrade()
            hit("migrate.revision")
            context.stamp(scripts, script.revision)


def downgrade(connection: Connection, to: str = BASE) -> None:
    """Take the schema back to a revision, within the connection's transaction; what it held is lost."""
    context, scripts = MigrationContext.configure(connection), ScriptDirectory(_HERE)
    beyond = list(scripts.iterate_revisions(context.get_current_revision() or BASE, to))
    with Operations.context(context):
        for script in beyond:
            script.module.downgrade()
            context.stamp(scripts, str(script.down_revision or BASE))
