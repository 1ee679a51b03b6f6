"""The store: tables, the migrations that make them, and transactions on SQLite or PostgreSQL."""

from flare_core.adapters.gateway.store.engine import Store, migrate, open_store, require_write
from flare_core.adapters.gateway.store.upgrade import downgrade, newest, schema_of, upgrade

__all__ = ["Store", "downgrade", "migrate", "newest", "open_store", "require_write", "schema_of", "upgrade"]
