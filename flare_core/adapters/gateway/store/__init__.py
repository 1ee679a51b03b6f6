"""The store: tables, the migrations that make them, and transactions on SQLite or PostgreSQL."""

from flare_core.adapters.gateway.store.engine import Store, migrate, open_store, require_write

__all__ = ["Store", "migrate", "open_store", "require_write"]
