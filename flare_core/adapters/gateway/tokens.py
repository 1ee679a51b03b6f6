"""API tokens: made, shown once, verified, listed, revoked.

A token is ``flr_``, 33 digits of base 62 (192 random bits), and 6 digits of their CRC-32, so that typing
errors and finds in public text can be told without the store. The store has its SHA-256 alone: tokens are too
long to be guessed from it, and a look-up by hash compares nothing of the secret piece by piece.
"""

import hmac
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, Connection, Row, insert, or_, select, update

from flare_core.adapters.gateway.errors import GatewayError, NotFoundError, PermissionsError
from flare_core.adapters.gateway.failpoints import hit
from flare_core.adapters.gateway.settings import YEAR_S, Settings
from flare_core.adapters.gateway.store import require_write
from flare_core.adapters.gateway.store.rows import ensure_user, sha256
from flare_core.adapters.gateway.store.tables import tokens
from flare_core.errors import ErrorCode, OptionsError, found_expected

PREFIX: Final = "flr_"
RANDOM_BITS: Final = 192
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY, _SUM = 33, 6  # digits of base 62 that hold 192 and 32 bits
_LONGEST_NAME = 255


class Permission(StrEnum):
    """What a token is good for."""

    INTENTS_READ = "intents:read"
    INTENTS_WRITE = "intents:write"
    INTENTS_DELETE = "intents:delete"
    RESOURCES_READ = "resources:read"
    TOKENS_MANAGE = "tokens:manage"
    ADMIN = "admin:*"


Permissions = frozenset[Permission]
DEFAULT: Final = frozenset({Permission.INTENTS_READ, Permission.INTENTS_WRITE})


class TokenStatus(StrEnum):
    """What became of a token."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class TokenError(GatewayError):
    """Whoever asks is not known: an unknown, expired or revoked token."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as the store knows it: all but the secret."""

    id: str
    user: str
    name: str
    permissions: Permissions
    created: datetime
    expires: datetime
    revoked: datetime | None = None
    last_used: datetime | None = None

    def may(self, permission: Permission) -> bool:
        """Whether the token is good for something; ``admin:*`` is for everything."""
        return permission in self.permissions or Permission.ADMIN in self.permissions

    def require(self, permission: Permission) -> None:
        """Refuse what the token is not good for.

        Raises
        ------
        PermissionsError
            If it is not.
        """
        if not self.may(permission):
            raise PermissionsError

    def may_grant(self, permissions: Permissions) -> bool:
        """Whether a new token may have these: at most its maker's own."""
        return Permission.ADMIN in self.permissions or permissions <= self.permissions

    def status(self, now: datetime) -> TokenStatus:
        """Return what became of it; it is good until the moment at which it expires."""
        if self.revoked is not None:
            return TokenStatus.REVOKED
        return TokenStatus.ACTIVE if now < self.expires else TokenStatus.EXPIRED


@dataclass(frozen=True, slots=True)
class Minted:
    """A new token with its secret, which is never to be had again and shows in no ``repr``."""

    token: Token
    secret: str = field(repr=False)


def new_secret() -> str:
    """Return a token's text."""
    body = _base62(secrets.randbits(RANDOM_BITS), _BODY)
    return f"{PREFIX}{body}{_checksum(body)}"


def well_formed(secret: str) -> bool:
    """Whether a text can be a token: its form and checksum are right."""
    body, checksum = secret[len(PREFIX) : -_SUM], secret[-_SUM:]
    right_form = secret.startswith(PREFIX) and len(body) == _BODY and set(body) <= set(_DIGITS)
    return right_form and hmac.compare_digest(checksum.encode(), _checksum(body).encode())


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _SUM)


