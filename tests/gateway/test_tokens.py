"""Tokens: what is kept of them, who may make which, and when they are good."""

import itertools
import re
import string
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from flare_core.adapters.gateway.errors import NotFoundError, PermissionsError
from flare_core.adapters.gateway.settings import DAY_S, YEAR_S, Settings
from flare_core.adapters.gateway.store import Store, open_store
from flare_core.adapters.gateway.tokens import (
    DEFAULT,
    RANDOM_BITS,
    Minted,
    Permission,
    Permissions,
    Token,
    TokenError,
    TokenStatus,
    create,
    first_admin,
    is_stale,
    list_tokens,
    mint,
    new_secret,
    read_permissions,
    revoke,
    touch,
    verify,
    well_formed,
)
from flare_core.errors import ErrorCode, OptionsError
from tests.gateway.worlds import NOW, SECOND

SETTINGS = Settings()
ADMIN = frozenset({Permission.ADMIN})
MANAGER = frozenset({Permission.TOKENS_MANAGE, Permission.INTENTS_READ})
SUBSETS = [
    frozenset(chosen) for size in range(7) for chosen in itertools.combinations(sorted(Permission), size)
]
ALPHABET = string.digits + string.ascii_letters


def minted(
    store: Store, permissions: Permissions = DEFAULT, user: str = "ada", life_s: int | None = None
) -> Minted:
    with store.write() as connection:
        return mint(connection, user, "one", NOW, permissions=permissions, life_s=life_s, settings=SETTINGS)


def code_of(store: Store, secret: str, now: datetime = NOW) -> str | None:
    """Return why a secret is refused; None where it is good."""
    with store.read() as connection:
        try:
            verify(connection, secret, now)
        except TokenError as error:
            return error.code
    return None


def holder(permissions: Permissions, user: str = "ada") -> Token:
    return Token("tok_0", user, "one", permissions, NOW, NOW + timedelta(days=1))


def test_a_secret_has_its_prefix_randomness_and_checksum() -> None:
    secrets = {new_secret() for _ in range(1000)}
    assert len(secrets) == 1000
    assert RANDOM_BITS >= 160
    assert all(re.fullmatch(r"flr_[0-9A-Za-z]{39}", secret) and well_formed(secret) for secret in secrets)
    # Every digit of the random part varies: nothing of it is fixed but the top of the first.
    assert all(len({secret[i] for secret in secrets}) > 50 for i in range(5, 37))


@given(st.integers(4, 42), st.sampled_from(ALPHABET))
def test_a_typing_error_is_seen(place: int, wrong: str) -> None:
    secret = new_secret()
    changed = secret[:place] + wrong + secret[place + 1 :]
    assert well_formed(changed) == (changed == secret)


@given(st.text())
def test_no_text_is_taken_for_a_token(other: str) -> None:
    assert not well_formed(other)
    assert not well_formed("flr_" + other)
    assert not well_formed(new_secret() + (other or " "))


def test_a_new_token_is_good_and_has_what_was_said(store: Store) -> None:
    made = minted(store)
    with store.read() as connection:
        token = verify(connection, made.secret, NOW)
    assert token == made.token
    assert (token.user, token.name, token.permissions, token.created) == ("ada", "one", DEFAULT, NOW)
    assert {p.value for p in DEFAULT} == {"intents:read", "intents:write"}
    assert token.expires == NOW + timedelta(days=90)
    assert token.id.startswith("tok_")
    assert len(token.id) >= 4 + 32  # 128 random bits
    assert token.status(NOW) is TokenStatus.ACTIVE


def test_the_secret_is_kept_nowhere(tmp_path: Path) -> None:
    store = open_store(Settings(store_url=f"sqlite:///{tmp_path / 'flare.db'}"))
    with store.write() as connection:
        made = [mint(connection, "ada", "one", NOW, settings=SETTINGS) for _ in range(200)]
    assert all(one.secret not in repr(one) + str(one) + repr(one.token) for one in made)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert all(one.token.id.encode() in kept for one in made)
    assert not [one for one in made if one.secret.encode() in kept or one.secret[4:37].encode() in kept]
    store.close()


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_a_token_is_good_until_the_second_in_which_it_expires(store: Store, shift: int) -> None:
    made = minted(store, life_s=3600)
    at = made.token.expires + shift * SECOND
    assert code_of(store, made.secret, at) is (None if shift < 0 else ErrorCode.TOKEN_EXPIRED)
    assert made.token.status(at) is (TokenStatus.ACTIVE if shift < 0 else TokenStatus.EXPIRED)


