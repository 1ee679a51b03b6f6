"""Who asks: the token of the ``Authorization`` header, and the address that the request came from."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

from flare_core.adapters.gateway.tokens import PREFIX, TokenError
from flare_core.errors import ErrorCode

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_V6_PREFIX: Final = 64  # one customer has a whole network of so many bits


def bearer(headers: Headers) -> str:
    """Return the token that a request comes with.

    Raises
    ------
    TokenError
        INVALID_TOKEN without the header, AUTHENTICATION_FAILED if it is not ``Bearer flr_…``, or there twice.
    """
    given = headers.getlist("authorization")
    if not given:
        raise TokenError(ErrorCode.INVALID_TOKEN, "Invalid or missing API token")
    scheme, _, secret = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not secret.startswith(PREFIX):
        message = f"Authentication failed: expected one header 'Authorization: Bearer {PREFIX}...'"
        raise TokenError(ErrorCode.AUTHENTICATION_FAILED, message)
    return secret


class Addresses:
    """Tells from where requests come, through proxies that can be believed.

    Parameters
    ----------
    trusted
        Addresses and networks of proxies whose ``X-Forwarded-For`` is believed.

    Raises
    ------
    ValueError
        If one is neither.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted: tuple[Network, ...] = tuple(
            ipaddress.ip_network(each, strict=False) for each in trusted
        )

    def of(self, scope: Scope) -> str:
        """Return the client's address; of IPv6 the network that a customer gets, else the peer's name."""
        client = scope.get("client")
        peer = str(client[0]) if client else "local"
        address = _address(peer)
        for told in reversed(_forwarded(scope["headers"])):
            # The proxy next to us has added the last one; further ones count as far as proxies are believed.
            if address is None or not any(address in network for network in self._trusted):
                break
            before = _address(told)
            if before is None:
                break
            address = before
        return peer if address is None else _subscriber(address)


def _forwarded(headers: Sequence[tuple[bytes, bytes]]) -> list[str]:
    values = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    return [part.strip() for value in values for part in value.split(",")]


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _subscriber(address: Address) -> str:
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((int(address), _V6_PREFIX), strict=False))
