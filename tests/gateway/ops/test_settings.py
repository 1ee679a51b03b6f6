"""Settings: from where they are read, which one counts, and what is said of those that are wrong."""

import os
import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from flare_core.adapters.gateway.settings import Limit, Quota, Settings, load, load_settings, masked_url
from flare_core.errors import OptionsError


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FLARE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "flare.toml"


def test_settings_that_are_made_read_neither_environment_nor_file(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    file.write_text("port = 1\n")
    monkeypatch.setenv("FLARE_PORT", "2")
    monkeypatch.setenv("FLARE_CONFIG", str(file))
    assert Settings().port == 8080
    assert Settings(port=3).port == 3


def test_an_option_goes_before_the_environment_before_the_file_before_the_default(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    file.write_text("port = 1\nworkers = 11\nbatch_size = 111\n")
    monkeypatch.setenv("FLARE_PORT", "2")
    monkeypatch.setenv("FLARE_WORKERS", "22")
    found = load(file, port=3, host=None)
    settings = found.settings
    assert (settings.port, settings.workers, settings.batch_size, settings.host) == (3, 22, 111, "127.0.0.1")
    names = ("port", "workers", "batch_size", "host")
    assert [found.origins[name] for name in names] == [
        "--port",
        "FLARE_WORKERS",
        f"{file}: batch_size",
        "default",
    ]


def test_the_environment_names_the_file(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    file.write_text("port = 1\n")
    monkeypatch.setenv("FLARE_CONFIG", str(file))
    assert load_settings().port == 1


def test_what_stands_inside_of_another_is_set_one_by_one(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    file.write_text("[quota]\ngpus = 1\nopen_intents = 9\n[per_token]\nburst = 7\n")
    monkeypatch.setenv("FLARE_QUOTA__GPUS", "4")
    found = load(file)
    assert found.settings.quota == Quota(gpus=4, open_intents=9)
    assert found.settings.per_token == Limit(600, 60, 7)
    assert found.origins["quota.gpus"] == "FLARE_QUOTA__GPUS"
    assert found.origins["quota.open_intents"] == f"{file}: quota.open_intents"
    assert found.origins["per_token.count"] == "default"


@pytest.mark.parametrize(
    ("written", "read"),
    [("a.json, b", ("a.json", "b")), ("", ()), ("one", ("one",))],
)
def test_several_paths_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, written: str, read: tuple[str, ...]
) -> None:
    monkeypatch.setenv("FLARE_INVENTORY", written)
    assert load_settings().inventory == tuple(map(Path, read))


@pytest.mark.parametrize("url", ["postgres://ada@db/flare", "postgresql://ada@db/flare"])
def test_postgresql_is_spoken_to_with_the_driver_that_there_is(url: str) -> None:
    assert Settings(store_url=url).store_url == "postgresql+psycopg://ada@db/flare"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 3", "{file}: prot: found no setting of that name, did you mean port?"),
        ("port = 'x'", "{file}: port: found 'x', expected a valid integer"),
        ("port = 65536", "{file}: port: found 65536, expected less than or equal to 65535"),
        ("workers = 0", "{file}: workers: found 0, expected greater than or equal to 1"),
        ("quota = 3", "{file}: quota: found 3, expected a dictionary"),
        ("[quota]\ngpus = -1", "{file}: quota.gpus: found -1, expected greater than or equal to 0"),
        (
            "[quota]\ngpuss = 1",
            "{file}: quota.gpuss: found no setting of that name, did you mean quota.gpus?",
        ),
        ("[per_token]\nburst = 0", "{file}: per_token.burst: found 0, expected greater than or equal to 1"),
        ("log_level = 'loud'", "{file}: log_level: found 'loud', expected 'debug', 'info', 'warning' or"),
        ("backend = 'mine'", "{file}: backend: found 'mine', expected 'local' or 'fluidos'"),
        ("poll_s = inf", "{file}: poll_s: found inf, expected"),
        ("inventory = 3", "{file}: inventory: found 3, expected a valid tuple"),
        ("port = = 3", "{file}: found no TOML: Invalid value (at line 1, column 8)"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(OptionsError) as caught:
        load(file)
    assert str(caught.value).startswith(said.format(file=file))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "FLARE_PORT",
            "tcp://10.0.0.1:80",
            "FLARE_PORT: found 'tcp://10.0.0.1:80', expected a valid integer",
        ),
        ("FLARE_QUOTA__GPUS", "many", "FLARE_QUOTA__GPUS: found 'many', expected a valid integer"),
        ("FLARE_QUOTA", "[3", "the environment: "),
        ("FLARE_CONFIG", "/nowhere/flare.toml", "/nowhere/flare.toml: found no file that can be read"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(OptionsError) as caught:
        load()
    assert str(caught.value).startswith(said)


def test_what_is_wrong_in_an_option_is_named() -> None:
    with pytest.raises(
        OptionsError, match=r"^--stop-timeout-s: found -1, expected greater than or equal to 0$"
    ):
        load(stop_timeout_s=-1)


@pytest.mark.parametrize("url", ["mysql://ada:hunter2@db/flare", "hunter2", "sqlite:///x?hunter2=\n:"])
def test_a_password_is_in_no_error(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("FLARE_STORE_URL", url)
    monkeypatch.setenv("FLARE_PORT", "no")
    with pytest.raises(OptionsError) as caught:
        load()
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ValidationError) as direct:
        Settings(store_url="mysql://ada:hunter2@db/flare")
    assert "hunter2" not in str(direct.value)


def test_a_password_is_in_no_text_of_the_settings() -> None:
    url = "postgresql+psycopg://ada:hunter2@db/flare?sslpassword=hunter2&sslmode=require"
    settings = Settings(store_url=url)
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)
    shown = masked_url(url)
    assert shown == "postgresql+psycopg://ada:***@db/flare?sslmode=require&sslpassword=***"


def test_variables_that_are_no_setting_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLARE_STORE_ULR", "FLARE_URL", "FLARE_TOKEN", "FLARE_PORT", "FLARE_FLUIDOS_NAMESPACE"):
        monkeypatch.setenv(name, "1")
    assert load().unknown == ("FLARE_STORE_ULR",)


def test_every_setting_has_an_origin_and_is_documented() -> None:
    found = load()
    outer = {name.split(".")[0] for name in found.origins}
    assert outer == set(Settings.model_fields)
    assert Settings.__doc__ is not None
    words = Settings.__doc__.replace(",", " ").split()
    assert outer <= set(words)


def test_settings_are_frozen_and_cross_to_other_processes() -> None:
    settings = Settings(store_url="sqlite:///x", quota=Quota(gpus=3), inventory=(Path("a"),))
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301  # its own, as multiprocessing does it
    with pytest.raises(ValidationError):
        settings.port = 3  # type: ignore[misc]  # what is refused
