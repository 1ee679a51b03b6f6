"""Stores of one kind, where the other has been tried elsewhere or has no such thing."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from flare_core.adapters.gateway.store.tables import metadata


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The URL of an empty store on SQLite."""
    shutil.copy(sqlite_template, tmp_path / "flare.db")
    return f"sqlite:///{tmp_path / 'flare.db'}"


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """The URL of an empty store on PostgreSQL."""
    engine = create_engine(postgres)
    with engine.begin() as connection:
        names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    engine.dispose()
    return postgres
