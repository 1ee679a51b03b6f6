"""Successes as HTTP says them, and answers that are kept for those who ask again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import BaseModel
from sqlalchemy import Connection
from starlette.responses import Response

from flare_core.adapters.gateway.errors import ConflictError, GatewayCode, GatewayError
from flare_core.adapters.gateway.http.errors import JSON, PROBLEM
from flare_core.adapters.gateway.keys import Claim, Outcome, answer, claim
from flare_core.adapters.gateway.settings import Settings

REPLAYED: Final = "Idempotent-Replayed"


def said(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with a model as its body."""
    return Response(model.model_dump_json(), status, headers, JSON)


def told(document: Mapping[str, object]) -> Response:
    """Return an answer with a document of the engine as its body."""
    body = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(body, media_type=JSON)


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request with an idempotency key.

    Attributes
    ----------
    sha256
        Of what the key must not be used for twice: path and body.
    """

    user: str
    key: str
    sha256: str


def keyed(user: str, key: str | None, path: str, body: bytes) -> Keyed | None:
    """Return what stands for a request with a key; None without one."""
    digest = hashlib.sha256(path.encode() + b"\n" + body).hexdigest()
    return None if key is None else Keyed(user, key, digest)


def keep(
    connection: Connection, request: Keyed, response: Response, now: datetime, settings: Settings
) -> Claim:
    """Keep an answer in a ``write`` transaction, unless there is one; return the one that stands."""
    answer(connection, request.user, request.key, response.status_code, bytes(response.body).decode())
    return claim(connection, request.user, request.key, request.sha256, now, settings)


def replayed(kept: Claim, headers: Mapping[str, str]) -> Response:
    """Say again what was said: the same status and body, byte for byte.

    Raises
    ------
    GatewayError
        IDEMPOTENCY_KEY_REUSED where the key belongs to another request.
    ConflictError
        If the first request has no answer yet.
    """
    if kept.outcome is Outcome.OTHER_BODY:
        message = "the Idempotency-Key belongs to a request with another body"
        raise GatewayError(GatewayCode.IDEMPOTENCY_KEY_REUSED, message)
    if kept.status is None or kept.answer is None:
        raise ConflictError("the first request with this Idempotency-Key is being answered", retry_after_s=1)
    is_problem = kept.status >= 400 and "instance" in json.loads(kept.answer)
    more = {REPLAYED: "true", **(headers if kept.status < 400 else {})}
    return Response(kept.answer, kept.status, more, PROBLEM if is_problem else JSON)
