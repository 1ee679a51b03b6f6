"""``flare config show``."""

import os
from pathlib import Path

import pytest

from flare_core.adapters.gateway.settings import Settings
from tests.cli.conftest import Flare


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FLARE_")]:
        monkeypatch.delenv(name)


def test_every_setting_is_shown_with_where_it_comes_from(
    flare: Flare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "flare.toml"
    file.write_text('port = 1\ninventory = ["a.json", "b.json"]\n[quota]\ngpus = 3\n')
    monkeypatch.setenv("FLARE_WORKERS", "4")
    monkeypatch.setenv("FLARE_OTEL", "true")
    shown = flare("config", "show", "--config", file, "--json").document["settings"]
    assert shown["port"] == {"value": 1, "from": f"{file}: port"}
    assert shown["workers"] == {"value": 4, "from": "FLARE_WORKERS"}
    assert shown["quota.gpus"] == {"value": 3, "from": f"{file}: quota.gpus"}
    assert shown["host"] == {"value": "127.0.0.1", "from": "default"}
    assert {name.split(".")[0] for name in shown} == set(Settings.model_fields)
    rows = {
        line.split()[0]: line.split()[1:] for line in flare("config", "show", "-c", file).out.splitlines()
    }
    assert rows["workers"] == ["4", "FLARE_WORKERS"]
    assert rows["inventory"][:2] == ["a.json,", "b.json"]
    assert rows["otel"] == ["true", "FLARE_OTEL"]
    assert rows["usd_eur"] == ["–", "default"]


def test_secrets_are_masked(flare: Flare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLARE_STORE_URL", "postgresql://ada:hunter2@db/flare?sslpassword=hunter2")
    monkeypatch.setenv("FLARE_TOKEN", "hunter2")
    for words in (("config", "show"), ("config", "show", "--json")):
        done = flare(*words)
        assert "hunter2" not in done.out + done.err
        assert "postgresql+psycopg://ada:***@db/flare?sslpassword=***" in done.out


def test_a_variable_that_is_no_setting_is_told(flare: Flare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLARE_STORE_ULR", "x")
    assert flare("config", "show").err == "flare: FLARE_STORE_ULR is no setting\n"
    assert flare("config", "show", "--json").document["unknown"] == ["FLARE_STORE_ULR"]


def test_what_is_wrong_is_said_in_one_line(flare: Flare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLARE_PORT", "tcp://10.0.0.1:80")
    done = flare("config", "show")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("flare: FLARE_PORT: found 'tcp://10.0.0.1:80', expected a valid integer")