def _base62(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text


def read_permissions(names: Iterable[str]) -> Permissions:
    """Return permissions by their names.

    Raises
    ------
    OptionsError
        If there is none, or one is unknown.
    """
    known = {permission.value: permission for permission in Permission}
    wanted = list(names)
    for i, name in enumerate(wanted):
        if name not in known:
            raise OptionsError(f"permissions.{i}", found_expected(name, f"one of {', '.join(known)}"))
    if not wanted:
        raise OptionsError("permissions", "found none, expected at least one")
    return frozenset(known[name] for name in wanted)


def mint(
    connection: Connection,
    user: str,
    name: str,
    now: datetime,
    *,
    permissions: Permissions = DEFAULT,
    life_s: int | None = None,
    settings: Settings,
    secret: str | None = None,
) -> Minted:
    """Make a token without asking who wants it: for the console.

    Parameters
    ----------
    user
        Whose it is; made known when new.
    life_s
        How long it lives, seconds; None is the default of the settings.
    secret
        A secret that was made elsewhere by `new_secret`; None makes one.

    Raises
    ------
    OptionsError
        If the name, the life or the secret is out of range.
    """
    life = settings.token_life_s if life_s is None else life_s
    longest = min(settings.token_life_max_s, YEAR_S)
    secret = new_secret() if secret is None else secret
    if not 0 < life <= longest:
        raise OptionsError("expires_in", f"found {life} s, expected more than 0 s and at most {longest} s")
    for path, text in (("name", name), ("user_id", user)):
        if not 0 < len(text) <= _LONGEST_NAME or not text.isprintable():
            raise OptionsError(path, found_expected(text, f"1 to {_LONGEST_NAME} printable characters"))
    if not well_formed(secret):
        raise OptionsError("secret", "found no token, expected one that FLARE has made")
    if _find(connection, sha256(secret)) is not None:
        raise OptionsError("secret", "found one that was used before, expected a new one")
    expires = now + timedelta(seconds=life)
    token = Token(f"tok_{secrets.token_hex(16)}", user, name, permissions, now, expires)
    ensure_user(connection, user, now)
    connection.execute(insert(tokens).values(_columns(token) | {"sha256": sha256(secret)}))
    hit("token.inserted")
    return Minted(token, secret)


def create(
    connection: Connection,
    by: Token,
    name: str,
    now: datetime,
    *,
    permissions: Permissions = DEFAULT,
    life_s: int | None = None,
    user: str | None = None,
    settings: Settings,
) -> Minted:
    """Make a token at the wish of the holder of another one.

    Parameters
    ----------
    user
        For whom; None is for the holder. Another user's takes ``admin:*``.

    Raises
    ------
    PermissionsError
        If the holder may not make tokens, or not this one.
    OptionsError
        As `mint` does.
    """
    by.require(Permission.TOKENS_MANAGE)
    if not by.may_grant(permissions):
        raise PermissionsError("a token cannot give permissions that it does not have")
    if user is not None and user != by.user:
        by.require(Permission.ADMIN)
    owner = by.user if user is None else user
    return mint(connection, owner, name, now, permissions=permissions, life_s=life_s, settings=settings)


def first_admin(
    connection: Connection,
    now: datetime,
    *,
    user: str = "admin",
    name: str = "first",
    settings: Settings,
    secret: str | None = None,
) -> Minted | None:
    """Make the first ``admin:*`` token, unless one is active; several processes make one between them.

    Parameters
    ----------
    secret
        What a bootstrap file holds; None makes one.
    """
    require_write(connection)  # so that of two processes one finds the token of the other
    admin = frozenset({Permission.ADMIN})
    if has_admin(connection, now):
        return None
    return mint(connection, user, name, now, permissions=admin, settings=settings, secret=secret)


def has_admin(connection: Connection, now: datetime) -> bool:
    """Whether an ``admin:*`` token is active: somebody can make others."""
    active = (
        tokens.c.revoked.is_(None),
        tokens.c.expires > now,
        tokens.c.permissions.contains(Permission.ADMIN),
    )
    return connection.execute(select(tokens.c.id).where(*active).limit(1)).first() is not None


def verify(connection: Connection, secret: str, now: datetime) -> Token:
    """Return the token of a secret.

    Raises
    ------
    TokenError
        INVALID_TOKEN where there is none; TOKEN_REVOKED and TOKEN_EXPIRED only to who knows the secret.
    """
    token = _find(connection, sha256(secret)) if well_formed(secret) else None
    if token is None:
        raise TokenError(ErrorCode.INVALID_TOKEN, "Invalid or missing API token")
    status = token.status(now)
    if status is TokenStatus.REVOKED:
        raise TokenError(ErrorCode.TOKEN_REVOKED, "API token has been revoked")
    if status is TokenStatus.EXPIRED:
        raise TokenError(ErrorCode.TOKEN_EXPIRED, "API token has expired")
    return token


def _find(connection: Connection, digest: str) -> Token | None:
    row = connection.execute(select(tokens).where(tokens.c.sha256 == digest)).one_or_none()
    # The store's collation found it; whether it is the same is ours to say, in constant time.
    return _token(row) if row is not None and hmac.compare_digest(row.sha256, digest) else None


def is_stale(token: Token, now: datetime, settings: Settings) -> bool:
    """Whether ``last_used`` is old enough to be worth a write."""
    return token.last_used is None or now - token.last_used >= timedelta(seconds=settings.token_touch_s)


def touch(connection: Connection, token: Token, now: datetime, settings: Settings) -> None:
    """Write ``last_used``, unless another process just has; it never goes back."""
    old = now - timedelta(seconds=settings.token_touch_s)
    stale = or_(tokens.c.last_used.is_(None), tokens.c.last_used <= old)
    connection.execute(update(tokens).where(tokens.c.id == token.id, stale).values(last_used=now))


def list_tokens(connection: Connection, by: Token, user: str | None = None) -> tuple[Token, ...]:
    """Return a user's tokens, oldest first; None is the holder, another user takes ``tokens:manage``.

    Raises
    ------
    PermissionsError
        If the holder may not see another user's.
    """
    owner = by.user if user is None else user
    if owner != by.user:
        by.require(Permission.TOKENS_MANAGE)
    own = select(tokens).where(tokens.c.user == owner).order_by(tokens.c.created, tokens.c.id)
    return tuple(_token(row) for row in connection.execute(own))


def every_token(connection: Connection, user: str | None = None) -> tuple[Token, ...]:
    """Return everybody's tokens or one user's, oldest first, whoever asks: for the console."""
    query = select(tokens).order_by(tokens.c.created, tokens.c.id)
    rows = connection.execute(query if user is None else query.where(tokens.c.user == user))
    return tuple(map(_token, rows))


def revoke(connection: Connection, by: Token, token_id: str, now: datetime) -> Token:
    """Revoke a token for good; a second time changes nothing.

    Raises
    ------
    NotFoundError
        If there is none, or it is another user's and the holder may not manage tokens.
    """
    if not token_id.isprintable():  # the stores do not take every character
        raise NotFoundError("token")
    mine: list[ColumnElement[bool]] = [tokens.c.id == token_id]
    if not by.may(Permission.TOKENS_MANAGE):
        mine.append(tokens.c.user == by.user)
    connection.execute(update(tokens).where(*mine, tokens.c.revoked.is_(None)).values(revoked=now))
    row = connection.execute(select(tokens).where(*mine)).one_or_none()
    if row is None:
        raise NotFoundError("token")
    return _token(row)


def _columns(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "user": token.user,
        "name": token.name,
        "permissions": " ".join(sorted(token.permissions)),
        "created": token.created,
        "expires": token.expires,
    }


def _token(row: Row[tuple[object, ...]]) -> Token:
    return Token(
        row.id,
        row.user,
        row.name,
        frozenset(map(Permission, row.permissions.split())),
        row.created,
        row.expires,
        row.revoked,
        row.last_used,
    )