def test_a_revoked_token_is_refused_at_once_by_everyone(store: Store, url: str) -> None:
    made, other = minted(store), Store(Settings(store_url=url))
    assert code_of(other, made.secret) is None
    with store.write() as connection:
        assert revoke(connection, made.token, made.token.id, NOW + SECOND).revoked == NOW + SECOND
    assert code_of(other, made.secret, NOW + SECOND) is ErrorCode.TOKEN_REVOKED
    # Also when it has expired: revoked is what its user did.
    assert code_of(other, made.secret, NOW + timedelta(days=400)) is ErrorCode.TOKEN_REVOKED
    other.close()


def test_to_revoke_again_changes_nothing(store: Store) -> None:
    made = minted(store)
    with store.write() as connection:
        revoke(connection, made.token, made.token.id, NOW + SECOND)
        token = revoke(connection, made.token, made.token.id, NOW + 2 * SECOND)
    assert token.revoked == NOW + SECOND
    assert token.status(NOW) is TokenStatus.REVOKED


def test_only_who_knows_the_secret_learns_what_became_of_it(store: Store) -> None:
    made = minted(store, life_s=1)
    late = NOW + timedelta(days=2)
    assert code_of(store, made.secret, late) is ErrorCode.TOKEN_EXPIRED
    for wrong in (new_secret(), made.secret[:-1], made.secret + "x", "", "flr_", made.token.id):
        assert code_of(store, wrong, late) is ErrorCode.INVALID_TOKEN


@pytest.mark.parametrize("life_s", [0, -1, YEAR_S + 1])
def test_a_life_out_of_range_is_refused(store: Store, life_s: int) -> None:
    with pytest.raises(OptionsError) as refused:
        minted(store, life_s=life_s)
    assert refused.value.path == "expires_in"


def test_a_token_lives_a_year_at_most_and_less_where_that_is_set(store: Store) -> None:
    assert minted(store, life_s=YEAR_S).token.expires == NOW + timedelta(days=365)
    strict = Settings(token_life_s=DAY_S, token_life_max_s=DAY_S)
    with store.write() as connection:
        mint(connection, "ada", "one", NOW, settings=strict)
        with pytest.raises(OptionsError):
            mint(connection, "ada", "one", NOW, life_s=DAY_S + 1, settings=strict)
        with pytest.raises(OptionsError):
            mint(
                connection,
                "ada",
                "one",
                NOW,
                life_s=YEAR_S + 1,
                settings=Settings(token_life_max_s=2 * YEAR_S),
            )


@pytest.mark.parametrize(("name", "user"), [("", "ada"), ("x" * 256, "ada"), ("one", ""), ("a\0b", "ada")])
def test_a_name_out_of_range_is_refused(store: Store, name: str, user: str) -> None:
    with store.write() as connection, pytest.raises(OptionsError):
        mint(connection, user, name, NOW, settings=SETTINGS)


def test_who_grants_what_is_the_rule_for_every_pair(store: Store) -> None:
    """64 holders, 64 wishes: nobody gets what the maker does not have."""
    tried, granted = 0, 0
    with store.write() as connection:
        for has, wanted in itertools.product(SUBSETS, SUBSETS):
            tried += 1
            try:
                made = create(connection, holder(has), "one", NOW, permissions=wanted, settings=SETTINGS)
            except PermissionsError:
                continue
            assert made.token.permissions == wanted
            assert wanted <= has or "admin:*" in has
            granted += 1
    # 32 sets with admin:* give all 64; those with tokens:manage and n of the other four give 2 ** (n + 1).
    assert (tried, granted) == (4096, 32 * 64 + 2 * (1 + 2) ** 4)


def test_only_an_admin_makes_tokens_for_others(store: Store) -> None:
    with store.write() as connection:
        made = create(connection, holder(ADMIN), "one", NOW, user="bob", settings=SETTINGS)
        assert made.token.user == "bob"
        own = create(connection, holder(MANAGER | DEFAULT), "one", NOW, user="ada", settings=SETTINGS)
        assert own.token.user == "ada"
        with pytest.raises(PermissionsError):
            create(connection, holder(MANAGER | DEFAULT), "one", NOW, user="bob", settings=SETTINGS)


@pytest.mark.parametrize("permission", list(Permission))
def test_a_permission_is_for_itself_and_admin_for_everything(permission: Permission) -> None:
    for other in Permission:
        assert holder(frozenset({permission})).may(other) == (permission in (other, Permission.ADMIN))
    holder(ADMIN).require(permission)
    with pytest.raises(PermissionsError):
        holder(frozenset()).require(permission)


