"""Reading strictly: bodies, query parameters and headers either say one thing or are refused."""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from flare_core.adapters.gateway.errors import GatewayCode, GatewayError
from flare_core.adapters.gateway.keys import LONGEST
from flare_core.errors import ErrorCode, FlareError, OptionsError, found_expected
from flare_core.intent.fields import Misfit, nearest, one_of
from flare_core.intent.json import dotted, parse_json
from flare_core.quantities import QuantityError

M = TypeVar("M", bound=BaseModel)

_ANY_VERSION: Final = "*"
# RFC 9110, 8.8.3 and 5.6.1: a tag may hold commas.
_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_TAGS: Final = re.compile(rf"[ \t]*{_TAG.pattern}(?:[ \t]*,[ \t]*{_TAG.pattern})*[ \t]*")


def check_type(request: Request) -> None:
    """Refuse a body that is not said to be JSON in UTF-8.

    Raises
    ------
    GatewayError
        UNSUPPORTED_MEDIA_TYPE.
    """
    given = request.headers.getlist("content-type")
    media, *parameters = given[0].split(";") if len(given) == 1 else [""]
    charsets = [p.strip().lower().replace('"', "") for p in parameters]
    if media.strip().lower() != "application/json" or any(c not in ("charset=utf-8", "") for c in charsets):
        message = "expected one header 'Content-Type: application/json'"
        raise GatewayError(GatewayCode.UNSUPPORTED_MEDIA_TYPE, message)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise GatewayError(GatewayCode.UNSUPPORTED_MEDIA_TYPE, "expected no 'Content-Encoding'")


async def read_body(request: Request, max_bytes: int, timeout_s: float) -> bytes:
    """Return the body; of one that is too large at most the first byte too many is read.

    Raises
    ------
    GatewayError
        PAYLOAD_TOO_LARGE, also by what its ``Content-Length`` says, before anything is read.
    OptionsError
        If it does not come in time.
    """
    stated = request.headers.get("content-length", "0")
    if not stated.isdecimal() or int(stated[:20]) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise _too_large(max_bytes)
    except TimeoutError:
        raise OptionsError("", f"the body did not come within {timeout_s:g} s") from None
    return bytes(body)


def _too_large(max_bytes: int) -> GatewayError:
    return GatewayError(GatewayCode.PAYLOAD_TOO_LARGE, f"the body is larger than {max_bytes} bytes")


def read_json(model: type[M], body: bytes, max_bytes: int) -> M:
    """Read a body as a model.

    Raises
    ------
    FlareError
        INVALID_FORMAT or MISSING_REQUIRED_FIELD, with the path.
    """
    tree = parse_json(body, max_bytes=max_bytes)
    if not isinstance(tree, dict):
        raise OptionsError("", "found no object, expected one")
    return _read(model, tree)


def read_query(model: type[M], request: Request) -> M:
    """Read the query parameters as a model; what it does not know is refused, since it would do nothing.

    Raises
    ------
    FlareError
        As `read_json`, the path being the parameter.
    """
    pairs = request.query_params.multi_items()
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise OptionsError(dotted([name]), f"found it {count} times, expected it once")
    return _read(model, dict(pairs))


def _read(model: type[M], tree: Mapping[str, object]) -> M:
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    loc, kind = first["loc"], first["type"]
    cause = first.get("ctx", {}).get("error")
    code = ErrorCode.MISSING_REQUIRED_FIELD if kind == "missing" else ErrorCode.INVALID_FORMAT
    if kind == "missing":
        message = "found nothing, expected this required field"
    elif kind == "extra_forbidden":
        near = nearest(str(loc[-1]), model.model_fields)
        message = (
            f"found an unknown field, expected {f'{near!r}' if near else one_of(None, [*model.model_fields])}"
        )
    elif isinstance(cause, Misfit | QuantityError):
        message = found_expected(first["input"], cause.expected)
    else:
        message = found_expected(first["input"], first["msg"].removeprefix("Input should be "))
    raise FlareError(code, dotted(loc), message)  # outside the handler: pydantic's error holds every value


def idempotency_key(request: Request) -> str | None:
    """Return the ``Idempotency-Key``, None where there is none.

    Raises
    ------
    OptionsError
        If it is empty, too long, not printable, or there twice.
    """
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    if len(given) > 1 or not 0 < len(given[0]) <= LONGEST or not given[0].isprintable():
        raise OptionsError("Idempotency-Key", f"expected one of 1 to {LONGEST} printable characters")
    return given[0]


def entity_tags(request: Request, header: str) -> frozenset[str] | None:
    """Return the entity tags of ``If-Match`` or ``If-None-Match``; None where every one will do.

    Raises
    ------
    OptionsError
        If they are not written as ``"3"``, several of them joined by commas, or ``*``.
    """
    values = request.headers.getlist(header)
    if not values or values == [_ANY_VERSION]:
        return None
    text = ",".join(values)
    if not _TAGS.fullmatch(text):
        raise OptionsError(header, found_expected(text, 'an entity tag, such as "3"'))
    return frozenset(_TAG.findall(text))
