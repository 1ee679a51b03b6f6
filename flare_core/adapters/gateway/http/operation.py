"""What an operation of the API is: everything that routing, checking and describing it take."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from flare_core.adapters.gateway.errors import GatewayCode
from flare_core.adapters.gateway.http.models import Query
from flare_core.adapters.gateway.tokens import Permission, Token
from flare_core.errors import ErrorCode

if TYPE_CHECKING:
    from flare_core.adapters.gateway.http.desk import Desk

M = TypeVar("M", bound=BaseModel)
Code = ErrorCode | GatewayCode

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Header:
    """A header that an operation reads or sends; `schema` is JSON Schema."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one success status means.

    Attributes
    ----------
    model
        Of the body; of the ``data`` of each event where `media` is ``text/event-stream``; None where there is
        no body, or none that has a model.
    headers
        Beyond those of every answer.
    """

    description: str
    model: type[BaseModel] | None = None
    media: str | None = JSON
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way through an operation.

    Attributes
    ----------
    query, body
        Read and checked as the operation says.
    arrived
        When it came, seconds of the event loop's clock.
    """

    desk: "Desk"
    request: Request
    query: BaseModel
    body: bytes
    arrived: float
    holder: Token | None

    @property
    def token(self) -> Token:
        """Who asks; only for operations that take a token."""
        assert self.holder is not None
        return self.holder

    @property
    def request_id(self) -> str:
        """The id of the request."""
        return str(self.request.scope["state"]["request_id"])

    def asked(self, model: type[M]) -> M:
        """Return the query parameters as what the operation says they are."""
        assert isinstance(self.query, model)
        return self.query

    def url(self, path: str) -> str:
        """Return the path under which clients know a path of ours, wherever we are mounted."""
        return f"{self.request.scope.get('root_path', '')}{path}"


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    Attributes
    ----------
    id, summary, description, tag
        For its description.
    path
        With ``{names}``; a text without a slash stands for each.
    needs
        The permission; None is any valid token.
    is_open
        No token at all.
    query, body
        What the query parameters and the body are read as; no `body`: none is read.
    headers
        What it reads of the request beyond ``Authorization``.
    says
        By success status.
    errors
        The codes of its own; `common_errors` come to them.
    """

    id: str
    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    description: str = ""
    needs: Permission | None = None
    is_open: bool = False
    query: type[BaseModel] = Query
    body: type[BaseModel] | None = None
    headers: tuple[Header, ...] = ()
    says: Mapping[int, Said]
    errors: tuple[Code, ...] = ()

    @property
    def common_errors(self) -> tuple[Code, ...]:
        """The codes that follow from what it takes."""
        codes: list[Code] = [ErrorCode.INVALID_FORMAT, ErrorCode.INTERNAL, GatewayCode.UNAVAILABLE]
        if not self.is_open:
            codes += [
                ErrorCode.INVALID_TOKEN,
                ErrorCode.TOKEN_EXPIRED,
                ErrorCode.TOKEN_REVOKED,
                ErrorCode.AUTHENTICATION_FAILED,
                GatewayCode.RATE_LIMITED,
            ]
        if self.needs is not None:
            codes.append(ErrorCode.INSUFFICIENT_PERMISSIONS)
        if "{" in self.path:
            codes.append(GatewayCode.NOT_FOUND)
        if self.body is not None:
            codes += [
                ErrorCode.MISSING_REQUIRED_FIELD,
                GatewayCode.PAYLOAD_TOO_LARGE,
                GatewayCode.UNSUPPORTED_MEDIA_TYPE,
            ]
        return tuple(codes)