def test_a_user_lists_and_revokes_their_own_with_any_token(store: Store) -> None:
    mine, other = minted(store), minted(store, user="bob")
    with store.write() as connection:
        assert list_tokens(connection, holder(frozenset())) == (mine.token,)
        with pytest.raises(PermissionsError):
            list_tokens(connection, holder(DEFAULT), "bob")
        assert list_tokens(connection, holder(MANAGER), "bob") == (other.token,)
        assert revoke(connection, holder(frozenset()), mine.token.id, NOW).id == mine.token.id


def test_another_users_token_is_as_one_that_does_not_exist(store: Store) -> None:
    other = minted(store, user="bob")
    said = []
    for token_id in (other.token.id, "tok_none", "tok_\0", "\ud800", "' OR 1=1 --"):
        with store.write() as connection, pytest.raises(NotFoundError) as refused:
            revoke(connection, holder(DEFAULT), token_id, NOW)
        said.append((refused.value.code, refused.value.message))
    assert len(set(said)) == 1
    assert code_of(store, other.secret) is None
    with store.write() as connection:
        revoke(connection, holder(MANAGER), other.token.id, NOW)
    assert code_of(store, other.secret) is ErrorCode.TOKEN_REVOKED


def test_the_last_use_is_written_once_in_a_while_and_never_back(store: Store) -> None:
    made = minted(store)

    def used(after_s: int) -> Token:
        now = NOW + after_s * SECOND
        with store.note() as connection:
            touch(connection, made.token, now, SETTINGS)
        with store.read() as connection:
            return verify(connection, made.secret, now)

    assert made.token.last_used is None
    assert is_stale(made.token, NOW, SETTINGS)
    assert used(0).last_used == NOW
    assert used(59).last_used == NOW
    assert not is_stale(used(59), NOW + 59 * SECOND, SETTINGS)
    assert is_stale(used(0), NOW + 60 * SECOND, SETTINGS)
    assert used(60).last_used == NOW + 60 * SECOND
    assert used(-3600).last_used == NOW + 60 * SECOND


def test_there_is_one_first_admin(store: Store) -> None:
    def first(now: datetime = NOW, secret: str | None = None) -> Minted | None:
        with store.write() as connection:
            return first_admin(connection, now, settings=SETTINGS, secret=secret)

    given_secret = new_secret()
    made = first(secret=given_secret)
    assert made is not None
    assert (made.secret, made.token.permissions, made.token.user) == (given_secret, ADMIN, "admin")
    assert code_of(store, given_secret) is None
    assert first() is None
    assert first(made.token.expires - SECOND) is None
    again = first(made.token.expires)
    assert again is not None
    with store.write() as connection:
        revoke(connection, again.token, again.token.id, again.token.created)
    assert first(again.token.created) is not None


def test_a_bootstrap_secret_must_be_a_token(store: Store) -> None:
    with store.write() as connection, pytest.raises(OptionsError):
        first_admin(connection, NOW, settings=SETTINGS, secret=new_secret()[:-1])
    with store.note() as connection, pytest.raises(ValueError, match="write"):
        first_admin(connection, NOW, settings=SETTINGS)


@pytest.mark.parametrize(
    ("names", "path"),
    [
        ([], "permissions"),
        (["intents:read", "intents:all"], "permissions.1"),
        (["admin"], "permissions.0"),
    ],
)
def test_unknown_permissions_are_named(names: list[str], path: str) -> None:
    with pytest.raises(OptionsError) as refused:
        read_permissions(names)
    assert refused.value.path == path


def test_the_six_permissions_are_those_of_the_reference() -> None:
    names = ["intents:read", "intents:write", "intents:delete", "resources:read", "tokens:manage", "admin:*"]
    assert read_permissions(names) == frozenset(Permission)
    assert sorted(names) == sorted(p.value for p in Permission)


def test_two_tokens_of_one_secret_cannot_be(store: Store) -> None:
    secret = new_secret()
    with store.write() as connection:
        mint(connection, "ada", "one", NOW, settings=SETTINGS, secret=secret)
        assert connection.execute(text("SELECT count(*) FROM tokens")).scalar_one() == 1
    with store.write() as connection, pytest.raises(OptionsError, match="used before"):
        mint(connection, "bob", "two", NOW, settings=SETTINGS, secret=secret)
