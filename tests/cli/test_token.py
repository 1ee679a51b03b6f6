"""``flare token``: straight in the store."""

import json
from pathlib import Path

import pytest

from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import open_store
from flare_core.adapters.gateway.tokens import Permission, verify, well_formed
from tests.cli.conftest import Flare
from tests.gateway.worlds import NOW


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a store that does not exist yet; the settings name it."""
    url = f"sqlite:///{tmp_path / 'flare.db'}"
    monkeypatch.setenv("FLARE_STORE_URL", url)
    return url


def test_a_token_is_printed_alone_and_good_for_everything(flare: Flare, url: str) -> None:
    done = flare("token", "create")
    secret = done.out.strip()
    assert (done.status, done.out) == (0, f"{secret}\n")
    assert secret not in done.err
    store = open_store(Settings(store_url=url))
    with store.read() as connection:
        token = verify(connection, secret, NOW)
    store.close()
    assert (token.user, token.permissions) == ("admin", frozenset({Permission.ADMIN}))
    assert done.err.startswith(f"flare: {token.id} of admin, good for admin:*, until ")


def test_a_token_is_made_as_it_is_asked_for(flare: Flare, url: str) -> None:
    words = "token create --user ada --name ci --permission intents:read --permission resources:read"
    done = flare(*words.split(), "--expires-in", "1h30m", "--json")
    made = done.document
    assert (made["user"], made["name"]) == ("ada", "ci")
    assert made["permissions"] == ["intents:read", "resources:read"]
    assert well_formed(made["token"])
    listed = flare("token", "list", "--json").document["tokens"]
    assert listed == [{name: value for name, value in made.items() if name != "token"}]
    assert listed[0]["status"] == "active"


def test_tokens_are_listed_without_their_secrets(flare: Flare, url: str) -> None:
    made = [flare("token", "create", "--user", user).out.strip() for user in ("ada", "bob")]
    everybody = flare("token", "list").out
    assert "ada" in everybody
    assert "bob" in everybody
    assert not any(secret in everybody for secret in made)
    one = flare("token", "list", "--user", "ada").out
    assert "ada" in one
    assert "bob" not in one


def test_a_token_is_revoked(flare: Flare, url: str) -> None:
    made = flare("token", "create", "--json").document["token_id"]
    assert flare("token", "revoke", made, "--json").document["status"] == "revoked"
    done = flare("token", "revoke", made)
    assert (done.status, done.out) == (0, "")
    assert done.err == f"flare: {made} of admin is revoked\n"
    assert flare("token", "list", "--json").document["tokens"][0]["status"] == "revoked"


def test_before_the_first_one_there_are_none(flare: Flare, url: str) -> None:
    done = flare("token", "list")
    assert (done.status, done.out, done.err) == (0, "", "flare: no tokens yet: flare token create\n")


def test_a_secret_for_a_file_is_stored_nowhere(flare: Flare, url: str) -> None:
    done = flare("token", "secret")
    assert well_formed(done.out.strip())
    assert flare("token", "list", "--json").document == {"tokens": []}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("create --permission all", 2, "permissions.0: found 'all', expected one of intents:read, "),
        ("create --expires-in 2y", 2, "expires_in: found 63072000 s, expected more than 0 s and at most"),
        ("create --expires-in soon", 2, "expires_in: found 'soon', expected"),
        ("create --user \x1b[0m", 2, "user_id: found '\\x1b[0m', expected 1 to 255 printable characters"),
        ("revoke tok_none", 2, "no such token"),
        ("create --config none.toml", 2, "none.toml: found no file that can be read"),
        ("create --store sqlite:////nowhere/x.db", 4, "the store does not answer"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    flare: Flare, url: str, words: str, status: int, said: str
) -> None:
    done = flare("token", *words.split(" "), "--json")
    assert done.status == status
    assert done.err.startswith(f"flare: {said}")
    assert done.document["status"] == "error"
    assert json.loads(done.out)["message"] in done.err
